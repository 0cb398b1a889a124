"""Errors of the simulated API server, with the messages of a real one.

Owns `ApiError` and its usual kinds. Each can turn itself into the `metav1.Status` that goes over the wire, because
clients (kubectl most of all) read reason, message and causes and not only the number.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from emqx_tui.sandbox.kube.resources import Resource

UNPROCESSABLE = "the server rejected our request due to an error in our request"
"""Of a JSON patch that does not fit; the Status has empty details then."""


class ApiError(Exception):
    """A request was refused; `status()` is what the client gets."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details or {}
        self.list_metadata: dict[str, Any] = {}
        """ListMeta of the Status: the answer to an expired continue token has one to go on with."""

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.list_metadata,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details or (self.code, self.message) == (422, UNPROCESSABLE):
            status["details"] = self.details
        return {**status, "code": self.code}


def _details(resource: Resource, name: str) -> dict[str, Any]:
    details: dict[str, Any] = {"name": name, "kind": resource.plural}
    if resource.group:
        details["group"] = resource.group
    return details


def not_found(resource: Resource, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', _details(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{resource.qualified} "{name}" already exists', _details(resource, name))


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(resource, name))


def precondition_failed(resource: Resource, name: str, why: str) -> ApiError:
    """Of a deletion, which is refused in the name of the kind."""
    subject = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    message = f'Operation cannot be fulfilled on {subject} "{name}": {why}'
    return ApiError(409, "Conflict", message, {**_details(resource, name), "kind": resource.kind})


def modified_meanwhile(resource: Resource, name: str) -> ApiError:
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def invalid(
    resource: Resource, name: str, causes: Iterable[tuple[str, str, str]], *, by_plural: bool = False
) -> ApiError:
    """422 with one (reason, field path, message) per cause, e.g. ("FieldValueRequired", "metadata.name", "...")."""
    listed = [{"reason": reason, "message": message, "field": field} for reason, field, message in causes]
    texts = list(dict.fromkeys(f"{cause['field']}: {cause['message']}" for cause in listed))
    message = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details: dict[str, Any] = {"name": name} if name else {}
    called = resource.plural if by_plural else resource.kind
    details |= {"kind": called, "causes": listed}
    if resource.group:
        details["group"] = resource.group
    subject = f"{called}.{resource.group}" if resource.group else called
    return ApiError(422, "Invalid", f'{subject} "{name}" is invalid: {message}', details)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)
