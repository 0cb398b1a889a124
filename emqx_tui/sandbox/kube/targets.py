"""The target of a request path: a collection, an object, or a subresource.

Pure parsing of the API server's URL layout (`apiserver/pkg/endpoints/request/requestinfo.go`), and the verb that a
method means there, which is what rights are granted on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.resources import Resource


@dataclass(frozen=True)
class Target:
    """A parsed path; `namespace` None means all namespaces (or a kind without namespaces)."""

    resource: Resource
    namespace: str | None = None
    name: str | None = None
    subresource: str | None = None

    @property
    def plural(self) -> str:
        return self.resource.plural

    @property
    def named_resource(self) -> str:
        """The name that rights are granted on: `pods`, `pods/portforward`."""
        return f"{self.plural}/{self.subresource}" if self.subresource else self.plural


def unknown_path() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def method_not_allowed() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def parse_target(path: str, resources: Mapping[str, Resource]) -> Target:
    """The target of `/api/...` or `/apis/...`; ApiError 404 when there is no such thing."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    match parts:
        case ["api", version, *rest] if rest:
            group = ""
        case ["apis", group, version, *rest] if rest:
            pass
        case _:
            raise unknown_path()
    namespace = None
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    resource = resources.get(rest[0])
    if resource is None or (resource.group, resource.version) != (group, version) or len(rest) > 3:
        raise unknown_path()
    if (namespace is not None) != resource.namespaced and (namespace is not None or len(rest) > 1):
        raise unknown_path()
    padded = [*rest[1:], None, None]
    return Target(resource, namespace, padded[0], padded[1])


def verb_of(method: str, target: Target, *, watch: bool = False) -> str:
    """The verb that rights are granted on; ApiError 405 when the method means nothing here."""
    if method == "GET":
        if target.name:
            return "get"
        return "watch" if watch else "list"
    if method == "DELETE":
        return "delete" if target.name else "deletecollection"
    if method == "POST":
        return "create"
    if method in ("PUT", "PATCH") and target.name:
        return "update" if method == "PUT" else "patch"
    raise method_not_allowed()
