"""How a pass can fail.

Owns errors, common or not, which decides when the next pass runs, and panics, which end the operator's process.
"""

from __future__ import annotations

from emqx_tui.sandbox.kube.api_error import ApiError

_NOT_FOUND_OR_CONFLICT = (404, 409)


class PassError(Exception):
    """An error that a step returned. `is_common`: the operator asks for another pass after one second, silently."""

    def __init__(self, message: str, *, is_common: bool = False) -> None:
        super().__init__(message)
        self.is_common = is_common

    def wrapped(self, context: str) -> PassError:
        return PassError(f"{context}: {self}", is_common=self.is_common)


class Panic(Exception):
    """A nil dereference or an index out of range in the operator's code."""


def from_api(refused: ApiError) -> PassError:
    """Not found and conflict are common errors (`internal/errors/errors.go`); everything else is not."""
    common = refused.code in _NOT_FOUND_OR_CONFLICT and refused.reason in ("NotFound", "Conflict")
    return PassError(refused.message, is_common=common)


def sets_not_ready() -> PassError:
    return PassError("Sts not ready", is_common=True)
