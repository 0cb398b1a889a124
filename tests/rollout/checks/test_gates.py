"""Gates: which one waits, what it would do, and when its revision changes."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from emqx_tui.rollout.change import Rates
from emqx_tui.rollout.checks import gates
from emqx_tui.rollout.decision import Gate
from emqx_tui.rollout.gate_id import GateKind
from emqx_tui.rollout.phases import Phase
from tests.support import scenes as build
from tests.support.scenes import Scene, approved, noted, with_place

WAITING: dict[str, tuple[Scene, str | None]] = {
    "no release": (build.idle(), None),
    "starting": (build.starting(), None),
    "green boots": (build.creating(), None),
    "the delay runs": (build.waiting(), "cut-over"),
    "the delay is over": (build.ready(), "cut-over"),
    "approved: canary": (build.canary(), None),
    "the canary failed and late removal was chosen": (
        noted(approved(build.ready(), "cut-over"), late_removal=True, canary_failed="lost 30"),
        "cut-over:late",
    ),
    "cutting over": (build.cutting_over(), None),
    "nothing drained": (build.draining(), "node:2"),
    "the highest evicts": (
        with_place(approved(build.draining(), "node:2"), "blue", 2, **build.draining_place()),
        "node:1",
    ),
    "the highest is approved, not begun": (approved(build.draining(), "node:2"), None),
    "the highest is drained": (build.drained(), "node:1"),
    "one is gone": (build.draining(gone=1), "node:1"),
    "the highest goes away": (
        with_place(build.draining(gone=0), "blue", 2, is_deleting=True),
        "node:1",
    ),
    "two are gone": (build.draining(gone=2), "node:0"),
    "the next is not in EMQX's list": (with_place(build.draining(), "blue", 2, is_joined=False), "node:2"),
    "twelve nodes: by number, not by name": (build.draining(12, 1), "node:10"),
    "the last is drained": (build.drained(gone=2), None),
    "finishing": (build.finishing(), None),
    "done": (build.done(), None),
}


@pytest.mark.parametrize(("scene", "gate"), WAITING.values(), ids=WAITING)
def test_which_gate_waits(scene: Scene, gate: str | None) -> None:
    found = scene.decide().gate
    assert (str(found.id) if found else None) == gate


def gate_of(scene: Scene) -> Gate:
    gate = scene.decide().gate
    assert gate is not None
    return gate


GREEN_IPS = ["10.0.2.0", "10.0.2.1", "10.0.2.2"]


def addresses_in(command: str) -> list[str]:
    return sorted(re.findall(r"10\.0\.\d\.\d", command))


def test_the_cut_over_disconnects_nobody_and_says_where_clients_will_go() -> None:
    gate = gate_of(build.ready())
    assert (gate.kind, gate.token, gate.clients, gate.is_open) == (GateKind.CUT_OVER, "green", 0, True)
    assert [name for name, _ in gate.recipients] == [f"{build.GREEN_NAME}-{k}" for k in range(3)]
    assert gate.target == f"{build.BLUE_NAME}-2"
    assert gate.seconds == 60.0
    assert all(c.startswith("kubectl -n default patch endpoints emqx-ee --type=merge") for c in gate.commands)
    assert [addresses_in(command) for command in gate.commands] == [
        ["10.0.1.0", "10.0.1.1", *GREEN_IPS],
        GREEN_IPS,
    ]


def test_a_late_removal_is_approved_as_it_is_sent() -> None:
    gate = gate_of(build.ready(late_removal=True))
    assert [addresses_in(command) for command in gate.commands] == [["10.0.1.0", "10.0.1.1", "10.0.1.2", *GREEN_IPS]]


def test_a_node_gate_says_how_many_clients_how_long_and_with_what() -> None:
    gate = gate_of(with_place(build.draining(), "blue", 2, live=1000))
    assert (gate.kind, gate.token, gate.clients, gate.rate_per_s) == (GateKind.NODE, "2", 1000, 200)
    assert gate.seconds == 1000 / 200 + 5
    assert gate.target == f"{build.BLUE_NAME}-2"
    assert gate.recipients == tuple((f"{build.GREEN_NAME}-{k}", 0) for k in range(3))
    start, scale = gate.commands
    assert "evacuation/start" in start
    assert "--subresource=scale" in scale
    assert '{"replicas":2}' in scale
    assert not gate.is_last_way_back


def test_an_unknown_count_is_told_as_unknown() -> None:
    gate = gate_of(with_place(build.draining(), "blue", 2, live=None))
    assert (gate.clients, gate.seconds) == (None, None)


@pytest.mark.parametrize(("gone", "is_last"), [(0, False), (1, False), (2, True)])
def test_the_last_node_is_the_last_way_back(gone: int, is_last: bool) -> None:
    assert gate_of(build.draining(gone=gone)).is_last_way_back is is_last


def test_a_gate_with_a_check_that_does_not_pass_is_shut() -> None:
    assert not gate_of(build.waiting()).is_open
    assert not gate_of(replace(build.draining(), broker_age_s=60.0)).is_open


DRAINING = build.draining()
REVISED: dict[str, Scene] = {
    "other rates": noted(DRAINING, rates=Rates(50, 200, 5)),
    "another wait": noted(DRAINING, rates=Rates(200, 200, 60)),
    "a check that no longer passes": replace(DRAINING, rebalances=1),
    "another green set": noted(build.with_side(DRAINING, "green", uid="uid-green-2"), green_uid="uid-green-2"),
    "another release": noted(DRAINING, release_id="release-2"),
    "another target": noted(DRAINING, target_mark=""),
    "late removal": replace(
        noted(DRAINING, late_removal=True), addresses=DRAINING.addresses | build.ips(DRAINING.blue)
    ),
    "another node": build.draining(gone=1),
}


@pytest.mark.parametrize("scene", REVISED.values(), ids=REVISED)
def test_the_revision_changes_with_what_a_person_must_have_seen(scene: Scene) -> None:
    assert gate_of(scene).revision != gate_of(DRAINING).revision


UNREVISED: dict[str, Scene] = {
    "time passes": replace(DRAINING, now=build.NOW + build.timedelta(seconds=30)),
    "clients come and go": with_place(DRAINING, "blue", 2, live=299),
    "the operator writes its status": replace(DRAINING, resource_version="1001", status_mark="status-2"),
    "a nudge": replace(DRAINING, delay_s=1_000_000_001),
}


@pytest.mark.parametrize("scene", UNREVISED.values(), ids=UNREVISED)
def test_the_revision_stays_while_nothing_of_weight_changes(scene: Scene) -> None:
    assert gate_of(scene).revision == gate_of(DRAINING).revision


def test_a_figure_that_is_late_for_a_moment_makes_no_other_revision() -> None:
    """An open card stays good; the approval is judged by fresh figures when it arrives."""
    fresh = gates.next_gate(build.ready().context(), Phase.READY_TO_CUT_OVER)
    late = gates.next_gate(replace(build.ready(), broker_age_s=600.0).context(), Phase.READY_TO_CUT_OVER)
    assert fresh is not None
    assert late is not None
    assert fresh.is_open
    assert not late.is_open
    assert fresh.revision == late.revision


def test_the_revision_of_the_cut_over_is_that_of_its_checks() -> None:
    ready, shut = (gates.cut_over_gate(scene.context()) for scene in (build.ready(), build.creating()))
    assert ready.revision == gates.revision(build.ready().context(), "cut-over", ready.checks)
    assert shut.revision not in ("", ready.revision)
