"""Form and text of one edit: in step both ways, secrets unseen and unchanged, problems with line and field."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emqx_tui.rollout.change import Verdict
from emqx_tui.rollout.redaction import REDACTED
from emqx_tui.ui.change.edit import NUMBERS, PATHS, Edit
from emqx_tui.ui.change.masking import Unknown, mask, unmask
from emqx_tui.ui.change.yaml_document import Uneditable
from tests.support.scripted import TEMPLATE, resource

COMMENTED = """\
spec:
  # rates were agreed with the gateway team
  blueGreenUpdate:
    evacuationStrategy: {sessEvictRate: 200, connEvictRate: 200, waitTakeover: 5} # in one line
    initialDelaySeconds: 60
  template:
    spec:
      emqxContainer:
        env:
        - name: EMQX_NODE__COOKIE
          value: ••••••   # hidden
        image: {version: 4.4.14, repository: emqx/emqx-ee}
        emqxConfig:
          listener.tcp.external: "1883" # quoted
          cluster.discovery: dns
    metadata: {labels: {team: messaging}}
"""


def test_a_fresh_edit_changes_nothing_and_shows_no_secret():
    edit = Edit.of(resource())
    assert edit.change is not None
    assert edit.change.verdict is Verdict.UNCHANGED
    assert not edit.is_changed
    assert "s3cr3t-cookie" not in edit.text
    assert "s3cr3t-cookie" not in repr(edit)
    assert edit.fields["version"] == "4.4.14"
    assert edit.fields["conn_evict_rate_per_s"] == "200"


def test_another_order_and_comments_change_nothing_that_is_sent():
    edit = Edit.of(resource()).with_text(COMMENTED)
    assert edit.problems == ()
    assert edit.change is not None
    assert edit.change.verdict is Verdict.UNCHANGED
    assert edit.draft is not None
    assert edit.draft.template == TEMPLATE, "the hidden cookie must come back as it was"


VALUES = {name: st.integers(1, 2_147_483_647).map(str) for name in NUMBERS} | {
    "version": st.sampled_from(["4.4.15", "4.4.24", "4.4.15-rc.1", "4.5", "on", "4.4.99"]),
    "repository": st.sampled_from(["emqx/emqx-ee", "registry.local:5000/emqx-ee", "a", "no"]),
}
EDITS = st.lists(st.sampled_from(sorted(VALUES)).flatmap(lambda n: st.tuples(st.just(n), VALUES[n])), max_size=8)


@settings(max_examples=20)
@given(EDITS)
def test_any_edit_in_the_form_and_back_keeps_every_character(edits):
    begun = Edit.of(resource()).with_text(COMMENTED)
    edit = begun
    for name, value in edits:
        edit = edit.with_field(name, value)
        assert edit.fields[name] == value, "the form does not show what was typed into it"
    for line in COMMENTED.splitlines():
        comment = line.partition("#")[2]
        assert comment in edit.text
    for name in {name for name, _ in edits}:
        edit = edit.with_field(name, begun.fields[name])
    assert edit.text == COMMENTED


@settings(max_examples=20)
@given(EDITS)
def test_text_and_form_always_say_the_same(edits):
    edit = Edit.of(resource())
    for name, value in edits:
        edit = edit.with_field(name, value)
    assert edit.fields == Edit.of(resource()).with_text(edit.text).fields
    if edit.draft:
        for name in NUMBERS:
            assert str(getattr(edit.draft.blue_green, name)) == edit.fields[name]


def test_digit_by_digit_a_version_ends_up_plain():
    edit = Edit.of(resource())
    for typed in ("4", "4.", "4.4", "4.4.", "4.4.1", "4.4.15"):
        edit = edit.with_field("version", typed)
    assert "version: 4.4.15\n" in edit.text
    assert edit.change is not None
    assert edit.change.verdict is Verdict.STARTS_RELEASE
    assert [found.path for found in edit.change.differences] == ["spec.template.spec.emqxContainer.image.version"]


def test_a_text_that_cannot_be_read_keeps_the_form_and_says_where():
    edit = Edit.of(resource())
    broken = edit.with_text(edit.text.replace("connEvictRate: 200", "connEvictRate: 2: 00"))
    assert not broken.is_readable
    assert broken.fields == edit.fields
    assert (broken.problems[0].line, broken.problems[0].column) == (8, 23)
    assert broken.draft is None
    with pytest.raises(Uneditable):
        broken.with_field("version", "4.4.15")
    assert broken.with_text(edit.text).is_readable


@pytest.mark.parametrize(
    ("before", "after", "path", "sentence", "line"),
    [
        ("version: 4.4.14", "version: 5.1.0", "spec.template.spec.emqxContainer.image.version", "out of range", 18),
        ("sessEvictRate: 200", "sessEvictRate: 0", ".evacuationStrategy.sessEvictRate", "out of range", 9),
        ("sessEvictRate: 200", "sessEvictRate: fast", ".evacuationStrategy.sessEvictRate", "whole number", 9),
        ("sessEvictRate: 200", "sessEvictRate:", ".evacuationStrategy.sessEvictRate", "cannot be removed", 9),
        ("sessEvictRate: 200", "sesEvictRate: 200", ".evacuationStrategy.sessEvictRate", "cannot be removed", 6),
        ('external: "1883"', "external: 1883", ".emqxConfig.listener.tcp.external", "must be a string", 21),
        ("  template:", "  replicas: 5\n  template:", "spec.replicas", "cannot be edited here", 10),
        ("  template:", "  tmplate:", "spec.template", "must be a map", 3),
    ],
)
def test_problems_name_field_and_line(before, after, path, sentence, line):
    edit = Edit.of(resource())
    text = edit.text.replace(before, after)
    assert text != edit.text
    found = edit.with_text(text).problems
    assert any(p.path.endswith(path) and sentence in p.sentence and p.line == line for p in found), found


def test_a_resource_without_parameters_gets_them_from_the_form():
    edit = Edit.of(resource(blue_green=None))
    assert edit.fields["conn_evict_rate_per_s"] == ""
    for name in NUMBERS:
        edit = edit.with_field(name, "7")
    assert edit.change is not None
    assert edit.change.verdict is Verdict.NEXT_RELEASE
    assert edit.change.patch["blueGreenUpdate"]["evacuationStrategy"]["connEvictRate"] == 7


def test_rebasing_keeps_the_text_and_compares_anew():
    edit = Edit.of(resource()).with_field("version", "4.4.15")
    newer = edit.rebased(resource(version="4.4.15", resource_version="1002"))
    assert newer.text == edit.text
    assert newer.change is not None
    assert newer.change.verdict is Verdict.UNCHANGED
    assert not newer.is_changed


# --- secrets -----------------------------------------------------------------------------------------------------

SECRETS = {
    "bootstrapAPIKeys": [{"key": "a", "secret": "one"}, {"key": "b", "secret": "two"}],
    "env": [{"name": "X", "value": "x1"}, {"name": "Y", "value": "y1"}],
    "plain": {"port": 1883, "password": "p"},
}


def test_what_is_left_as_shown_means_what_it_was():
    assert unmask(mask(SECRETS), SECRETS) == SECRETS


def test_items_are_found_by_name_after_a_move():
    shown = mask(SECRETS)
    moved = {**shown, "env": [{"name": "Z", "value": "new"}, shown["env"][1], shown["env"][0]]}
    assert unmask(moved, SECRETS)["env"] == [
        {"name": "Z", "value": "new"},
        {"name": "Y", "value": "y1"},
        {"name": "X", "value": "x1"},
    ]


@pytest.mark.parametrize(
    ("place", "value"),
    [("port", REDACTED), ("other", REDACTED), ("password", f"x{REDACTED}")],
)
def test_dots_where_none_stood_are_refused(place, value):
    shown = mask(SECRETS)
    with pytest.raises(Unknown) as caught:
        unmask({**shown, "plain": {**shown["plain"], place: value}}, SECRETS)
    assert caught.value.path == f"plain.{place}"


def test_a_typed_secret_replaces_the_old_one_and_is_not_shown_in_the_differences():
    edit = Edit.of(resource())
    changed = edit.with_text(edit.text.replace(REDACTED, "n3w-cookie"))
    assert changed.draft is not None
    assert changed.draft.template["spec"]["emqxContainer"]["env"][0]["value"] == "n3w-cookie"
    assert changed.change is not None
    assert "n3w-cookie" not in repr(changed.change.differences)


def test_every_field_of_the_form_has_its_place_in_the_text():
    edit = Edit.of(resource())
    for name, path in PATHS.items():
        assert f"{path[-1]}: {edit.fields[name]}" in edit.text
