"""The examples of RFC 7386 and RFC 6902, and that patches never change their arguments."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.sandbox.kube.patches import PatchRefused, json_patch, merge_patch

# RFC 7386, appendix A, row by row: original, patch, result.
MERGE_EXAMPLES = """
{"a":"b"}           {"a":"c"}               {"a":"c"}
{"a":"b"}           {"b":"c"}               {"a":"b","b":"c"}
{"a":"b"}           {"a":null}              {}
{"a":"b","b":"c"}   {"a":null}              {"b":"c"}
{"a":["b"]}         {"a":"c"}               {"a":"c"}
{"a":"c"}           {"a":["b"]}             {"a":["b"]}
{"a":{"b":"c"}}     {"a":{"b":"d","c":null}} {"a":{"b":"d"}}
{"a":[{"b":"c"}]}   {"a":[1]}               {"a":[1]}
["a","b"]           ["c","d"]               ["c","d"]
{"a":"b"}           ["c"]                   ["c"]
{"a":"foo"}         null                    null
{"a":"foo"}         "bar"                   "bar"
{"e":null}          {"a":1}                 {"e":null,"a":1}
[1,2]               {"a":"b","c":null}      {"a":"b"}
{}                  {"a":{"bb":{"ccc":null}}} {"a":{"bb":{}}}
""".strip().splitlines()


@pytest.mark.parametrize("row", MERGE_EXAMPLES)
def test_rfc_7386_example(row: str) -> None:
    original, patch, result = (json.loads(part) for part in row.split())
    assert merge_patch(original, patch) == result


# RFC 6902, appendix A: document, operations, result (None: refused).
JSON_EXAMPLES: dict[str, tuple[Any, list[dict[str, Any]], Any]] = {
    "A.1 add a member": ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    "A.2 add an element": (
        {"foo": ["bar", "baz"]},
        [{"op": "add", "path": "/foo/1", "value": "qux"}],
        {"foo": ["bar", "qux", "baz"]},
    ),
    "A.3 remove a member": ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    "A.4 remove an element": (
        {"foo": ["bar", "qux", "baz"]},
        [{"op": "remove", "path": "/foo/1"}],
        {"foo": ["bar", "baz"]},
    ),
    "A.5 replace": ({"baz": "qux"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
    "A.6 move": (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    "A.7 move an element": (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    "A.8 test holds": (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    "A.9 test fails": ({"baz": "qux"}, [{"op": "test", "path": "/baz", "value": "bar"}], None),
    "A.10 add a nested object": (
        {"foo": "bar"},
        [{"op": "add", "path": "/child", "value": {"grandchild": {}}}],
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    "A.11 unknown members are ignored": (
        {"foo": "bar"},
        [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}],
        {"foo": "bar", "baz": "qux"},
    ),
    "A.12 no such parent": ({"foo": "bar"}, [{"op": "add", "path": "/baz/bat", "value": "qux"}], None),
    "A.14 escapes": ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    "A.15 strings are not numbers": ({"~1": 10}, [{"op": "test", "path": "/~01", "value": "10"}], None),
    "A.16 append": (
        {"foo": ["bar"]},
        [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}],
        {"foo": ["bar", ["abc", "def"]]},
    ),
}


@pytest.mark.parametrize("example", JSON_EXAMPLES)
def test_rfc_6902_example(example: str) -> None:
    document, operations, result = JSON_EXAMPLES[example]
    before = copy.deepcopy(document)
    if result is None:
        with pytest.raises(PatchRefused) as refused:
            json_patch(document, operations)
        assert refused.value.unprocessable
    else:
        assert json_patch(document, operations) == result
    assert document == before


@pytest.mark.parametrize(
    ("operations", "unprocessable"),
    [
        ({}, False),
        ([3], False),
        ([{"op": "frobnicate", "path": "/a"}], True),
        ([{"path": "/a"}], True),
        ([{"op": "add"}], True),
    ],
)
def test_malformed_json_patches_are_told_apart(operations: Any, unprocessable: bool) -> None:
    """As a real API server tells them: only what is no list of objects cannot be decoded."""
    with pytest.raises(PatchRefused) as refused:
        json_patch({"a": 1}, operations)
    assert refused.value.unprocessable == unprocessable


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_a_merge_patch_changes_neither_argument_and_is_idempotent(target: Any, patch: Any) -> None:
    before = copy.deepcopy((target, patch))
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once
    assert (target, patch) == before
