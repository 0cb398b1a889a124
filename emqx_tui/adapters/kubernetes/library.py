"""The parts of `kubernetes` and aiohttp that are used, loaded without the rest.

Of `kubernetes.aio` that is the REST client under its ApiClient: the ApiClient converts to and from generated classes,
which are not used, and loads pydantic and dateutil for it, a third of what `emqx-tui get` would take.
"""

from __future__ import annotations

from emqx_tui.adapters.lean_import import without, without_authorities

_ANYBODYS = ("client", "config", "dynamic", "informer", "leaderelection", "stream", "utils", "watch")
_AIO = ("config", "dynamic", "leaderelection", "stream", "watch")

with without_authorities():
    import aiohttp

with without(*(f"kubernetes.{name}" for name in _ANYBODYS), *(f"kubernetes.aio.{name}" for name in _AIO)):
    from kubernetes.aio.client.configuration import Configuration
    from kubernetes.aio.client.exceptions import ApiException, OpenApiException
    from kubernetes.aio.client.rest import RESTClientObject

__all__ = ["ApiException", "Configuration", "OpenApiException", "RESTClientObject", "aiohttp"]
