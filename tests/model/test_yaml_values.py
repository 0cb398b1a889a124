"""YAML as kubectl reads it, and messages that quote nothing."""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.model.wire import DEEPEST, Unparsable, read_json
from emqx_tui.model.yaml_values import read_yaml

SCALARS: dict[str, Any] = {
    "yes": True,
    "Off": False,
    "y": True,
    "true": True,
    '"yes"': "yes",
    "~": None,
    "": None,
    "7": 7,
    "-7": -7,
    "0644": 420,
    "0o17": 15,
    "0x1F": 31,
    "0b11": 3,
    "1_000": 1000,
    "089": 89.0,
    ".5": 0.5,
    "12e3": 12000.0,
    "1:30": "1:30",
    "2001-01-01": "2001-01-01",
    "2001-99-99": "2001-99-99",
    "4.4.15": "4.4.15",
    "=": "=",
    "!!str 7": "7",
    "!local x": "x",
    "!!binary aGVsbG8=": "hello",
    "!!timestamp 2001-99-99": "2001-99-99",
}


@pytest.mark.parametrize(("text", "value"), SCALARS.items(), ids=list(SCALARS))
def test_a_scalar(text: str, value: Any) -> None:
    found = read_yaml(f"a: {text}\n")["a"]
    assert found == value
    assert type(found) is type(value)


DOCUMENTS: dict[str, tuple[str | bytes, Any]] = {
    "nothing": ("", None),
    "the last of two equal keys": ("a: 1\na: 2", {"a": 2}),
    "the first document only": ("a: 1\n---\nb: [", {"a": 1}),
    "nothing after the end marker": ("a: 1\n...\n{", {"a": 1}),
    "an empty first document": ("---\n---\na: 1", None),
    "a merge key": (
        "a: &x {b: 1, c: 2}\nd: {c: 3, e: 4, <<: *x}",
        {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 2, "e": 4}},
    ),
    "the first of several merged": ("a: {<<: [{b: 1}, {b: 2, c: 3}]}", {"a": {"b": 1, "c": 3}}),
    "keys are texts": ("7: x\ntrue: z", {"7": "x", "true": "z"}),
    "a byte order mark": (b"\xef\xbb\xbfa: 1", {"a": 1}),
    "UTF-16": ("a: ä".encode("utf-16"), {"a": "ä"}),
    "line ends of Windows": ("a: 1\r\nb:\r\n- x\r\n", {"a": 1, "b": ["x"]}),
}


@pytest.mark.parametrize(("text", "value"), DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_a_document(text: str | bytes, value: Any) -> None:
    assert read_yaml(text) == value


SECRET = "hunter2pass"
WRONG: dict[str, tuple[str | bytes, str]] = {
    "unclosed": (f"a: [{SECRET}\n", "line 2, column 1: did not find expected ',' or ']'"),
    "an alias": (f"a: *{SECRET}", "line 1, column 4: found undefined alias"),
    "a tag": (f"a: !x!{SECRET} y", "line 1, column 4: found undefined tag handle"),
    "a directive": (f"%{SECRET} x\n---\na: 1", "line 1, column "),
    "a reserved character": (f"a: @{SECRET}", "line 1, column 4: found character that cannot start any token"),
    "two values": (f"a: {SECRET}: {SECRET}", "line 1, column 15: mapping values are not allowed"),
    "an escape": (f'a: "\\xZ{SECRET}"', "line 1, column 7: did not find expected hex"),
    "an unclosed text": (f'a: "{SECRET}', "line "),
    "a tab": (f"{SECRET}:\n\t{SECRET}: 1", "line 2, column 1: found character that cannot start any token"),
    "no such number": (f"a: !!int {SECRET}", "line 1, column 4: the value does not fit its tag"),
    "too long a number": (f"{SECRET}: {'1' * 5_000}", "line 1, column 14: the value does not fit its tag"),
    "a key that is no text": (f"? [{SECRET}]\n: 1", "line 1, column 3: expected a text as key"),
    "a merged text": (f"<<: {SECRET}", "line 1, column 5: expected a mapping to merge"),
    "not UTF-8": (f"a: {SECRET}\xe9".encode("latin-1"), "UTF-8"),
    "a control character": (f"{SECRET}: \x00{SECRET}", "line 1, column 14: control characters are not allowed"),
    "one that came with a paste": (
        f"a: 1\nb: {SECRET}\x1b[31m",
        "line 2, column 15: control characters are not allowed",
    ),
    "deep": ("[" * 102 + "]" * 102, "line 1, column 101: nested too deeply"),
    "very deep": ("[" * 100_000, "nest"),  # from PyYAML 6.0.4 on libyaml has a limit of its own, with its own words
    "deep in keys": ("? " * 100_000, "nested too deeply"),
    "deep in lists": ("- " * 100_000, "nested too deeply"),
    "deep after the end of a deep one": (
        f"[{'[' * 50}{']' * 50}, {'[' * 101}",
        "line 1, column 203: nested too deeply",
    ),
    "an endless alias": ("&a [*a]", "nested too deeply"),
    "a bomb": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        "too many aliases",
    ),
}


@pytest.mark.parametrize(("text", "words"), WRONG.values(), ids=list(WRONG))
def test_what_is_wrong_is_placed_and_not_quoted(text: str | bytes, words: str) -> None:
    with pytest.raises(Unparsable) as told:
        read_yaml(text)
    assert words in str(told.value)
    assert SECRET not in str(told.value)
    assert "\n" not in str(told.value)
    assert told.value.__cause__ is None


JSON_WRONG: dict[str, tuple[str | bytes, str]] = {
    "a bare word": (f'{{"a": {SECRET}}}', "line 1, column 7: not JSON"),
    "not a number": ('{"a": NaN}', "NaN is not JSON"),
    "too long a number": ("1" * 5_000, "not JSON"),
    "not UTF-8": (b'"\xff"', "not JSON"),
    "deep": ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "nested too deeply"),
    "very deep": ("[" * 1_000_000, "nested too deeply"),
    "nothing": ("", "line 1, column 1: not JSON"),
}


@pytest.mark.parametrize(("text", "words"), JSON_WRONG.values(), ids=list(JSON_WRONG))
def test_what_is_no_json(text: str | bytes, words: str) -> None:
    with pytest.raises(Unparsable) as told:
        read_json(text)
    assert str(told.value) == words


def test_json_as_deep_as_is_taken() -> None:
    assert read_json("[" * DEEPEST + "]" * DEEPEST)
