"""httpx, loaded without its command line.

At each step of a request httpcore asks for sniffio, which nothing else here needs. Where it is not installed it is
noted as missing: else Python searches all its folders for it each time, a quarter of what a request costs.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

from emqx_tui.adapters.lean_import import without

with without("httpx._main"):
    import httpx

if "sniffio" not in sys.modules and find_spec("sniffio") is None:
    modules: dict[str, Any] = sys.modules
    modules["sniffio"] = None

__all__ = ["httpx"]
