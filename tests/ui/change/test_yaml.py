"""The template as text: what it means, and that changing one value touches nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emqx_tui.model.wire import Unparsable
from emqx_tui.model.yaml_values import plain_value
from emqx_tui.model.yaml_writing import write
from emqx_tui.ui.change.yaml_document import Document, Uneditable

WORDS = st.text(max_size=12) | st.sampled_from(
    [
        "on",
        "No",
        "0644",
        "4.4",
        "4.4.15",
        "~",
        "1:30",
        "2020-01-01",
        "a: b",
        "- x",
        "#",
        "\u202eabc",
        "\x1b[31m",
        "",
        " x ",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=25
)


@settings(max_examples=60)
@given(st.dictionaries(WORDS, JSON, max_size=5))
def test_written_values_read_back_as_themselves(value):
    text = write(value)
    assert Document.read(text).value() == value
    assert not set("\x1b\u202e\u2066\x07") & set(text), "a character that a terminal obeys stands in the text"


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("on", True), ("NO", False), ("y", True), ("yEs", "yEs"), ("0644", 420), ("0o644", 420), ("0x1F", 31),
        ("1_000", 1000), ("08", 8.0), ("4.4", 4.4), ("4.4.15", "4.4.15"), ("1e3", 1000.0), ("10:30", "10:30"),
        ("2020-01-01", "2020-01-01"), ("~", None), ("", None), ("-17", -17), ("+5", 5), (".5", 0.5),
    ],
)  # fmt: skip
def test_plain_scalars_mean_what_they_mean_to_kubectl(plain, value):
    assert plain_value(plain) == value
    assert type(plain_value(plain)) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: [1\nb: 2", 2, 2),
        ("a: b: c", 1, 5),
        ("spec:\n\tx: 1", 2, 1),
        ("a: 1\nb: 2\na: 3", 3, 1),
        ("x: &a [*a]", 1, 4),
        ("a: .inf", 1, 4),
        ("[1]: 2", 1, 1),
        ("a: 1\n---\nb: 2", 2, 1),
    ],
)
def test_a_text_that_cannot_be_read_says_where(text, line, column):
    with pytest.raises(Unparsable) as caught:
        Document.read(text).value()
    assert (caught.value.line, caught.value.column) == (line, column)


def test_a_text_that_unfolds_without_end_is_refused():
    text = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(8)
    )
    with pytest.raises(Unparsable, match="too many aliases"):
        Document.read(text).value()


def test_anchors_and_merges_are_read():
    text = "base: &b {x: 1, z: 2}\nuse:\n  <<: *b\n  z: 3\n"
    assert Document.read(text).value()["use"] == {"x": 1, "z": 3}


def test_keys_are_read_as_kubectl_reads_them():
    assert Document.read("on: 1\n'on': 2\n").value() == {"true": 1, "on": 2}


@pytest.mark.parametrize(
    "text",
    [
        "token: *hunter2",
        "a: !hunter2! b",
        "token: hunter2\ntoken: hunter2",
        "%hunter2 x\n--- a",
        "a: 'hunter2",
        "a: &hunter2 [",
    ],
)
def test_a_refusal_quotes_nothing_of_the_text(text):
    with pytest.raises(Unparsable) as caught:
        Document.read(text).value()
    assert caught.value.problem
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 50_000, "a: " + "{a: " * 5_000, "- " * 20_000 + "a"])
def test_a_text_nested_without_end_is_refused(text):
    with pytest.raises(Unparsable):
        Document.read(text).value()


TEXT = """\
# on top
spec:   # of it
  blueGreenUpdate:

    initialDelaySeconds: 60   # seconds
    evacuationStrategy: {waitTakeover: 5, connEvictRate: 200}  # flow
  template:
      spec: # odd indent
        emqxContainer:
            image: {version: "4.4.14"}
            # before the end
            env:
            - name: X # kept
              value: 'y'
# the end
"""
PATHS = [
    ("spec", "blueGreenUpdate", "initialDelaySeconds"),
    ("spec", "blueGreenUpdate", "evacuationStrategy", "waitTakeover"),
    ("spec", "blueGreenUpdate", "evacuationStrategy", "connEvictRate"),
    ("spec", "template", "spec", "emqxContainer", "image", "version"),
]


@settings(max_examples=60)
@given(st.sampled_from(PATHS), st.integers(0, 2**31) | st.text("0123456789.-rc", min_size=1, max_size=9) | st.none())
def test_one_value_changes_and_every_other_character_stays(path, value):
    before = Document.read(TEXT)
    original, quotes = _dig(before.value(), path), before.quotes_at(path)
    changed = before.with_scalar(path, value, quotes=quotes)
    assert _dig(Document.read(changed).value(), path) == value
    assert Document.read(changed).with_scalar(path, original, quotes=quotes) == TEXT


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(PATHS), st.integers(1, 9999) | st.none()), max_size=8))
def test_comments_and_unrelated_keys_survive_any_row_of_edits(edits):
    text = TEXT
    for path, value in edits:
        text = Document.read(text).with_scalar(path, value)
    for comment in ("# on top", "# of it", "# seconds", "# flow", "# odd indent", "# before the end", "# kept"):
        assert comment in text
    expected = Document.read(TEXT).value()
    for path, value in edits:
        parent = _dig(expected, path[:-1])
        parent[path[-1]] = value
    assert Document.read(text).value() == expected
    assert [line.split(":")[0].strip(" -{}") for line in text.splitlines() if ":" in line] == [
        line.split(":")[0].strip(" -{}") for line in TEXT.splitlines() if ":" in line
    ]


@pytest.mark.parametrize(
    "text", ["a:\n  b:\nc: 1\n", "a:  # x\nc: 1\n", "{a: , c: 1}", "a: {}\nc: 1", "a: null # y\nc: 1\n", "c: 1\n"]
)
def test_a_missing_value_is_put_in_with_its_parents(text):
    document = Document.read(Document.read(text).with_scalar(("a", "b", "d"), "on"))
    assert document.value() == {"a": {"b": {"d": "on"}}, "c": 1}


@pytest.mark.parametrize("text", ["a: [1]", "a: text", "x: &x 1\na: {b: {d: *x}}", "- a"])
def test_what_a_form_cannot_change_is_refused(text):
    with pytest.raises(Uneditable):
        Document.read(text).with_scalar(("a", "b", "d"), 1)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("spec.blueGreenUpdate.initialDelaySeconds", 5),
        ("spec.template.spec.emqxContainer.image.version", 10),
        ("spec.template.spec.emqxContainer.env[0].value", 14),
        ("spec.template.spec.emqxContainer.emqxConfig.a.b", 9),
        ("metadata", None),
    ],
)
def test_a_path_is_found_in_the_text(path, line):
    assert Document.read(TEXT).line_of(path) == line


def test_keys_with_dots_are_found():
    document = Document.read("emqxConfig:\n  listener: 1\n  listener.tcp.external: 2\n")
    assert document.line_of("emqxConfig.listener.tcp.external") == 3


def _dig(value, path):
    for part in path:
        value = value[part]
    return value
