"""The parts of the `kubernetes` package that are used, loaded without the rest."""

from __future__ import annotations

from emqx_tui.adapters.lean_import import without

_ANYBODYS = ("client", "config", "dynamic", "informer", "leaderelection", "stream", "utils", "watch")
_AIO = ("config", "dynamic", "leaderelection", "stream", "watch")

with without(*(f"kubernetes.{name}" for name in _ANYBODYS), *(f"kubernetes.aio.{name}" for name in _AIO)):
    from kubernetes.aio import client
    from kubernetes.aio.client.exceptions import ApiException, OpenApiException

__all__ = ["ApiException", "OpenApiException", "client"]
