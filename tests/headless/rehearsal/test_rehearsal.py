"""What is said of a rehearsal: which fault was noticed, as what, and how late."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from emqx_tui.headless.rehearsal.rehearsal import Rehearsal, document, lines, rehearsal
from emqx_tui.headless.report.report import report
from emqx_tui.rollout.telling.flight_records import Recording, journal_fields
from tests.support import releases

JOURNAL = releases.draining().journal
assert JOURNAL is not None
BEGUN = JOURNAL.created_at


def record(event: str, after_s: float, **fields: Any) -> dict[str, Any]:
    return {"event": event, "at": (BEGUN + timedelta(seconds=after_s)).isoformat(), **fields}


def rehearsed(*records: dict[str, Any], struck: dict[str, float]) -> Rehearsal:
    """`struck` = seconds after the start, by fault; those of more than 999 had nothing to strike."""
    assert JOURNAL is not None
    release = record("release", 0.0, **json.loads(json.dumps(journal_fields(JOURNAL))))
    told: list[dict[str, Any]] = [
        {"fault": fault, "at": BEGUN.timestamp() + at, "struck": "emqx-ee-0" if at < 999 else ""}
        for fault, at in struck.items()
    ]
    told.append({"clients": 95, "disconnects": 110, "lost": 5})
    asked = [*struck, "api-down@9h+60s"]
    found = report(Recording("default", "emqx-ee", "1", (release, *records)))
    return rehearsal("default/emqx-ee", "", asked=asked, told=told, report=found, recording="/state/f.jsonl")


ALARM = {"check": "clients-missing", "evidence": "9 clients are missing"}


def test_the_first_trouble_after_a_fault_and_before_the_next_one_is_its_own() -> None:
    found = rehearsed(
        record("alarm", 10.0, **ALARM),
        record("source", 112.0, source="pods", is_ok=False, problem="reset"),
        record("alarm", 130.0, **ALARM),
        struck={"operator-restart@20s": 20.0, "green-pod-lost@100s": 100.0, "blue-pod-lost@200s": 200.0},
    )
    told = {fault["fault"]: fault["noticed_after_s"] for fault in document(found)["faults"]}
    assert told == {
        "operator-restart@20s": None,
        "green-pod-lost@100s": 12.0,
        "blue-pod-lost@200s": None,
        "api-down@9h+60s": None,
    }


def test_a_fault_is_not_noticed_by_what_comes_much_later() -> None:
    found = rehearsed(record("alarm", 400.0, **ALARM), struck={"operator-restart@20s": 20.0})
    assert document(found)["faults"][0]["noticed_as"] is None


def test_the_lines_say_what_was_noticed_and_what_was_not() -> None:
    found = rehearsed(
        record("alarm", 65.0, **ALARM),
        struck={"green-pod-lost@1m": 60.0, "rates-edited@2m": 120.0, "blue-pod-lost@3m": 1_000.0},
    )
    text = "\n".join(lines(found))
    assert "+1:00  green-pod-lost@1m (emqx-ee-0): noticed after 5 s: " in text
    assert "9 clients are missing" in text
    assert "+2:00  rates-edited@2m (emqx-ee-0): NOT NOTICED" in text
    assert "blue-pod-lost@3m: there was nothing to strike" in text
    assert "api-down@9h+60s: never struck" in text
    assert "truly 1.10" in text
    assert "truly 5" in text
    assert "/state/f.jsonl" in text


def test_without_a_release_it_says_so() -> None:
    found = rehearsal("default/emqx-ee", "prod/a/b", asked=["api-down@6m"], told=[], report=None, recording="")
    assert list(lines(found)) == [
        "REHEARSAL    default/emqx-ee on a simulated cluster, like prod/a/b",
        "result       no release was started",
        "faults       api-down@6m: never struck, it had not come to that",
    ]
    assert document(found)["result"] == "not started"
