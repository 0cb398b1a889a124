"""Redaction of secrets in everything that is shown, logged, recorded or described."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

REDACTED = "••••••"

_SECRET_KEYS = re.compile(
    r"(secret|password|passwd|token|api_?key|credential|private_?key|cookie|auth\b|lic(ense)?\b|stringdata)",
    re.IGNORECASE,
)
_SECRET_LISTS = {"bootstrapAPIKeys", "env", "envFrom", "httpHeaders"}
_SECRET_MAPS = {"license", "stringData"}
_SERIALIZED = re.compile(r"last-applied")
"""Annotations of kubectl and the operator: a whole object, as JSON or packed."""
_NOT_SECRET = {"secretName", "secretRef", "secretKeyRef", "imagePullSecrets", "optional"}
_INLINE = (
    re.compile(r"(?i)\b(authorization\\*[\"']?\s*[:=]?\s*\\*[\"']?(?:basic|bearer)\s+)[^\s'\"]+"),
    re.compile(
        r"(?is)((?:password|passwd|secret|token|api_?key)\\*[\"']?\s*[=:]\s*)"
        r"(?:(?P<quote>\\*[\"'])(?:(?!(?P=quote))(?:\\.|[^\\]))*(?P=quote)?|[^\s,'\"&}]+)"
    ),
    re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"),
)


_CANNOT_HOLD_ANY = re.compile(r"[^\s:=]*")
"""Text without white space, colon and equals sign matches none of `_INLINE`."""


def redact(value: Any) -> Any:
    """A copy of a JSON value in which every value that can be a secret is replaced."""
    if isinstance(value, Mapping):
        secrets = {"data", "stringData"} if value.get("kind") == "Secret" else ()
        return {
            key: _hidden(entry) if key in secrets else _redact_entry(str(key), entry) for key, entry in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(entry) for entry in value]
    return redact_text(value) if isinstance(value, str) else value


def _hidden(value: Any) -> Any:
    """The keys alone."""
    return dict.fromkeys(value, REDACTED) if isinstance(value, Mapping) else REDACTED


def redact_value(path: str, value: Any) -> Any:
    """`value` as it may be shown when it stands at the dotted `path`; keys may hold dots themselves."""
    *above, last = path.split(".")
    if last not in _NOT_SECRET and isinstance(value, str) and any(_is_secret(part) for part in above):
        return REDACTED
    return _redact_entry(last, value)


def _is_secret(key: str) -> bool:
    return key in _SECRET_LISTS or bool(_SECRET_KEYS.search(key))


def redact_text(text: str) -> str:
    """`text` without what looks like credentials inside it."""
    if _CANNOT_HOLD_ANY.fullmatch(text):
        return text
    for pattern in _INLINE:
        text = pattern.sub(lambda match: (match[1] if match.lastindex else "") + REDACTED, text)
    return text


def _redact_entry(key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool) or key in _NOT_SECRET:
        return value
    if _SERIALIZED.search(key) and isinstance(value, str):
        return _redact_json(value)
    if key in _SECRET_LISTS and isinstance(value, list):
        return [_redact_item(entry) for entry in value]
    if key in _SECRET_MAPS and isinstance(value, Mapping):
        return {name: entry if entry is None or name in _NOT_SECRET else REDACTED for name, entry in value.items()}
    if _SECRET_KEYS.search(key) and not isinstance(value, Mapping):
        return REDACTED
    return redact(value)


def _redact_json(text: str) -> str:
    """An object that is kept as text in an annotation of another; what cannot be read is not shown."""
    try:
        return json.dumps(redact(json.loads(text)), separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError):
        return REDACTED


def _redact_item(entry: Any) -> Any:
    """An entry of `env`, `httpHeaders` or `bootstrapAPIKeys`: names stay, values go."""
    if not isinstance(entry, Mapping):
        return REDACTED
    kept = {"name", "key", "valueFrom", "secretRef", "configMapRef", "prefix"}
    return {name: (value if name in kept else REDACTED) for name, value in entry.items()}
