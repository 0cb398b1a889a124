"""The end: reset, second full pass, delay; the delay never a moment too early."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emqx_tui.rollout.commands import CloseValve, Nudge, RestoreDelay
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state.expectations import AckWait, Expectations
from emqx_tui.rollout.state.memory import observe
from tests.support import scenes as build
from tests.support.scenes import Scene, ago, held, noted, remembered, with_place, with_side

ACK = AckWait("1000", "status-1", ago(3), "nudge")
GONE, RESET = build.finishing(), build.finishing(is_reset=True)
PASSED = build.second_pass_done(RESET)
DONE = build.done()


def sent(scene: Scene) -> list[str]:
    return [c.name for c in scene.commands()]


def repaired(ago_s: float) -> Scene:
    """The second pass is done, a green node is not Ready, and a nudge for it was answered so long ago."""
    unready = with_place(PASSED, "green", 0, is_ready=False)
    return remembered(unready, sent_at={"nudge": ago(ago_s)}, done_at={("nudge", "nudge"): ago(ago_s)})


TABLE: dict[str, tuple[Scene, list[str]]] = {
    "blue's last pod is still going": (
        with_place(with_side(build.draining(gone=2), "blue", replicas=0), "blue", 0, is_deleting=True),
        [],
    ),
    "blue is gone: let the operator see it": (GONE, ["nudge"]),
    "nudged a moment ago": (remembered(GONE, sent_at={"nudge": ago(1.5)}), []),
    "nudged while held: it is protective": (held(GONE), ["nudge"]),
    "reset seen just now: gates need their time": (remembered(RESET, reset_seen_at=ago(2.4)), []),
    "reset seen: the second pass": (remembered(RESET, reset_seen_at=ago(2.5)), ["nudge"]),
    "reset seen by a console that was started anew": (remembered(RESET, reset_seen_at=None), []),
    "the first pass's nudge does not count for the second": (
        remembered(RESET, reset_seen_at=ago(10), sent_at={"nudge": ago(11)}, done_at={("nudge", "nudge"): ago(7)}),
        ["nudge"],
    ),
    "second pass asked for, its nudge is in flight": (
        remembered(RESET, sent_at={"nudge": ago(0.1)}, in_flight=frozenset({"nudge"})),
        [],
    ),
    "second pass asked for, its nudge was refused": (
        remembered(RESET, sent_at={"nudge": ago(3)}, done_at={("nudge", "nudge"): ago(30)}),
        ["nudge"],
    ),
    "second pass asked for, not answered": (remembered(PASSED, ack=ACK, sent_at={"nudge": ago(1)}), []),
    "second pass done": (PASSED, ["restore-delay"]),
    "second pass done, while held": (held(PASSED), ["restore-delay"]),
    "second pass done, blue is still listed": (
        replace(PASSED, addresses=PASSED.addresses | {"10.0.1.0"}),
        ["nudge"],
    ),
    "second pass done, a green node is not Ready": (with_place(PASSED, "green", 0, is_ready=False), ["nudge"]),
    "repaired by a pass a moment ago: it needs its time": (repaired(4.9), []),
    "repaired by a pass in vain": (repaired(5.0), ["nudge"]),
    "second pass done, a third set: no pass would remove it": (replace(PASSED, third=build.third()), []),
    "second pass done, the object asks for another template": (replace(PASSED, template="other"), []),
    "second pass done, the watches are old": (replace(PASSED, kube_age_s=91.0), []),
    "the status came back": (replace(PASSED, has_status=True, started_ago_s=5.0), ["nudge"]),
    "the delay is back": (DONE, []),
    "the delay is back, Running is not said yet": (replace(DONE, is_running=False), []),
    "somebody opened the valve before the reset": (replace(GONE, delay_s=0), ["close-valve"]),
    "somebody opened the valve after the reset: nothing is left to hold": (replace(RESET, delay_s=0), []),
}


@pytest.mark.parametrize(("scene", "expected"), TABLE.values(), ids=TABLE)
def test_what_is_sent_at_the_end(scene: Scene, expected: list[str]) -> None:
    assert sent(scene) == expected


@pytest.mark.parametrize(
    ("absent", "delay_s"), [(False, build.USER_DELAY_S), (True, None)], ids=["given before", "absent before"]
)
def test_the_users_own_delay_comes_back_as_it_was(absent: bool, delay_s: int | None) -> None:
    assert PASSED.journal is not None
    originals = replace(PASSED.journal.originals, delay_was_absent=absent)
    (command,) = noted(PASSED, originals=originals).commands()
    assert isinstance(command, RestoreDelay)
    assert command.delay_s == delay_s
    assert command.target.resource_version == "1000"


NOT_DONE: dict[str, Scene] = {
    "the valve is closed": PASSED,
    "the status is not reset": replace(DONE, has_status=True),
    "the operator does not say Running": replace(DONE, is_running=False),
    "a green node is away": with_place(DONE, "green", 0, is_joined=False),
    "a green node is not Ready": with_place(DONE, "green", 0, is_ready=False),
    "blue is still listed": replace(DONE, addresses=DONE.addresses | {"10.0.1.0"}),
    "a green node is not listed": replace(DONE, addresses=frozenset({"10.0.2.0"})),
    "a node port changed": replace(
        DONE, service_ports=(replace(build.SERVICE_PORTS[0], node_port=1), *build.SERVICE_PORTS[1:])
    ),
    "a third set": replace(DONE, third=build.third()),
    "the object asks for another template": replace(DONE, template="other"),
    "the listener Service is gone": replace(DONE, has_service=False),
}


@pytest.mark.parametrize(
    ("scene", "reason"),
    [
        (GONE, "let the operator see that one set is left"),
        (remembered(RESET, reset_seen_at=ago(2.5)), "second full pass: gates, then addresses"),
        (repaired(5.0), "repair by a full pass"),
        (replace(GONE, green=None), "the StatefulSet that is to stay is gone: let the operator build it"),
    ],
)
def test_a_nudge_says_why(scene: Scene, reason: str) -> None:
    (command,) = scene.commands()
    assert isinstance(command, Nudge)
    assert command.reason == reason


@pytest.mark.parametrize("scene", NOT_DONE.values(), ids=NOT_DONE)
def test_not_done_while_anything_is_left(scene: Scene) -> None:
    decision = scene.decide()
    assert decision.phase is Phase.FINISHING
    assert decision.finished == ""


def test_done_when_the_close_out_is_clean() -> None:
    decision = DONE.decide()
    assert (decision.phase, decision.finished, decision.commands) == (Phase.DONE, "done", ())
    assert decision.journal is not None
    assert decision.journal.totals.finished_at == build.NOW
    assert {c.outcome for c in decision.checks} == {"pass"}
    assert [c.name for c in decision.checks] == [
        "template",
        "one-set",
        "status-reset",
        "generation-complete",
        "addresses",
        "delay-restored",
        "running",
        "ports",
    ]


def test_a_port_that_is_missing_at_the_end_is_told_by_its_name_or_number() -> None:
    assert DONE.journal is not None
    originals = replace(DONE.journal.originals, service_ports=(("", 8883, "TCP", "8883", 0),))
    evidence = {check.name: check.evidence for check in noted(DONE, originals=originals).decide().checks}
    assert evidence["ports"] == "port 8883 is missing"
    named = replace(originals, service_ports=(("mqtts", 8883, "TCP", "8883", 0),))
    evidence = {check.name: check.evidence for check in noted(DONE, originals=named).decide().checks}
    assert evidence["ports"] == "port mqtts is missing"


def test_a_delay_that_somebody_else_has_set_at_the_end_is_theirs() -> None:
    """Nothing is left to hold; waiting for the old value would never end."""
    decision = replace(DONE, delay_s=5).decide()
    assert decision.finished == "done"
    assert "initialDelaySeconds = 5: somebody else set it, it was 60" in [c.evidence for c in decision.checks]


def test_the_whole_end_in_order_as_the_operator_answers() -> None:
    """Nudge, reset, nudge, ack, delay: each only when the one before was seen."""
    (first,) = GONE.commands()
    assert isinstance(first, Nudge)
    nudged = replace(GONE.memory, expectations=Expectations().sent(first, ago(2)).succeeded(first, ago(2)))
    scene = replace(RESET, memory=observe(nudged, RESET.snapshot(), RESET.journal))
    assert scene.memory.observations.reset_seen_at == build.NOW
    later = replace(scene, now=build.NOW + build.timedelta(seconds=2.6))
    (second,) = later.commands()
    assert isinstance(second, Nudge)
    at = later.now
    awaited = scene.memory.expectations.sent(second, at).succeeded(second, at)
    answered = replace(scene.memory, expectations=awaited.awaiting_ack(second, later.resource(), at))
    assert sent(replace(later, memory=answered)) == []
    acked = replace(later, memory=answered, status_mark="status-2", resource_version="1001")
    assert sent(acked) == ["restore-delay"]


def test_closing_a_valve_takes_a_closed_value() -> None:
    (command,) = replace(GONE, delay_s=0).commands()
    assert isinstance(command, CloseValve)
    assert command.valve_s == 1_000_000_000
