"""Names of headless Services and of EMQX nodes: a hosts file that follows EndpointSlices and pods.

Owns the file. It is put over the machine's own inside the bed's mount namespace only. Like a cluster's DNS it lists
every address of a headless Service, and those that are not ready only where the Service publishes them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from emqx_tui.sandbox.emqx.brokers import INSTANCE_LABEL, node_name
from emqx_tui.sandbox.kube.objects import SERVICE_LABEL
from tests.cluster.bed.mirror import Mirror

Object = dict[str, Any]
_DOMAIN = "svc.cluster.local"


class Names:
    """Written anew at each change that changes it."""

    def __init__(self, mirror: Mirror, path: Path) -> None:
        self._mirror = mirror
        self._path = path
        self._written = ""
        mirror.on("endpointslices", lambda event, obj: self._write())
        mirror.on("services", lambda event, obj: self._write())
        mirror.on("pods", lambda event, obj: self._write())

    def _write(self) -> None:
        lines = ["127.0.0.1 localhost"]
        for service in self._mirror.list("services"):
            if service["spec"].get("clusterIP") == "None":
                metadata = service["metadata"]
                name = f"{metadata['name']}.{metadata['namespace']}.{_DOMAIN}"
                lines += [f"{ip} {name}" for ip in self._addresses(metadata["namespace"], metadata["name"])]
        for pod in self._mirror.list("pods"):
            ip = (pod.get("status") or {}).get("podIP")
            if ip and INSTANCE_LABEL in (pod["metadata"].get("labels") or {}):
                lines.append(f"{ip} {node_name(pod).partition('@')[2]}")
        text = "\n".join(lines) + "\n"
        if text == self._written:
            return
        self._written = text
        # In place: a file that is mounted over another one cannot be replaced.
        handle = os.open(self._path, os.O_WRONLY)
        try:
            os.pwrite(handle, text.encode(), 0)
            os.ftruncate(handle, len(text))
        finally:
            os.close(handle)

    def _addresses(self, namespace: str, service: str) -> list[str]:
        found = []
        for each in self._mirror.list("endpointslices", namespace, {SERVICE_LABEL: service}):
            for endpoint in each.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("ready", True):
                    found += endpoint["addresses"]
        return sorted(found)
