"""Imports a library without the optional parts that its package always loads.

`import kubernetes.aio.client` also loads the synchronous client, its websockets and OAuth, `import httpx` loads a
command line with its colours, and `import aiohttp` reads every certificate authority of the machine: together as long
as everything that a list of clusters needs.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def without(*modules: str) -> Iterator[None]:
    """Inside the block these modules are empty; a later import loads them in full."""
    empty = {name: ModuleType(name) for name in modules if name not in sys.modules}
    sys.modules.update(empty)
    try:
        yield
    finally:
        for name, module in empty.items():
            del sys.modules[name]
            package, _, attribute = name.rpartition(".")
            if getattr(sys.modules.get(package), attribute, None) is module:
                delattr(sys.modules[package], attribute)


@contextmanager
def without_authorities() -> Iterator[None]:
    """Inside the block a TLS context finds none of the machine's certificate authorities, which takes long to read.

    For a library that makes contexts when it is imported: whoever uses it must give it one for each connection.
    """
    ssl.SSLContext.set_default_verify_paths = lambda self: None
    try:
        yield
    finally:
        # What it hides is the method of the class below.
        del ssl.SSLContext.set_default_verify_paths
