"""A release in the flight log: what a session writes of its journal is what a report reads."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from emqx_tui.model.series import Sample
from emqx_tui.model.wire import Malformed
from emqx_tui.rollout.state.journal import Journal, Totals
from emqx_tui.rollout.telling.flight_records import journal_fields, journal_of, sample_of
from tests.support import scenes
from tests.support.scenes import ago

POD = f"{scenes.BLUE_NAME}-2"
JOURNAL = scenes.journal(
    starts={POD: ago(20)},
    acknowledged_by={"clients-missing": "ann@host"},
    totals=Totals(sessions_left={POD: 4}, baseline={POD: 310}, initial={POD: 305}, initial_back={POD: 7}),
)


def told(journal: Journal) -> dict[str, Any]:
    return json.loads(json.dumps(journal_fields(journal), default=str))


def test_a_journal_comes_back_without_its_templates() -> None:
    bare = replace(JOURNAL, patch={}, originals=replace(JOURNAL.originals, template={}))
    assert journal_of(told(JOURNAL)["journal"]) == bare


def test_what_the_patch_changes_is_told_with_what_was_there_before() -> None:
    assert told(JOURNAL)["changes"] == [["spec.template.spec.emqxContainer.image.version", "4.4.14", "4.4.15"]]
    added = replace(JOURNAL, patch={"spec": {"nodeSelector": {"disk": "ssd"}}})
    assert told(added)["changes"] == [["spec.template.spec.nodeSelector.disk", None, "ssd"]]


@pytest.mark.parametrize("pods", ["starts", "sessions_left", "baseline", "initial", "initial_back"])
def test_names_of_pods_are_no_keys(pods: str) -> None:
    fields = told(JOURNAL)["journal"]
    found = fields[pods] if pods in fields else fields["totals"][pods]
    assert [name for name, _ in found] == [POD]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        (None, "journal"),
        ({"totals": []}, "journal.totals"),
        ({"totals": {"baseline": [1]}}, "journal.totals.baseline"),
        ({"totals": {}, "starts": 1}, "journal.starts"),
    ],
)
def test_what_is_no_journal_is_said_with_its_place(fields: Any, path: str) -> None:
    with pytest.raises(Malformed, match=rf"^{path}: "):
        journal_of(fields)


COUNT = {"at": "2026-01-01T12:00:00+00:00", "blue": 3, "green": None, "nodes": [["a-0", 3]]}


def test_a_count_is_read_and_one_from_before_others_were_counted_has_none() -> None:
    assert sample_of(COUNT) == Sample(scenes.NOW, 3, None, {"a-0": 3}, 0)
    assert sample_of({**COUNT, "other": 4}).other == 4


@pytest.mark.parametrize(
    "wrong", [{"at": "2026-01-01T12:00:00"}, {"blue": -1}, {"blue": True}, {"nodes": [["a-0", "3"]]}], ids=str
)
def test_what_is_no_count_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not a count|without a zone"):
        sample_of({**COUNT, **wrong})
