"""The kinds of failure that the outside world can answer with.

Adapters turn every error of their library into one of these; nobody further in sees a library's exception.
The message is one line for a person: what, where, and, when known, what to do.
"""

from __future__ import annotations


class AdapterError(Exception):
    """Something outside did not do what was asked."""

    kind = "failed"

    def __init__(self, message: str, *, status: int | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        """HTTP status, where there was one."""
        self.reason = reason
        """The Kubernetes `reason` word, where there was one."""


class Unreachable(AdapterError):
    """No answer: refused, reset, timed out, name not found. Whether the request took effect is unknown."""

    kind = "unreachable"


class Unauthorized(AdapterError):
    """Credentials missing, wrong or expired (401)."""

    kind = "unauthorized"


class Forbidden(AdapterError):
    """The credentials lack a right (403)."""

    kind = "forbidden"


class NotFound(AdapterError):
    """No such object or path (404)."""

    kind = "not found"


class Conflict(AdapterError):
    """Somebody else wrote first: a stale resourceVersion, a wrong UID, a name that exists (409)."""

    kind = "conflict"


class Expired(AdapterError):
    """The resourceVersion or continue token is too old (410): list again."""

    kind = "expired"


class Rejected(AdapterError):
    """Understood and refused: validation, admission, a broker's own refusal (400, 422, or code 400 in a body)."""

    kind = "rejected"


class MalformedAnswer(AdapterError):
    """An answer that is not what the API documents."""

    kind = "malformed"
