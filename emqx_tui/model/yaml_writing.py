"""PURE: values as YAML in kubectl's style, which every reader of YAML takes for the same values."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from emqx_tui.model.wire import Unparsable
from emqx_tui.model.yaml_values import plain_value, read_yaml

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@+-]*")
_UNSAFE = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def scalar_text(value: str | int, quotes: str | None = None) -> str:
    """A value as it is typed; strings stay strings for every reader of YAML."""
    if not isinstance(value, str):
        return str(value)
    if quotes == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if quotes != '"' and _PLAIN.fullmatch(value) and _is_text(value):
        return value
    return _escape(json.dumps(value, ensure_ascii=False))


class _Dumper(yaml.SafeDumper):
    """Block text for lines, double quotes around what would be read as something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, value: str) -> yaml.Node:
        if "\n" in value and not _UNSAFE.search(value):
            style = "|"
        else:
            style = None if _is_text(value) and value.isprintable() and not _UNSAFE.search(value) else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", value, style)


_Dumper.add_representer(str, _Dumper.represent_text)


def write(value: Any) -> str:
    """A JSON value as block YAML in kubectl's style, which reads back as the same value."""
    written = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
    text = _escape(written.removesuffix("...\n"))
    try:
        if read_yaml(text) == value:
            return text
    except Unparsable:
        pass
    return _escape(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"


def _is_text(plain: str) -> bool:
    try:
        return isinstance(plain_value(plain), str)
    except Unparsable:
        return False


def _escape(text: str) -> str:
    """Characters that a terminal would obey stand inside double quotes only, where they can be spelled out."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
