"""The door for outside text and numbers: what is taken out, what is refused, and which path is named."""

from __future__ import annotations

import math
import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.model.wire import Fields, Malformed, clean

DANGEROUS = {
    "erase the screen": "\x1b[2J",
    "set the window title": "\x1b]0;pwned\x07",
    "C1 control sequence introducer": "\x9b31m",
    "bell": "\x07",
    "backspace": "\x08",
    "delete": "\x7f",
    "carriage return over the line": "safe\rEVIL",
    "right-to-left override": "\u202egnp.exe",
    "isolate": "\u2066abc\u2069",
    "arabic letter mark": "\u061c",
    "zero width space": "ad\u200bmin",
    "byte order mark": "\ufeffx",
    "line separator": "a\u2028b",
    "inhibit symmetric swapping": "\u206a",
    "soft hyphen": "ad\u00admin",
    "tag character": "\U000e0041",
    "lone surrogate": "\ud800",
    "private use": "\ue000",
    "unassigned": "\u0378",
}
OBEYED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize("text", DANGEROUS.values(), ids=DANGEROUS)
def test_clean_leaves_nothing_that_a_terminal_obeys(text: str) -> None:
    assert not any(unicodedata.category(char) in OBEYED for char in clean(text))


@given(st.text())
def test_clean_is_safe_for_any_text(text: str) -> None:
    cleaned = clean(text)
    assert not any(unicodedata.category(char) in OBEYED for char in cleaned)
    assert len(cleaned) == len(text)
    assert clean(cleaned) == cleaned


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_clean_keeps_ordinary_text(text: str) -> None:
    assert clean(text) == text


def test_clean_keeps_newlines_only_where_lines_are_wanted() -> None:
    assert clean("a\n\tb\r\n") == "a  b  "
    assert clean("a\n\tb\r\n", lines=True) == "a\n b \n"


@pytest.mark.parametrize("value", [None, 3, "text", [1], True], ids=repr)
def test_an_object_is_asked_for_and_the_path_is_named(value: Any) -> None:
    with pytest.raises(Malformed, match=r"^\$\.a\.b: expected an object") as caught:
        Fields(value, "$.a.b")
    assert caught.value.path == "$.a.b"


WRONG: dict[str, tuple[Any, str, tuple[Any, ...], str, str]] = {
    "a text is missing": ({}, "text", ("x",), "$.x", "missing"),
    "a text is null": ({"x": None}, "text", ("x",), "$.x", "missing"),
    "a text is a number": ({"x": 5}, "text", ("x",), "$.x", "expected a string, found a number"),
    "a text with default is an array": ({"x": []}, "text", ("x", ""), "$.x", "expected a string, found an array"),
    "an integer is missing": ({}, "integer", ("x",), "$.x", "missing"),
    "an integer is true": ({"x": True}, "integer", ("x",), "$.x", "expected an integer, found a boolean"),
    "an integer is a text": ({"x": "5"}, "integer", ("x",), "$.x", "expected an integer, found a string"),
    "an integer is broken": ({"x": 1.5}, "integer", ("x",), "$.x", "expected an integer, found a number"),
    "an integer is infinite": ({"x": math.inf}, "integer", ("x",), "$.x", "expected an integer"),
    "an integer is no number": ({"x": math.nan}, "integer", ("x",), "$.x", "expected an integer"),
    "a flag is a text": ({"x": "true"}, "flag", ("x",), "$.x", "expected true or false"),
    "an instant is no instant": ({"x": "yesterday"}, "instant", ("x",), "$.x", "expected an RFC 3339 instant"),
    "an instant is a number": ({"x": 5}, "instant", ("x",), "$.x", "expected a string"),
    "a child is an array": ({"x": []}, "child", ("x",), "$.x", "expected an object, found an array"),
    "an array is an object": ({"x": {}}, "array", ("x",), "$.x", "expected an array, found an object"),
    "one of the texts is a number": ({"x": ["a", 1]}, "texts", ("x",), "$.x[1]", "expected a string, found a number"),
    "a map is a text": ({"x": "a=b"}, "text_map", ("x",), "$.x", "expected an object, found a string"),
}


@pytest.mark.parametrize(("value", "reader", "arguments", "path", "problem"), WRONG.values(), ids=WRONG)
def test_wrong_types_are_refused_with_their_path(
    value: Any, reader: str, arguments: tuple[Any, ...], path: str, problem: str
) -> None:
    with pytest.raises(Malformed) as caught:
        getattr(Fields(value), reader)(*arguments)
    assert caught.value.path == path
    assert problem in caught.value.problem


def test_the_path_of_an_array_entry_names_its_index() -> None:
    fields = Fields({"items": [{"name": "a"}, {"name": 7}]})
    with pytest.raises(Malformed, match=r"\$\.items\[1\]\.name"):
        [item.text("name") for item in fields.children("items")]
    with pytest.raises(Malformed, match=r"\$\.items\[0\]: expected an object"):
        list(Fields({"items": [3]}).children("items"))


def test_absent_parts_read_as_empty_where_the_api_omits_empty_ones() -> None:
    fields = Fields({"gone": None})
    assert list(fields.children("gone")) == []
    assert fields.child("gone").names() == ()
    assert fields.texts("never") == ()
    assert fields.text_map("never") == {}
    assert fields.optional_integer("gone") is None
    assert fields.instant("gone") is None
    assert "gone" not in fields


def test_whole_numbers_may_come_as_floats() -> None:
    assert Fields({"x": 33300.0}).integer("x") == 33300


def test_every_kind_of_text_is_cleaned() -> None:
    evil = "a\x1b[31mb"
    fields = Fields({"t": evil, "l": [evil], "m": {evil: evil}})
    assert fields.text("t") == "a�[31mb"
    assert fields.texts("l") == ("a�[31mb",)
    assert fields.text_map("m") == {"a�[31mb": "a�[31mb"}


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-01T12:00:00Z", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("2026-01-01T12:00:00.25Z", datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-01-01T13:00:00+01:00", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("2026-01-01T12:00:00", datetime(2026, 1, 1, 12, tzinfo=UTC)),
    ],
)
def test_instants_are_always_aware(text: str, instant: datetime) -> None:
    assert Fields({"x": text}).instant("x") == instant
