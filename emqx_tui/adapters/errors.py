"""What the adapters share about failures: ConfigError, and texts from outside made fit for a message.

Outside texts are cut, cleaned and redacted here before they reach a message or a log. Each library's errors are mapped
beside its client (`kubernetes/errors.py`, `emqx/errors.py`), so that importing this module loads no library.
"""

from __future__ import annotations

from emqx_tui.model.errors import AdapterError
from emqx_tui.model.wire import clean
from emqx_tui.rollout.redaction import redact_text

LINE_LIMIT = 400
"""Characters of an outside text that a message keeps."""


class ConfigError(AdapterError):
    """A file, a flag or an environment variable is wrong."""

    kind = "configuration"


def one_line(text: str | bytes, limit: int = LINE_LIMIT) -> str:
    """An outside text on one line: cut, without control characters, white space folded, credentials redacted."""
    if isinstance(text, bytes):
        text = text[: 4 * limit].decode("utf-8", "replace")
    text = redact_text(clean(" ".join(text[: 4 * limit].split())))
    return text if len(text) <= limit else text[: limit - 1] + "…"
