"""What the adapters share about failures: one clean line for a person, and the failure of a configuration.

Owns the cutting and cleaning of texts that come from outside before they reach a message or a log. The mapping of a
library's errors stands beside that library's user (`kube_errors.py`, `emqx_errors.py`), so that naming a failure
loads no library.
"""

from __future__ import annotations

from emqx_tui.model.errors import AdapterError
from emqx_tui.model.wire import clean
from emqx_tui.rollout.redaction import redact_text

LINE_LIMIT = 400
"""Characters of an outside text that a message keeps."""


class ConfigError(AdapterError):
    """What we were told to talk to cannot be made sense of: a file, a flag or a variable is wrong."""

    kind = "configuration"


def one_line(text: str | bytes, limit: int = LINE_LIMIT) -> str:
    """An outside text on one line: cut, without control characters, blanks folded, credentials taken out."""
    if isinstance(text, bytes):
        text = text[: 4 * limit].decode("utf-8", "replace")
    text = redact_text(clean(" ".join(text[: 4 * limit].split())))
    return text if len(text) <= limit else text[: limit - 1] + "…"
