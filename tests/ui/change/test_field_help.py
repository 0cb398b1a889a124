"""The words of a field's help: what is said, what is left out, and how much room it takes."""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.model.object_schema import ObjectSchema
from emqx_tui.model.owners import Owners, owner
from emqx_tui.session.inspection.questions import Answer
from emqx_tui.ui.change.field_help import field_lines
from emqx_tui.ui.text.spans import plain

NOBODY = Owners()


def answer(**schema: Any) -> Answer:
    return Answer(1, schema=ObjectSchema({"properties": {"a": schema}, "required": ["a"]}))


def shown(path: tuple[str, ...], found: Answer | None, owners: Owners = NOBODY, width: int = 80, most: int = 1):
    return [plain(part) for part in field_lines(path, found, owners, width, most)]


def owned_by(manager: str) -> Owners:
    return Owners(((owner(manager, "Update"), {"f:a": {}}),))


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"description": "What it does."}, "a  What it does. · required"),
        ({"type": "integer", "minimum": 1}, "a  no description is published · integer, 1 or more, required"),
        ({"type": "integer", "maximum": 9}, "a  no description is published · integer, 9 or less, required"),
        (
            {"type": "integer", "minimum": 0, "maximum": 9, "default": 3},
            "a  no description is published · integer, 0 to 9, default 3",
        ),
        ({"description": "D", "type": "string", "enum": ["x", "y"]}, "a  D · string, one of x, y, required"),
        ({"description": "D", "type": "array", "items": {"type": "string"}}, "a  D · list of string, required"),
    ],
)
def test_what_is_said(schema, words):
    assert shown(("a",), answer(**schema)) == [words]


def test_what_is_not_known_says_nothing_and_what_cannot_be_read_says_why():
    assert shown((), answer(description="D")) == []
    assert shown(("b",), answer(description="D")) == []
    assert shown(("a",), None) == []
    assert shown(("a",), Answer(1, problem="not allowed: x")) == ["no help for fields: not allowed: x"]


def test_an_owner_is_named_and_a_controller_that_puts_its_value_back_has_a_line_of_its_own():
    found = answer(description="D")
    assert shown(("a",), found, owned_by("kubectl-edit")) == ["a (owner: a person (kubectl-edit))  D · required"]
    assert shown(("a",), found, owned_by("helm")) == ["a (owner: Helm)  D · required"]
    assert shown(("a",), None, owned_by("helm")) == ["a (owner: Helm)"]
    reverting = "▲ owner: Argo CD; it puts its own value back by itself"
    assert shown(("a",), found, owned_by("argocd-controller")) == ["a  D · required", reverting]
    assert shown(("a", "[]", "b"), None, owned_by("argocd-controller")) == [reverting], (
        "who owns a list owns its entries"
    )


def test_a_long_description_is_cut_to_its_room():
    found = answer(description="word " * 100)
    (one,) = shown(("a",), found, width=40)
    assert (len(one), one[-1]) == (40, "…")
    two = shown(("a",), found, width=40, most=2)
    assert (len(two), two[1][-1]) == (2, "…")
