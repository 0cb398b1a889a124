"""Which set is blue and which is green: by UID, whatever the names, the sizes and the order say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from emqx_tui.model.containers import Container, PodCondition
from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.evacuation import Evacuation, EvacuationState, EvictionStatus, GlobalStatus
from emqx_tui.model.kube_object import Meta
from emqx_tui.model.nodes import EmqxNode, NodeStats
from emqx_tui.model.reading import Reading
from emqx_tui.model.snapshot import Colour, Snapshot
from emqx_tui.model.workloads import Pod, StatefulSet

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def meta(name: str, uid: str, *, owner: str = "", age_s: float = 100.0, deleting: bool = False) -> Meta:
    return Meta("default", name, uid, "1", NOW - timedelta(seconds=age_s), deleting, 1, (), owner)


def a_set(name: str, uid: str, *, replicas: int = 1, age_s: float = 100.0, owner: str = "cr") -> StatefulSet:
    image = "emqx/emqx-ee:4.4.14"
    return StatefulSet(
        meta(name, uid, owner=owner, age_s=age_s), replicas, replicas, replicas, replicas, 1, "r", "r", image
    )


def a_pod(name: str, set_uid: str, *, deleting: bool = False, ip: str = "10.0.0.1", ready: bool = True) -> Pod:
    made = meta(name, f"uid-{name}", owner=set_uid, deleting=deleting)
    return Pod(made, "Running", ip, "worker", ready, ready, True, "", 0)


RESOURCE = EmqxEnterprise.from_json({"metadata": {"name": "emqx-ee", "namespace": "default", "uid": "cr"}})


def seen(*sets: StatefulSet, pods: tuple[Pod, ...] = (), blue_uid: str = "blue", **parts: object) -> Snapshot:
    return Snapshot(
        NOW,
        "default",
        "emqx-ee",
        resource=Reading(RESOURCE, NOW),
        stateful_sets=Reading(sets, NOW),
        pods=Reading(pods, NOW),
        blue_uid=blue_uid,
        **parts,  # type: ignore[arg-type]
    )


BLUE, GREEN = a_set("x-old", "blue", age_s=500.0), a_set("x-new", "green", age_s=50.0)


def colours(snapshot: Snapshot) -> dict[str, Colour]:
    return {g.stateful_set.name: g.colour for g in snapshot.generations}


def test_blue_is_the_set_of_the_plan_and_green_the_newest_other() -> None:
    snapshot = seen(GREEN, BLUE)
    assert colours(snapshot) == {"x-old": Colour.BLUE, "x-new": Colour.GREEN}
    assert [g.colour for g in snapshot.generations] == [Colour.BLUE, Colour.GREEN]


@pytest.mark.parametrize("sizes", [(3, 1), (1, 3), (0, 3)], ids=["blue larger", "green larger", "blue at 0"])
def test_colours_do_not_depend_on_sizes(sizes: tuple[int, int]) -> None:
    snapshot = seen(replace(BLUE, replicas=sizes[0]), replace(GREEN, replicas=sizes[1]))
    assert snapshot.blue is not None
    assert snapshot.green is not None
    assert (snapshot.blue.stateful_set.meta.uid, snapshot.green.stateful_set.meta.uid) == ("blue", "green")


def test_colours_do_not_depend_on_age_even_when_blue_is_the_younger_set() -> None:
    young_blue = a_set("x-old", "blue", age_s=1.0)
    assert colours(seen(young_blue, GREEN)) == {"x-old": Colour.BLUE, "x-new": Colour.GREEN}


def test_outside_a_release_nothing_has_a_colour() -> None:
    snapshot = seen(BLUE, blue_uid="")
    assert colours(snapshot) == {"x-old": Colour.NONE}
    assert snapshot.blue is None
    assert snapshot.green is None
    assert snapshot.third_sets == ()


def test_a_third_set_does_not_take_greens_place_once_green_is_known() -> None:
    third = a_set("x-third", "third", age_s=1.0)
    snapshot = replace(seen(BLUE, GREEN, third), green_uid="green")
    assert colours(snapshot) == {"x-old": Colour.BLUE, "x-new": Colour.GREEN, "x-third": Colour.NONE}
    assert snapshot.third_sets == ("x-third",)


def test_a_green_set_that_was_deleted_and_made_anew_is_green_again() -> None:
    again = a_set("x-new", "green-2", age_s=1.0)
    assert colours(replace(seen(BLUE, again), green_uid="green")) == {"x-old": Colour.BLUE, "x-new": Colour.GREEN}


def test_old_sets_at_zero_are_not_seen() -> None:
    relic = a_set("x-relic", "relic", replicas=0, age_s=5.0)
    assert colours(seen(BLUE, GREEN, relic)) == {"x-old": Colour.BLUE, "x-new": Colour.GREEN}


def test_a_re_created_set_of_blues_name_is_not_blue() -> None:
    snapshot = seen(a_set("x-old", "other-uid"))
    assert snapshot.blue is None
    assert colours(snapshot) == {"x-old": Colour.GREEN}


def test_sets_of_other_owners_are_not_ours() -> None:
    assert colours(seen(BLUE, a_set("y", "y", owner="somebody"))) == {"x-old": Colour.BLUE}


def test_blue_at_zero_is_still_told_and_has_no_members() -> None:
    snapshot = seen(replace(BLUE, replicas=0), GREEN)
    assert snapshot.blue is not None
    assert (snapshot.blue.replicas, snapshot.blue.members, snapshot.blue.live_connections) == (0, (), 0)


def test_members_join_pod_node_counts_and_evacuation() -> None:
    node = "x@x-old-0.x-headless.default.svc"
    evacuation = Evacuation(node, EvacuationState.EVICTING_CONNS, 200, 200, (), 10, 7, 0, 0)
    snapshot = seen(
        BLUE,
        pods=(a_pod("x-old-0", "blue"),),
        nodes=Reading((EmqxNode(node, "4.4.14"),), NOW),
        stats=Reading({node: NodeStats(7, 9)}, NOW),
        evacuations=Reading(GlobalStatus((evacuation,), 0), NOW),
    )
    (member,) = snapshot.members
    assert (member.colour, member.live_connections, member.sessions) == (Colour.BLUE, 7, 9)
    assert member.evacuation is evacuation
    assert member.is_running
    assert not member.accepts_clients
    assert not member.is_drained


@pytest.mark.parametrize(
    ("pod", "joined", "accepts"),
    [
        (a_pod("x-old-0", "blue"), True, True),
        (a_pod("x-old-0", "blue", ip=""), True, False),
        (a_pod("x-old-0", "blue", deleting=True), True, False),
        (a_pod("x-old-0", "blue"), False, False),
        (replace(a_pod("x-old-0", "blue"), is_ready=False), True, True),
        (a_pod("x-old-0", "blue", ready=False), True, False),
    ],
    ids=["well", "no address", "going away", "not in EMQX", "gate frozen: EMQX counts", "boots under a known name"],
)
def test_who_accepts_clients(pod: Pod, joined: bool, accepts: bool) -> None:
    nodes = (EmqxNode("x@x-old-0.h", "4.4.14"),) if joined else ()
    (member,) = seen(BLUE, pods=(pod,), nodes=Reading(nodes, NOW)).members
    assert member.accepts_clients is accepts


def test_members_are_in_the_order_of_their_numbers_not_of_their_names() -> None:
    pods = tuple(a_pod(f"x-old-{k}", "blue") for k in (10, 2, 0))
    snapshot = seen(replace(BLUE, replicas=3), pods=pods)
    assert [m.ordinal for m in snapshot.members] == [0, 2, 10]


def test_counts_that_nobody_gave_are_unknown_not_zero() -> None:
    snapshot = seen(BLUE, pods=(a_pod("x-old-0", "blue"),))
    assert snapshot.total_live is None
    assert snapshot.blue is not None
    assert snapshot.blue.live_connections is None
    assert snapshot.slice_ips is None


def counted_pair(*counted: int, blue_uid: str = "blue", **second: bool) -> Snapshot:
    """Two pods of which EMQX lists and counts the numbers given."""
    nodes = tuple(EmqxNode(f"x@x-old-{k}.h", "4.4.14") for k in counted)
    pods = (a_pod("x-old-0", "blue"), a_pod("x-old-1", "blue", **second))
    stats = {node.name: NodeStats(7, 9) for node in nodes}
    return seen(
        replace(BLUE, replicas=2), pods=pods, blue_uid=blue_uid, nodes=Reading(nodes, NOW), stats=Reading(stats, NOW)
    )


@pytest.mark.parametrize("blue_uid", ["blue", ""], ids=["in a release", "outside"])
def test_a_total_without_a_node_that_is_up_is_unknown(blue_uid: str) -> None:
    whole, part = counted_pair(0, 1, blue_uid=blue_uid), counted_pair(0, blue_uid=blue_uid)
    assert (whole.total_live, whole.total_sessions, whole.generations[0].live_connections) == (14, 18, 14)
    assert (part.total_live, part.total_sessions, part.generations[0].live_connections) == (None, None, None)


def test_a_node_that_is_down_has_no_share_in_a_total() -> None:
    down = counted_pair(0, ready=False)
    assert (down.total_live, down.total_sessions, down.generations[0].live_connections) == (7, 9, 7)


@pytest.mark.parametrize(
    ("answered_s", "total"), [(5.0, None), (0.5, 0), (-5.0, 0)], ids=["hangs", "in its first second", "boots again"]
)
def test_a_node_that_hangs_is_not_counted_though_its_pod_is_not_ready(answered_s: float, total: int | None) -> None:
    began = NOW - timedelta(seconds=60)
    container = Container("emqx", "emqx/emqx-ee:4.4.15", False, 0, "", "", began, None, None)
    pod = replace(a_pod("x-new-0", "green", ready=False), containers=(container,))
    own = Reading(DISABLED, began + timedelta(seconds=answered_s), "did not answer in time")
    hung = seen(GREEN, pods=(pod,), nodes=Reading((), NOW), stats=Reading({}, NOW), own={"x-new-0": own})
    assert hung.total_live == total


@pytest.mark.parametrize(
    ("ready_until_s", "total"), [(20.0, None), (-5.0, 0)], ids=["was Ready", "has not been Ready since it started"]
)
def test_a_green_node_that_was_ready_may_have_clients_though_nobody_heard_of_it(
    ready_until_s: float, total: int | None
) -> None:
    began = NOW - timedelta(seconds=60)
    container = Container("emqx", "emqx/emqx-ee:4.4.15", False, 0, "", "", began, None, None)
    turned = PodCondition("Ready", "False", since=began + timedelta(seconds=ready_until_s))
    pod = replace(a_pod("x-new-0", "green", ready=False), containers=(container,), conditions=(turned,))
    refused = seen(GREEN, pods=(pod,), nodes=Reading((), NOW), stats=Reading({}, NOW))
    assert refused.total_live == total


@pytest.mark.parametrize(("listed_s", "is_known"), [(-1.0, False), (1.0, True)], ids=["before it ran", "since it runs"])
def test_a_list_of_before_a_broker_ran_names_the_one_before_it(listed_s: float, is_known: bool) -> None:
    began = NOW - timedelta(seconds=60)
    container = Container("emqx", "emqx/emqx-ee:4.4.14", True, 0, "", "", began, None, None)
    pod = replace(a_pod("x-old-0", "blue"), containers=(container,))
    nodes = Reading((EmqxNode("x@x-old-0.h", "4.4.14"),), began + timedelta(seconds=listed_s))
    (member,) = seen(BLUE, pods=(pod,), nodes=nodes).members
    assert (member.is_joined, member.is_running, member.accepts_clients) == (is_known, is_known, is_known)


def test_pods_that_were_not_read_are_no_empty_cluster() -> None:
    unread = replace(seen(BLUE), pods=Reading(None, None))
    assert unread.blue is not None
    assert (unread.total_live, unread.total_sessions, unread.blue.live_connections) == (None, None, None)


@pytest.mark.parametrize(
    ("state", "connected", "sessions", "drained"),
    [
        ("prohibiting", 0, 0, True),
        ("prohibiting", 1, 0, False),
        ("prohibiting", 0, 1, False),
        ("waiting_takeover", 0, 0, False),
        ("unknown", 0, 0, False),
    ],
)
def test_drained_means_prohibiting_and_both_counters_zero(
    state: str, connected: int, sessions: int, drained: bool
) -> None:
    node = "x@x-old-0.h"
    evacuation = Evacuation(node, EvacuationState(state), 1, 1, (), 9, connected, 9, sessions)
    (member,) = seen(
        BLUE,
        pods=(a_pod("x-old-0", "blue"),),
        nodes=Reading((EmqxNode(node, ""),), NOW),
        evacuations=Reading(GlobalStatus((evacuation,), 0), NOW),
    ).members
    assert member.is_drained is drained


ENABLED, DISABLED = EvictionStatus(True, 70, 5), EvictionStatus(False, None, None)
NODE = EmqxNode("emqx@x-old-0.h", "4.4.14")
TOLD = Evacuation(NODE.name, EvacuationState.WAITING_TAKEOVER, 5, 5, (), 100, 80, 20, 20)
BY_OWN_WORD = Evacuation.by_own_word(NODE.name, ENABLED)


@pytest.mark.parametrize(
    ("word", "told", "told_later_s", "rebalances", "expected"),
    [
        (ENABLED, None, -1.0, 0, BY_OWN_WORD),
        (ENABLED, None, +1.0, 0, BY_OWN_WORD),
        (ENABLED, TOLD, -1.0, 0, replace(TOLD, current_connected=70)),
        (ENABLED, TOLD, +1.0, 0, TOLD),
        (DISABLED, TOLD, -1.0, 0, None),
        (DISABLED, TOLD, +1.0, 0, TOLD),
        (ENABLED, None, -1.0, 1, None),
        (ENABLED, None, +1.0, 1, None),
        (ENABLED, TOLD, -1.0, 1, replace(TOLD, current_connected=70)),
    ],
    ids=[
        "its peers have not learnt of it yet",
        "its peers do not see it",
        "they say its state, and it says how many are left",
        "what is told later counts",
        "it was stopped since",
        "it was started since",
        "a rebalance takes its clients",
        "a rebalance takes its clients, told later",
        "evacuated beside a rebalance",
    ],
)
def test_whether_a_node_is_evacuated(
    word: EvictionStatus, told: Evacuation | None, told_later_s: float, rebalances: int, expected: Evacuation | None
) -> None:
    told_at = NOW + timedelta(seconds=told_later_s)
    (member,) = seen(
        BLUE,
        pods=(a_pod("x-old-0", "blue"),),
        nodes=Reading((NODE,), NOW),
        evacuations=Reading(GlobalStatus((told,) if told else (), rebalances), told_at),
        own={"x-old-0": Reading(word, NOW)},
    ).members
    assert member.evacuation == expected


def test_a_node_that_is_split_off_is_evacuated_by_its_own_word_though_the_others_rebalance() -> None:
    (member,) = seen(
        BLUE,
        pods=(a_pod("x-old-0", "blue"),),
        nodes=Reading((), NOW),
        brokers={"x-old-0": NODE},
        evacuations=Reading(GlobalStatus((), 1), NOW),
        own={"x-old-0": Reading(ENABLED, NOW)},
    ).members
    assert member.evacuation == BY_OWN_WORD
    assert not member.accepts_clients


@pytest.mark.parametrize(
    ("told_later_s", "expected"), [(-1.0, None), (+1.0, TOLD)], ids=["stopped since", "begun since"]
)
def test_a_silent_node_is_evacuated_if_that_was_told_after_its_own_last_word(
    told_later_s: float, expected: Evacuation | None
) -> None:
    (member,) = seen(
        BLUE,
        pods=(a_pod("x-old-0", "blue"),),
        nodes=Reading((NODE,), NOW),
        evacuations=Reading(GlobalStatus((TOLD,), 0), NOW + timedelta(seconds=told_later_s)),
        own={"x-old-0": Reading(DISABLED, NOW, "did not answer in time")},
    ).members
    assert member.evacuation == expected


@pytest.mark.parametrize(
    ("runs_for_s", "expected"), [(10.0, TOLD), (1.0, None)], ids=["it runs since before", "of the broker before it"]
)
def test_what_the_cluster_told_before_a_broker_ran_is_not_of_it(runs_for_s: float, expected: Evacuation | None) -> None:
    container = Container("emqx", "", True, 0, "", "", NOW - timedelta(seconds=runs_for_s), None, None)
    (member,) = seen(
        BLUE,
        pods=(replace(a_pod("x-old-0", "blue"), containers=(container,)),),
        nodes=Reading((NODE,), NOW),
        evacuations=Reading(GlobalStatus((TOLD,), 0), NOW - timedelta(seconds=5.0)),
    ).members
    assert member.evacuation == expected
