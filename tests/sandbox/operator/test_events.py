"""The Event correlator: merging, counting, and the budget per object."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import pytest

from emqx_tui.sandbox.controllers.event_recorder import MERGED_PREFIX, EventRecorder
from emqx_tui.sandbox.controllers.informer import Informer
from emqx_tui.sandbox.kube.resources import standard_resources
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.timeline import Timeline

CR = {
    "apiVersion": "apps.emqx.io/v1beta4",
    "kind": "EmqxEnterprise",
    "metadata": {"name": "emqx-ee", "namespace": "default", "uid": "u", "resourceVersion": "1"},
}


class Bench:
    def __init__(self) -> None:
        self.timeline = Timeline(1_000_000.0)
        self.store = Store(self.timeline, random.Random(1))
        for resource in standard_resources():
            self.store.register(resource)
        self.writes = 0
        Informer(self.store).on("events", lambda event_type, event: self._count())
        self.recorder = EventRecorder(self.store, self.timeline, "emqx-controller", deque())

    def _count(self) -> None:
        self.writes += 1

    def say(self, message: str, reason: str = "Evacuate", cr: dict[str, Any] = CR) -> None:
        self.recorder.event(cr, "Normal", reason, message)

    @property
    def events(self) -> dict[str, int]:
        return {event["message"]: event["count"] for event in self.store.list("events")}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_equal_events_are_counted_in_one_object(bench: Bench) -> None:
    for _ in range(3):
        bench.say("Delay 5 seconds")
        bench.timeline.run_until(bench.timeline.now + 20)
    (event,) = bench.store.list("events")
    assert event["count"] == 3
    assert event["firstTimestamp"] == "1970-01-12T13:46:40Z"
    assert event["lastTimestamp"] == "1970-01-12T13:47:20Z"
    assert event["source"] == {"component": "emqx-controller"}
    assert event["involvedObject"]["uid"] == "u"


def test_from_the_tenth_different_message_on_they_are_merged(bench: Bench) -> None:
    for number in range(12):
        bench.say(f"Delay {number} seconds")
    assert len(bench.events) == 10
    assert bench.events[MERGED_PREFIX + "Delay 11 seconds"] == 3


def test_ten_quiet_minutes_end_the_merging(bench: Bench) -> None:
    for number in range(10):
        bench.say(f"Delay {number} seconds")
    bench.timeline.run_until(bench.timeline.now + 601)
    bench.say("Delay 99 seconds")
    assert "Delay 99 seconds" in bench.events


def test_another_reason_is_another_aggregate(bench: Bench) -> None:
    for number in range(10):
        bench.say(f"Delay {number} seconds")
    bench.say("failed", reason="ReconcileError")
    assert bench.events["failed"] == 1


def test_the_budget_is_25_and_then_one_in_five_minutes(bench: Bench) -> None:
    for _ in range(40):
        bench.say("again")
    assert bench.writes == 25
    bench.timeline.run_until(bench.timeline.now + 299)
    bench.say("again")
    assert bench.writes == 25
    bench.timeline.run_until(bench.timeline.now + 2)
    bench.say("again")
    assert bench.writes == 26
    assert bench.events["again"] == 42, "what was dropped still counts"


def test_the_budget_is_per_object(bench: Bench) -> None:
    other = {**CR, "metadata": {**CR["metadata"], "name": "other", "uid": "v"}}
    for _ in range(30):
        bench.say("again")
    bench.say("again", cr=other)
    assert bench.writes == 26


def test_every_report_is_kept_whatever_becomes_of_the_event(bench: Bench) -> None:
    reports: deque[Any] = deque()
    recorder = EventRecorder(bench.store, bench.timeline, "emqx-controller", reports)
    for _ in range(40):
        recorder.event(CR, "Normal", "Evacuate", "again")
    assert len(reports) == 40
