"""PURE: values as YAML in kubectl's style, which every reader of YAML takes for the same values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from emqx_tui.ui.change.yaml_values import Unreadable, resolve, value_of

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@+-]*")
_UNSAFE = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def scalar_text(value: str | int, quotes: str | None = None) -> str:
    """A value as it is typed; strings stay strings for every reader of YAML."""
    if not isinstance(value, str):
        return str(value)
    if quotes == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if quotes != '"' and _PLAIN.fullmatch(value) and isinstance(resolve(value), str):
        return value
    return _escape(json.dumps(value, ensure_ascii=False))


def write(value: Any) -> str:
    """A JSON value as block YAML in kubectl's style, which reads back as the same value."""
    out = StringIO()
    yaml = YAML(pure=True)
    yaml.width = 1_000_000
    yaml.indent(mapping=2, sequence=2, offset=0)
    yaml.dump(_styled(value), out)
    text = _escape(out.getvalue())
    try:
        root = YAML(pure=True).compose(StringIO(text))
        if root is not None and value_of(root) == value:
            return text
    except (Unreadable, YAMLError):
        pass
    return _escape(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"


def _styled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_styled(str(key)): _styled(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_styled(entry) for entry in value]
    if not isinstance(value, str):
        return value
    if "\n" in value and all(line == line.rstrip() for line in value.split("\n")) and not _UNSAFE.search(value):
        return LiteralScalarString(value)
    try:
        is_word = isinstance(resolve(value), str)
    except ValueError:
        is_word = False
    return value if is_word and value.isprintable() and not _UNSAFE.search(value) else DoubleQuotedScalarString(value)


def _escape(text: str) -> str:
    """Characters that a terminal would obey stand inside double quotes only, where they can be spelled out."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
