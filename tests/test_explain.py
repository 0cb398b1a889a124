"""The page of words has every word that a screen or a line uses, and no other."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path

import pytest

import emqx_tui
from emqx_tui.cli import main
from emqx_tui.explain import Entry, close_words, entries, meanings, read
from emqx_tui.rollout.checks.preflight import PREFLIGHT
from emqx_tui.rollout.decision import Outcome
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.telling.incidents import IncidentKind
from emqx_tui.session.views.cluster_facts import ClusterState
from emqx_tui.session.views.node_facts import NodeState
from tests.support import scenes

ROLLOUT = Path(emqx_tui.__file__).parent / "rollout"


def words(sort: str) -> list[str]:
    return [entry.word for entry in entries() if entry.sort == sort]


@pytest.mark.parametrize(
    ("sort", "known"),
    [
        ("Phases", Phase),
        ("States of a cluster", ClusterState),
        ("States of a node", NodeState),
        ("What happens to a node", IncidentKind),
        ("Policies", Approval),
        ("Outcomes of a check", Outcome),
    ],
)
def test_every_member_of_an_enum_is_explained(sort: str, known: type[StrEnum]) -> None:
    assert sorted(words(sort)) == sorted(map(str, known))


def test_every_pre_flight_check_is_explained_in_its_order() -> None:
    assert words("Pre-flight checks") == [check.name for check in PREFLIGHT]


def test_every_check_of_a_gate_is_explained() -> None:
    gates = (scenes.ready().decide(), scenes.draining().decide())
    assert set(words("Checks of a gate")) == {check.name for each in gates for check in each.checks}


def test_every_check_of_the_end_is_explained_in_its_order() -> None:
    assert words("Checks of the end") == [check.name for check in scenes.finishing().decide().checks]


def test_everything_that_holds_by_itself_is_explained() -> None:
    """Alarms are named where they are made, and so is the canary's hold."""
    code = "".join(path.read_text("utf-8") for path in sorted(ROLLOUT.rglob("*.py")))
    made = re.findall(r"\bAlarm\(\s*\"([a-z-]+)\"", code) + re.findall(r"auto=True, check=\"([a-z-]+)\"", code)
    assert set(words("What holds by itself")) == set(made)


def test_entries_are_sentences_and_stand_once() -> None:
    assert len({(entry.sort, entry.word) for entry in entries()}) == len(entries())
    for entry in entries():
        assert entry.text.endswith("."), entry
        assert "`" not in entry.text, entry


def test_a_page_is_read_by_its_headings() -> None:
    page = "# Title\n\nlead\n\n## Sort\nlead\n\n### a word\nOne `line`\nlong.\n\n### `other`\nTwo.\n"
    assert read(page) == (Entry("a word", "Sort", "One line long."), Entry("other", "Sort", "Two."))


@pytest.mark.parametrize("typed", ["cut-over", "CUT OVER", "cut_over"])
def test_a_word_is_found_however_it_is_spelled(typed: str) -> None:
    assert [entry.sort for entry in meanings(typed)] == ["Words", "Policies"]


def test_a_wrong_word_is_answered_with_close_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert close_words("drian")[0] == "drain"
    assert main(["explain", "drian"]) == 2
    assert "did you mean drain" in capsys.readouterr().err
    assert main(["explain", "qqqq"]) == 2
    assert "emqx-tui explain lists every word" in capsys.readouterr().err


def test_every_meaning_of_a_word_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "canary"]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("canary (")] == [
        "canary (words)",
        "canary (phases)",
        "canary (what holds by itself)",
    ]
    assert main(["explain", "canary", "-o", "json"]) == 0
    assert [found["sort"] for found in json.loads(capsys.readouterr().out)["words"]] == [
        "Words",
        "Phases",
        "What holds by itself",
    ]


def test_without_a_word_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    listed = capsys.readouterr().out
    assert all(entry.word in listed for entry in entries())
    assert max(map(len, listed.splitlines())) <= 100
