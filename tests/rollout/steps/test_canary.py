"""The canary: what it loses beyond natural churn, and never a verdict on figures that are not there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from emqx_tui.rollout.addresses import wanted_members
from emqx_tui.rollout.commands import RepairEndpoints, SwitchEndpoints
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state.journal import NodeDeath
from emqx_tui.rollout.state.observed import Canary
from emqx_tui.rollout.steps import canary
from tests.support import scenes as build
from tests.support.scenes import Scene, ago, approved, held, noted, remembered, with_place

TOP = f"{build.BLUE_NAME}-2"


def watched(s: float, *, live: int, began: int = 300, green: int = 0, others: int = 300) -> Scene:
    """The canary (node 2) began with `began` clients and has `live`; green grew to `green` in all."""
    scene = build.canary(watched_s=s)
    scene = with_place(scene, "blue", 2, live=live)
    for ordinal in (0, 1):
        scene = with_place(scene, "blue", ordinal, live=others)
    scene = with_place(scene, "green", 0, live=green)
    return remembered(scene, canary=Canary(TOP, ago(s), began, 0, 3 * began), canary_over_since=ago(1))


VERDICTS: dict[str, tuple[Scene, bool | None]] = {
    "it keeps its clients, time not over": (watched(59.0, live=300), None),
    "it keeps its clients": (watched(60.0, live=300), True),
    "it loses few": (watched(60.0, live=290), True),
    "it loses more than chance": (watched(60.0, live=289), False),
    "it loses them at once": (watched(1.0, live=0), False),
    "it loses them, and others lose as many": (watched(1.0, live=0, others=270), None),
    "it loses them, others lose as many, and the watch is over": (watched(60.0, live=0, others=270), False),
    "it loses them, and others hardly any": (watched(1.0, live=0, others=295), False),
    "it loses them, and another is not counted": (
        with_place(watched(1.0, live=0, others=270), "blue", 1, live=None),
        False,
    ),
    "it has lost them just now, and EMQX has not said yet whether somebody evacuates it": (
        remembered(watched(1.0, live=0), canary_over_since=build.NOW),
        None,
    ),
    "it lost them, and EMQX has not been asked since whether somebody evacuates it": (
        replace(watched(30.0, live=0), broker_age_s=2.0),
        None,
    ),
    "it lost them, EMQX has not been asked since, and the watch is over": (
        replace(watched(60.0, live=0), broker_age_s=2.0),
        False,
    ),
    "one percent of many": (watched(60.0, live=32_670, began=33_000, others=33_000), True),
    "more than one percent of many": (watched(60.0, live=32_669, began=33_000, others=33_000), False),
    "churn that green's growth explains": (watched(60.0, live=270, green=54), True),
    "a small node whose cut clients are back already": (watched(60.0, live=0, began=25, green=15, others=30), False),
    "a small node with churn": (watched(60.0, live=27, began=37, green=18, others=31), True),
    "losses beyond what green's growth explains": (watched(60.0, live=240, green=54), False),
}


@pytest.mark.parametrize(("scene", "passed"), VERDICTS.values(), ids=VERDICTS)
def test_the_verdict(scene: Scene, passed: bool | None) -> None:
    decision = scene.decide()
    journal = decision.journal
    assert journal is not None
    assert (journal.canary_passed_at is not None) is (passed is True)
    assert bool(journal.canary_failed) is (passed is False)


UNKNOWN: dict[str, Scene] = {
    "its count is missing": with_place(watched(600.0, live=300), "blue", 2, live=None),
    "its broker is gone": with_place(watched(600.0, live=300), "blue", 2, is_joined=False),
    "its pod is gone": build.without_place(watched(600.0, live=300), "blue", 2),
    "green is not counted": with_place(watched(600.0, live=300), "green", 1, live=None),
    "the figures are old": replace(watched(600.0, live=300), broker_age_s=11.0),
}


@pytest.mark.parametrize("scene", UNKNOWN.values(), ids=UNKNOWN)
def test_no_verdict_without_figures_however_long_it_was_watched(scene: Scene) -> None:
    decision = scene.decide()
    assert decision.journal is not None
    assert decision.journal.canary_passed_at is None
    assert decision.journal.canary_failed == ""


def test_a_loss_that_was_seen_counts_also_when_the_figures_stop() -> None:
    seen, memory = watched(30.0, live=200).decided()
    assert seen.journal is not None
    assert seen.journal.canary_failed
    blind = replace(watched(31.0, live=200), broker_age_s=60.0, memory=memory)
    assert canary.judge(blind.context()).passed is None, "EMQX may not have said yet that somebody evacuates it"
    over = replace(blind, now=blind.now + timedelta(seconds=31))
    assert canary.judge(over.context()).passed is False


def test_the_watch_begins_when_the_proxies_were_seen_to_follow() -> None:
    written = replace(build.canary(watched_s=0.0), memory=build.canary().memory)
    lagging = replace(written, slices=build.ips(written.blue))
    assert lagging.decided()[1].observations.canary is None
    begun = written.decided()[1].observations
    assert begun.canary == Canary(TOP, build.NOW, 300, 0, 900)
    assert (begun.canary_lost, begun.canary_cut) == (0, 0)


@pytest.mark.parametrize(
    ("side", "ordinal", "knobs"),
    [
        ("blue", 0, {"live": None}),
        ("green", 0, {"live": None}),
        ("blue", 2, {"own_problem": "timed out"}),
    ],
    ids=["a node of blue is not counted", "a node of green is not counted", "the canary does not answer"],
)
def test_the_watch_begins_with_whole_figures_only(side: str, ordinal: int, knobs: dict[str, Any]) -> None:
    written = replace(build.canary(watched_s=0.0), memory=build.canary().memory)
    assert with_place(written, side, ordinal, **knobs).decided()[1].observations.canary is None


def test_the_watch_goes_on_with_what_it_began_with() -> None:
    scene = watched(30.0, live=295)
    assert scene.decided()[1].observations.canary == scene.memory.observations.canary


APART: dict[str, Scene] = {
    "it is silent": with_place(watched(30.0, live=0), "blue", 2, own_problem="timed out"),
    "it is no member of EMQX": with_place(watched(30.0, live=0), "blue", 2, is_joined=False),
    "it was restarted": remembered(watched(30.0, live=0), deaths=(NodeDeath(TOP, "uid/0", 300, ago(3)),)),
    "its pod goes": with_place(watched(30.0, live=0), "blue", 2, is_deleting=True),
    "somebody evacuates it": replace(watched(30.0, live=0), foreign=(build.node_name(TOP),)),
    "somebody evacuates another": replace(watched(30.0, live=0), foreign=(build.node_name(f"{build.BLUE_NAME}-1"),)),
    "somebody rebalances the cluster": replace(watched(30.0, live=0), rebalances=1),
}


@pytest.mark.parametrize("scene", APART.values(), ids=APART)
def test_what_a_broker_loses_by_itself_is_not_the_networks_doing(scene: Scene) -> None:
    """EMQX restarts a broker that was split off; one in a pod that goes drops its clients while it still answers."""
    decision, memory = scene.decided()
    assert decision.journal
    assert (decision.journal.canary_failed, memory.observations.canary) == ("", None)
    back = replace(watched(0.0, live=0), memory=memory)
    waiting = replace(back, now=back.now + timedelta(seconds=canary.SETTLES_S - 1))
    assert waiting.decided()[1].observations.canary is None, "its count may be from before"
    settled = replace(back, now=back.now + timedelta(seconds=canary.SETTLES_S + 1))
    begun = settled.decided()[1].observations.canary
    assert begun is not None
    assert (begun.since, begun.clients) == (settled.now, 0)


def test_a_node_that_was_restarted_before_the_watch_is_watched() -> None:
    restarted = remembered(watched(30.0, live=300), deaths=(NodeDeath(TOP, "uid/0", 300, ago(31)),))
    assert restarted.decided()[1].observations.canary is not None


def test_the_watch_is_dropped_with_the_phase() -> None:
    scene = with_place(watched(30.0, live=300), "green", 1, is_ready=False)
    decision, memory = scene.decided()
    assert decision.phase is Phase.CREATING_GREEN
    assert memory.observations.canary is None
    (back,) = [c for c in decision.commands if isinstance(c, RepairEndpoints)]
    assert {a.ip for a in back.addresses} == build.ips(scene.blue)


def test_the_node_with_the_fewest_clients_goes_first_the_highest_among_equals() -> None:
    scene = build.canary()
    (switch,) = scene.commands()
    assert isinstance(switch, SwitchEndpoints)
    assert {a.ip for a in switch.addresses} == build.ips(scene.green) | {"10.0.1.0", "10.0.1.1"}
    (fewer,) = with_place(scene, "blue", 0, live=12).commands()
    assert isinstance(fewer, SwitchEndpoints)
    assert "10.0.1.0" not in {a.ip for a in fewer.addresses}


@pytest.mark.parametrize(
    ("clients", "first"),
    [((0, 300, 300), 2), ((10, 11, 300), 1), ((4, 7, 7), 2), ((0, 0, 0), 2)],
    ids=["restarted", "so few that none can be missed", "all have few: the one with most", "nobody anywhere"],
)
def test_a_node_that_could_not_fail_is_no_canary_where_another_could(clients: tuple[int, ...], first: int) -> None:
    """A canary without clients passed on a network that then cut those of all other nodes."""
    scene = build.canary()
    for ordinal, live in enumerate(clients):
        scene = with_place(scene, "blue", ordinal, live=live)
    (switch,) = scene.commands()
    assert isinstance(switch, SwitchEndpoints)
    assert build.ips(scene.blue) - {a.ip for a in switch.addresses} == {f"10.0.1.{first}"}


def test_a_node_whose_count_is_unknown_is_no_canary() -> None:
    (switch,) = with_place(build.canary(), "blue", 2, live=None).commands()
    assert isinstance(switch, SwitchEndpoints)
    assert {a.ip for a in switch.addresses} & build.ips(build.canary().blue) == {"10.0.1.0", "10.0.1.2"}


@pytest.mark.parametrize("knobs", [{"live": None}, {"is_joined": False}], ids=["none is counted", "none is listed"])
def test_no_address_leaves_where_no_node_of_blue_is_known(knobs: dict[str, Any]) -> None:
    scene = build.canary()
    for ordinal in range(3):
        scene = with_place(scene, "blue", ordinal, **knobs)
    assert wanted_members(scene.context(), Phase.CANARY) == ()
    assert not [c for c in scene.commands() if isinstance(c, SwitchEndpoints)]


def test_the_choice_does_not_hop_between_nodes_while_the_proxies_follow() -> None:
    """Counts move by a client or two between the write and the moment at which proxies are seen to use it."""
    written = replace(build.canary(watched_s=0.0), memory=build.canary().memory)
    lagging = replace(with_place(written, "blue", 0, live=299), slices=build.ips(written.blue))
    assert [c for c in lagging.commands() if isinstance(c, SwitchEndpoints)] == []
    followed, memory = with_place(written, "blue", 0, live=299).decided()
    assert memory.observations.canary is not None
    assert memory.observations.canary.pod == TOP
    assert followed.commands == ()


def test_a_failed_canary_is_put_back_and_held_with_its_evidence() -> None:
    scene = watched(20.0, live=100)
    decision = scene.decide()
    journal = decision.journal
    assert journal is not None
    assert journal.hold is not None
    assert (journal.hold.check, journal.hold.auto) == ("canary", True)
    assert "lost 200 of 300" in journal.hold.reason
    assert decision.phase is Phase.READY_TO_CUT_OVER
    (back,) = decision.commands
    assert isinstance(back, RepairEndpoints)
    assert {a.ip for a in back.addresses} >= build.ips(scene.blue)


def test_a_canary_of_one_node_leaves_green_only() -> None:
    scene = build.canary(1)
    (switch,) = scene.commands()
    assert isinstance(switch, SwitchEndpoints)
    assert {a.ip for a in switch.addresses} == build.ips(scene.green)


def alone(*, live: int, green: int) -> Scene:
    """The canary is all of blue: 900 clients when its watch began."""
    scene = with_place(with_place(build.canary(1), "blue", 0, live=live), "green", 0, live=green)
    return remembered(scene, canary=Canary(f"{build.BLUE_NAME}-0", ago(30), 900, 0, 900))


@pytest.mark.parametrize(
    ("live", "green", "cut"),
    [(900, 0, (0, 0)), (870, 30, (30, 0)), (800, 0, (100, 100)), (0, 0, (900, 900)), (910, 0, (0, 0))],
    ids=["nobody left", "as many came to green as left", "nobody came to green", "all", "more came back"],
)
def test_where_the_canary_is_all_of_blue_only_those_who_came_nowhere_are_sure(
    live: int, green: int, cut: tuple[int, int]
) -> None:
    context = alone(live=live, green=green).context()
    canary_of = context.observations.canary
    assert canary_of is not None
    found = canary.cut_by_network(context, canary_of)
    assert found is not None
    assert (found.estimate, found.at_least) == cut


def test_the_estimate_of_those_that_the_network_cut_is_more_than_what_is_sure() -> None:
    context = watched(30.0, live=200, green=30).context()
    canary_of = context.observations.canary
    assert canary_of is not None
    found = canary.cut_by_network(context, canary_of)
    assert found is not None
    assert (found.estimate, found.at_least) == (100, 91)


@pytest.mark.parametrize(
    ("watched_s", "on_green", "churn_per_min"),
    [(9.9, 27, 0.01), (10.0, 27, 0.3), (30.0, 27, 0.1), (30.0, 0, 0.0)],
    ids=["too soon to tell", "as soon as it can be told", "later", "nobody comes"],
)
def test_how_many_come_and_go_by_themselves_is_told_from_those_who_come_to_green(
    watched_s: float, on_green: int, churn_per_min: float
) -> None:
    """Of 900 clients 45 come back somewhere: green's three of five addresses get 27 of them."""
    scene = remembered(watched(watched_s, live=300, green=on_green), churn_per_min=0.01)
    assert scene.decided()[1].observations.churn_per_min == pytest.approx(churn_per_min)


@pytest.mark.parametrize(("watched_s", "passed"), [(59.0, None), (60.0, True)])
def test_what_the_canary_says_as_it_is_watched_and_when_it_has_passed(watched_s: float, passed: bool | None) -> None:
    verdict = canary.judge(watched(watched_s, live=300).context())
    evidence = f"{TOP} lost 0 of 300 clients beyond churn in {watched_s:.0f} s (limit 10)"
    assert (verdict.passed, verdict.evidence) == (passed, evidence)


@pytest.mark.parametrize("hold", [False, True], ids=["not held", "held"])
def test_the_cut_over_follows_a_passed_canary_unless_held(hold: bool) -> None:
    scene = watched(60.0, live=300)
    decision = (held(scene) if hold else scene).decide()
    assert decision.phase is Phase.CUTTING_OVER
    switches = [c for c in decision.commands if isinstance(c, SwitchEndpoints)]
    assert [{a.ip for a in c.addresses} for c in switches] == ([] if hold else [build.ips(scene.green)])


@pytest.mark.parametrize(("switched_s", "keeps_green"), [(2, True), (60, False)], ids=["just now", "a minute ago"])
def test_a_failed_canary_leaves_green_in_the_service_while_clients_land_there(
    switched_s: float, keeps_green: bool
) -> None:
    """Such a network cuts whoever is at an address that leaves: none may go before the counts know who has come."""
    scene = with_place(noted(approved(build.ready(), "cut-over"), canary_failed="lost 30"), "green", 0, live=0)
    switched = replace(scene, addresses=build.ips(scene.green) | build.ips(scene.blue, but=(2,)))
    (repair,) = remembered(switched, sent_at={"switch-endpoints": ago(switched_s)}).commands()
    assert isinstance(repair, RepairEndpoints)
    assert build.ips(scene.blue) <= {a.ip for a in repair.addresses}
    assert ("10.0.2.0" in {a.ip for a in repair.addresses}) is keeps_green


def test_late_removal_keeps_blue_addresses_that_have_clients() -> None:
    scene = noted(approved(build.ready(), "cut-over", "cut-over:late"), late_removal=True, canary_failed="lost 30")
    (switch,) = with_place(scene, "blue", 1, live=0).commands()
    assert isinstance(switch, SwitchEndpoints)
    assert {a.ip for a in switch.addresses} == build.ips(scene.green) | {"10.0.1.0", "10.0.1.2"}
    (kept,) = with_place(scene, "blue", 1, live=None).commands()
    assert isinstance(kept, SwitchEndpoints)
    assert "10.0.1.1" in {a.ip for a in kept.addresses}
