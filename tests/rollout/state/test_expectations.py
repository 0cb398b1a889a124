"""What is awaited: commands in flight, refusals, effects that cannot be seen yet, and the operator's ack."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from emqx_tui.rollout.commands import Nudge, Scale, StartDrain, Target
from emqx_tui.rollout.state.expectations import SEEN_AFTER_S, UNSEEN_FOR_S, AckWait, Expectations
from emqx_tui.rollout.state.memory import Memory, observe
from tests.support import scenes as build
from tests.support.scenes import Scene, ago

SCALE = Scale(Target(build.NAMESPACE, build.BLUE_NAME), 3, 2)
NUDGE = Nudge(Target(build.NAMESPACE, build.NAME), 1_000_000_001)
NONE = Expectations()


def test_a_start_without_an_answer_is_remembered_until_one_comes() -> None:
    start = StartDrain("default", "p-2", "n@p-2", ("n@g-0",), build.RATES, "emqx-ee", frozenset())
    lost = (
        Expectations()
        .sent(start, build.NOW)
        .failed(start, "timed out", is_refusal=False, now=build.NOW, is_unanswered=True)
    )
    assert lost.unanswered_starts == {"p-2": build.NOW}
    assert lost.failed(start, "no", is_refusal=True, now=build.NOW).unanswered_starts == {"p-2": build.NOW}
    assert lost.succeeded(start, build.NOW).unanswered_starts == {}
    assert Expectations().failed(start, "refused", is_refusal=True, now=build.NOW).unanswered_starts == {}


def test_nudges_are_counted_by_their_reason() -> None:
    awaited = NONE
    for reason in ("repair", "repair", "another", "another", "another"):
        awaited = awaited.sent(replace(NUDGE, reason=reason), build.NOW)
    assert awaited.nudges == ("another", 3)
    assert awaited.sent(SCALE, build.NOW).nudges == ("another", 3)


def test_the_starts_that_this_console_has_sent_are_known() -> None:
    start = StartDrain("default", "p-2", "n@p-2", ("n@g-0",), build.RATES, "emqx-ee", frozenset())
    awaited = NONE.sent(start, build.NOW).sent(replace(start, pod="p-1"), build.NOW).sent(SCALE, build.NOW)
    assert awaited.starts_sent == {"p-1", "p-2"}


def test_a_command_is_in_flight_until_it_is_answered() -> None:
    awaited = NONE.sent(SCALE, build.NOW)
    assert awaited.in_flight == {SCALE.key}
    assert awaited.seconds_since_sent("scale", build.NOW + timedelta(seconds=3)) == 3.0
    assert awaited.seconds_since_sent("nudge", build.NOW) == float("inf")
    assert awaited.succeeded(SCALE, build.NOW).in_flight == frozenset()
    assert awaited.failed(SCALE, "no", is_refusal=True, now=build.NOW).in_flight == frozenset()


def test_refusals_are_counted_until_a_success() -> None:
    awaited = NONE
    for count in (1, 2, 3):
        awaited = awaited.failed(SCALE, "busy", is_refusal=True, now=build.NOW)
        assert awaited.failures[SCALE.key].count == count
    assert awaited.failures[SCALE.key].is_within(5.0, build.NOW + timedelta(seconds=4.9))
    assert not awaited.failures[SCALE.key].is_within(5.0, build.NOW + timedelta(seconds=5))
    assert awaited.succeeded(SCALE, build.NOW).failures == {}


@pytest.mark.parametrize(
    ("done_s_ago", "read_s_ago", "awaited"),
    [
        (None, 0.0, False),
        (2.0, 3.0, True),
        (2.0, 1.1, True),
        (2.0, 2.0 - SEEN_AFTER_S, False),
        (2.0, None, True),
        (UNSEEN_FOR_S + 1, None, False),
    ],
    ids=["never sent", "read before", "read too soon after", "read well after", "never read", "long ago"],
)
def test_data_from_before_a_command_say_nothing_about_it(
    done_s_ago: float | None, read_s_ago: float | None, awaited: bool
) -> None:
    known = NONE if done_s_ago is None else NONE.succeeded(SCALE, ago(done_s_ago))
    read_at = None if read_s_ago is None else ago(read_s_ago)
    assert known.is_effect_awaited(SCALE, read_at, build.NOW) is awaited


def _newer(scene: Scene) -> Scene:
    return replace(scene, resource_version="1001")


@pytest.mark.parametrize(
    ("wait", "scene", "is_awaited"),
    [
        (AckWait("1000", "status-1", ago(5), "nudge"), build.ready(), True),
        (AckWait("1000", "status-1", ago(5), "nudge"), _newer(build.ready()), True),
        (AckWait("1000", "status-0", ago(5), "nudge"), build.ready(), True),
        (AckWait("1002", "status-2", ago(5), "nudge"), build.ready(), True),
        (AckWait("999", "status-0", ago(5), "nudge"), build.ready(), False),
        (AckWait("opaque", "status-0", ago(5), "nudge"), build.ready(), False),
    ],
    ids=[
        "unchanged",
        "newer, but the same status",
        "its own version",
        "an older state of the object",
        "a newer status",
        "opaque versions",
    ],
)
def test_an_ack_is_the_first_status_write_after_the_patch(wait: AckWait, scene: Scene, is_awaited: bool) -> None:
    memory = observe(Memory(expectations=replace(NONE, ack=wait)), scene.snapshot(), scene.journal)
    assert (memory.expectations.ack is not None) is is_awaited


def test_silence_counts_from_the_first_patch_without_an_answer() -> None:
    resource = build.ready().resource()
    awaited = NONE.awaiting_ack(NUDGE, resource, ago(50)).awaiting_ack(NUDGE, resource, ago(2))
    assert awaited.ack == AckWait("1000", "status-1", ago(50), "nudge")
