"""The kubeconfig that leads clients to the sandbox.

Owns the file: one cluster, one context per user, mode 0600 because tokens are in it. JSON is valid YAML, so no YAML
library is needed to write it.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from emqx_tui.sandbox.apiserver.users import ADMIN, NAMESPACE_ONLY, Accounts

CLUSTER = "emqx-sandbox"


def kubeconfig(url: str, ca_pem: bytes, accounts: Accounts, namespace: str) -> dict[str, Any]:
    """The content: contexts named after the users, `admin` the current one."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": ADMIN,
        "clusters": [
            {
                "name": CLUSTER,
                "cluster": {"server": url, "certificate-authority-data": base64.b64encode(ca_pem).decode()},
            }
        ],
        "users": [{"name": name, "user": {"token": token}} for name, token in accounts.tokens.items()],
        "contexts": [{"name": name, "context": _context(name, namespace)} for name in accounts.users],
    }


def _context(user: str, namespace: str) -> dict[str, str]:
    context = {"cluster": CLUSTER, "user": user}
    return {**context, "namespace": namespace} if user == NAMESPACE_ONLY else context


def write_kubeconfig(path: Path, content: dict[str, Any]) -> None:
    """Write with mode 0600 and atomically: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    draft.replace(path)
