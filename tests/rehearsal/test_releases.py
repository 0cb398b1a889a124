"""Whole releases in virtual time: policies, client presets, holds, freezes, other rates, and networks that reset."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from emqx_tui.model.emqx_enterprise import BlueGreenUpdate
from emqx_tui.rollout.gate_id import CUT_OVER, LATE_CUT_OVER, GateId
from emqx_tui.rollout.intents import Approve, Freeze, Hold, Intent, Resume, SetRates
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.sandbox.world.world import World
from emqx_tui.session.session import Session
from emqx_tui.session.views.view import View
from tests.support.rehearsal.rehearse import Run, Script, rehearse
from tests.support.witness import Witness


class Once:
    """Submits one intent at the first view for which `when` is true."""

    def __init__(self, when: Callable[[View], object], what: Callable[[View], Intent]) -> None:
        self.when = when
        self.what = what
        self.at: float | None = None

    def __call__(self, session: Session, view: View) -> None:
        if self.at is None and self.when(view):
            self.at = view.now.timestamp()
            session.submit(self.what(view))


def small_world(name: str = "smooth", clients: int = 900, **overrides: object) -> World:
    return scenario(name, clients=clients, churn_per_s=0.2, **overrides)


def play(world: World, script: Script, **kwargs) -> tuple[Run, Witness]:
    witness = Witness(world)
    run = rehearse(world, script, **kwargs)
    return run, witness


@pytest.mark.parametrize("approval", list(Approval))
def test_each_policy_ends_with_one_green_generation(approval: Approval) -> None:
    world = small_world()
    run, witness = play(world, Script(approval=approval), limit_s=1200)
    assert run.result == "done", run.view and run.view.log[-5:]
    assert witness.broken == []
    witness.check_ended("4.4.15")
    assert (run.truth.killed, run.truth.lost, run.truth.refused) == (0, 0, 0)
    assert run.truth.evicted <= 900
    assert [pod.rpartition("-")[2] for pod in witness.starts] == ["2", "1", "0"]


@pytest.mark.parametrize("preset", ["mqttx-default", "mqttx-persistent", "device"])
def test_a_hundred_thousand_clients_stay_within_the_promised_figures(preset: str) -> None:
    """200/s, waitTakeover 5, delay 60: drain in 1.02 of the limit, one disconnect each, none lost, sum >= 99.7 %."""
    world = scenario("smooth", clients=100_000, preset=preset)
    run, witness = play(world, Script(approval=Approval.AUTO), limit_s=1500)
    assert run.result == "done"
    assert witness.broken == []
    limit_s = 100_000 / 200 + 5
    assert run.drain_s is not None
    assert run.drain_s <= 1.02 * limit_s
    assert run.disconnects_per_client <= 1.0
    assert run.truth.lost == 0
    assert run.lowest_live >= 99_700


def test_the_ledger_agrees_with_what_really_happened() -> None:
    """The console counts from sums; the brokers know each client. Churn aside both must say the same."""
    world = scenario("smooth", clients=30_000, churn_per_s=0.0)
    ledgers: list[tuple[int, int, int]] = []

    def compare(session: Session, view: View) -> None:
        truth = world.cluster().truth
        ledger = view.ledger
        if ledger.evicted and ledger.missing is not None:
            ledgers.append(
                (ledger.evicted - truth.since_mark().evicted, ledger.missing - truth.offline, ledger.evicted)
            )

    run, _ = play(world, Script(approval=Approval.AUTO, act=compare), limit_s=1500)
    assert run.result == "done"
    assert len(ledgers) > 50
    # The figures come from a 2 s sampler: at 200/s they may be behind by two ticks of evictions.
    assert max(abs(wrong) for wrong, _, _ in ledgers) <= 600
    assert max(abs(wrong) for _, wrong, _ in ledgers) <= 600
    assert run.view is not None
    assert run.view.journal is not None
    assert run.view.journal.totals.evicted == run.truth.evicted == 30_000
    assert run.view.journal.totals.killed == 0


def test_parallel_drains_share_the_time() -> None:
    one, _ = play(small_world(clients=6000), Script(approval=Approval.AUTO), limit_s=1500)
    three, witness = play(small_world(clients=6000), Script(approval=Approval.AUTO, parallel_drains=3), limit_s=1500)
    assert (one.result, three.result) == ("done", "done")
    assert witness.broken == []
    assert one.drain_s is not None
    assert three.drain_s is not None
    assert three.drain_s < one.drain_s / 2


def test_a_hold_stops_the_next_step_and_not_the_running_drain() -> None:
    world = small_world(clients=3000)
    hold = Once(_is_draining, lambda view: Hold("person"))
    ends = lambda view: hold.at is not None and view.now.timestamp() - hold.at > 300  # noqa: E731
    run, witness = play(world, Script(approval=Approval.AUTO, act=hold, ends=ends), limit_s=2000)
    assert run.result == "held"
    assert witness.starts == [world_blue(world, 2)]
    assert witness.scales == []
    assert run.view is not None
    assert [m.live_connections for m in run.view.snapshot.blue.members if m.ordinal == 2] == [0]


def test_a_resumed_hold_goes_on_to_the_end() -> None:
    world = small_world(clients=3000)
    hold = Once(_is_draining, lambda view: Hold("person"))
    resume = Once(lambda view: _held_for(view, 60), lambda view: Resume("person"))
    run, witness = play(world, Script(approval=Approval.AUTO, act=both(hold, resume)), limit_s=2000)
    assert run.result == "done"
    assert witness.broken == []
    assert run.truth.killed == 0


def test_a_freeze_stops_the_drain_and_keeps_its_clients() -> None:
    world = small_world(clients=6000)
    freeze = Once(_is_draining, lambda view: Freeze("person"))
    ends = lambda view: freeze.at is not None and view.now.timestamp() - freeze.at > 120  # noqa: E731
    run, witness = play(world, Script(approval=Approval.AUTO, act=freeze, ends=ends), limit_s=2000)
    assert run.result == "held"
    cluster = world.cluster()
    assert all(node.evacuation is None for node in cluster.nodes.values())
    assert run.truth.evicted < 1500
    assert witness.broken == []


def test_other_rates_are_used_at_once() -> None:
    world = small_world(clients=9000)
    slower = Once(_is_draining, lambda view: SetRates("person", 50, 60))
    seen: set[int] = set()

    def look(session: Session, view: View) -> None:
        slower(session, view)
        status = view.snapshot.evacuations.value
        seen.update(e.conn_evict_rate_per_s for e in status.evacuations if status) if status else None

    run, witness = play(world, Script(approval=Approval.AUTO, act=look), limit_s=2000)
    assert run.result == "done"
    assert witness.broken == []
    assert seen == {200, 50}
    assert world.store.get("emqxenterprises", "default", "emqx-ee")["spec"]["blueGreenUpdate"][
        "evacuationStrategy"
    ] == {
        "waitTakeover": 5,
        "connEvictRate": 200,
        "sessEvictRate": 200,
    }


def test_a_network_that_resets_connections_is_found_by_the_canary() -> None:
    """Only the canary's clients pay; resuming goes on with late removal, after an approval of its own."""
    world = small_world("network-resets", clients=900, preset="device")
    script = Script(approval=Approval.EVERY_NODE, ends=lambda view: bool(view.journal and view.journal.hold))
    run, witness = play(world, script, limit_s=1200)
    assert run.result == "held"
    assert run.view is not None
    assert run.view.journal is not None
    assert run.view.journal.hold is not None
    assert run.view.journal.hold.check == "canary"
    assert witness.broken == []
    assert run.truth.reset <= 300


def test_late_removal_ends_well_on_such_a_network() -> None:
    world = small_world("network-resets", clients=900, preset="device")
    run, witness = play(world, Script(approval=Approval.EVERY_NODE, resume_after_s=20), limit_s=2000)
    assert run.result == "done"
    assert witness.broken == []
    witness.check_ended("4.4.15")
    assert run.truth.reset <= 300
    assert run.truth.lost == 0
    assert run.view is not None
    assert run.view.journal is not None
    assert run.view.journal.is_approved(LATE_CUT_OVER)


def test_a_green_pod_that_never_comes_up_holds_and_can_be_left() -> None:
    world = small_world("green-never-ready")
    script = Script(approval=Approval.AUTO, ends=lambda view: bool(view.journal and view.journal.hold))
    run, witness = play(world, script, limit_s=1200)
    assert run.result == "held"
    assert run.view is not None
    assert run.view.journal is not None
    assert run.view.journal.hold is not None
    assert run.view.journal.hold.check == "green-not-ready"
    assert run.duration_s is not None
    assert 300 <= run.duration_s <= 330
    assert witness.broken == []
    assert run.truth.disconnects == 0


def test_a_lost_green_node_is_survived() -> None:
    world = small_world("node-lost", clients=9000)
    run, witness = play(world, Script(approval=Approval.AUTO, resume_after_s=30), limit_s=2500)
    assert run.result == "done"
    assert witness.broken == []
    witness.check_ended("4.4.15")
    assert run.view is not None
    assert run.view.journal is not None
    assert abs(run.view.journal.totals.killed - run.truth.killed) <= 400


def test_approve_the_next_two_covers_two_nodes() -> None:
    world = small_world()
    approve = Once(
        lambda view: view.decision.gate and view.decision.gate.id == GateId.node(2) and view.decision.gate.is_open,
        lambda view: Approve(GateId.node(2), view.decision.gate.revision, "person", count=2),
    )
    ends = lambda view: bool(view.decision.gate and view.decision.gate.id == GateId.node(0))  # noqa: E731
    run, witness = play(
        world, Script(approval=Approval.EVERY_NODE, think_s=1e6, act=both(_cut_over, approve), ends=ends)
    )
    assert run.result == "waiting"
    assert [pod.rpartition("-")[2] for pod in witness.starts] == ["2", "1"]
    assert witness.broken == []


def test_the_users_own_delay_comes_back_even_when_it_was_absent() -> None:
    from emqx_tui.sandbox.world.scenario import manifest

    cr = manifest()
    del cr["spec"]["blueGreenUpdate"]["initialDelaySeconds"]
    world = scenario("smooth", clients=300, churn_per_s=0.0, cr=cr)
    run, witness = play(world, Script(approval=Approval.AUTO), limit_s=1200)
    assert run.result == "done"
    stored = world.store.get("emqxenterprises", "default", "emqx-ee")["spec"]["blueGreenUpdate"]
    assert "initialDelaySeconds" not in stored
    assert witness.broken == []


def test_other_parameters_go_into_the_one_patch() -> None:
    world = small_world()
    parameters = BlueGreenUpdate(10, 3, 100, 100)
    run, witness = play(world, Script(approval=Approval.AUTO, blue_green=parameters), limit_s=1200)
    assert run.result == "done"
    assert witness.broken == []
    witness.check_ended("4.4.15", delay_s=10)


def _is_draining(view: View) -> bool:
    status = view.snapshot.evacuations.value
    return view.decision.phase is Phase.DRAINING and bool(status and status.evacuations)


def _held_for(view: View, seconds: float) -> bool:
    hold = view.journal.hold if view.journal else None
    return hold is not None and (view.now - hold.at).total_seconds() > seconds


def _cut_over(session: Session, view: View) -> None:
    gate = view.decision.gate
    if gate is not None and gate.id == CUT_OVER and gate.is_open:
        session.submit(Approve(gate.id, gate.revision, "person"))


def both(*acts: Callable[[Session, View], None]) -> Callable[[Session, View], None]:
    def act(session: Session, view: View) -> None:
        for each in acts:
            each(session, view)

    return act


def world_blue(world: World, ordinal: int) -> str:
    blue = min(world.store.list("statefulsets", "default"), key=lambda s: s["metadata"]["creationTimestamp"])
    return f"{blue['metadata']['name']}-{ordinal}"


def test_a_valve_that_somebody_opens_is_closed_again_and_held() -> None:
    """During the delay nothing can be cut off yet: the valve is closed within a second, and a person has to look."""
    world = small_world()
    witness = Witness(world)
    opened: list[float] = []
    delays: list[tuple[float, int]] = []

    def watch(event: str, plural: str, obj: dict) -> None:
        if plural == "emqxenterprises":
            delays.append((world.now, obj["spec"]["blueGreenUpdate"].get("initialDelaySeconds", 0)))

    world.store.subscribe(watch)

    def act(session: Session, view: View) -> None:
        if not opened and view.decision.phase is Phase.WAITING_DELAY:
            opened.append(world.now)
            spec = {"spec": {"blueGreenUpdate": {"initialDelaySeconds": 60}}}
            path = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee"
            world.api.request("PATCH", path, {}, spec, "application/merge-patch+json")

    ends = lambda view: bool(opened) and world.now - opened[0] > 100  # noqa: E731
    run = rehearse(world, Script(approval=Approval.AUTO, act=act, ends=ends), limit_s=900)
    assert run.result == "held"
    closed = [at for at, delay in delays if at > opened[0] and delay >= 1_000_000_000]
    assert closed
    assert closed[0] - opened[0] <= 1.0
    assert run.view is not None
    assert run.view.journal is not None
    assert run.view.journal.hold is not None
    assert run.view.journal.hold.check == "valve-open"
    assert witness.starts == []
    assert run.truth.disconnects == 0


def test_natural_churn_does_not_hide_in_the_ledger() -> None:
    """Nodes that wait lose clients to green by themselves; that must make neither missing nor returned clients."""
    world = scenario("smooth", clients=30_000, churn_per_s=50.0)
    wrong: list[int] = []

    def compare(session: Session, view: View) -> None:
        ledger, truth = view.ledger, world.cluster().truth
        if ledger.missing is not None and (ledger.evicted or 0) > 2000:
            wrong.append(ledger.missing - truth.offline)

    run, _ = play(world, Script(approval=Approval.AUTO, act=compare), limit_s=1500)
    assert run.result == "done"
    assert len(wrong) > 50
    # Two ticks of evictions by the 2 s sampler, and as long a stretch of churn.
    assert max(map(abs, wrong)) <= 600


def test_ports_that_the_service_lost_as_the_operator_began_to_hold_come_back() -> None:
    """A failed listener call in the operator's last full pass takes 1883 away; nobody but us can bring it back then."""
    world = small_world()
    struck: list[float] = []
    path = "/api/v1/namespaces/default/services/emqx-ee"
    before = world.store.get("services", "default", "emqx-ee")["spec"]["ports"]

    def act(session: Session, view: View) -> None:
        if not struck and view.decision.phase is Phase.WAITING_DELAY:
            struck.append(world.now)
            for where, body in (
                (path, {"spec": {"ports": [p for p in before if p["port"] != 1883]}}),
                (path.replace("services", "endpoints"), {"subsets": _without(world, 1883)}),
            ):
                world.api.request("PATCH", where, {}, body, "application/merge-patch+json")

    run, witness = play(world, Script(approval=Approval.AUTO, act=act), limit_s=1200)
    assert run.result == "done"
    assert struck
    assert witness.broken == []
    after = {p["port"]: p for p in world.store.get("services", "default", "emqx-ee")["spec"]["ports"]}
    assert after == {p["port"]: p for p in before}
    assert run.truth.lost == 0


def _without(world: World, port: int) -> list[dict]:
    subsets = world.store.get("endpoints", "default", "emqx-ee")["subsets"]
    return [{**s, "ports": [p for p in s["ports"] if p["port"] != port]} for s in subsets]
