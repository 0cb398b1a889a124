"""The store: what the sources tell, folded; older news never overwrites newer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.model.errors import Unreachable
from emqx_tui.model.evacuation import EvictionStatus, GlobalStatus
from emqx_tui.model.kinds import Kind
from emqx_tui.model.kube_object import Meta
from emqx_tui.model.nodes import EmqxNode, NodeReport, NodeStats
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.model.wire import Unreadable
from emqx_tui.session.ports import Alive, Changed, Listed, Lost, Removed
from emqx_tui.session.store import (
    ClusterAnswer,
    NodeReports,
    OperatorImage,
    OwnAnswer,
    Store,
    StoreInput,
    fold,
    snapshot,
)
from tests.support import scenes as build

CR = Kind.EMQX_ENTERPRISE
KEY = ("default", "emqx-ee")
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
EMPTY = Store("default", "emqx-ee")


def resource(version: str = "10", uid: str = "u1", age_s: float = 0.0):
    found = build.idle().resource()
    made = NOW - timedelta(seconds=age_s)
    return replace(found, meta=replace(found.meta, resource_version=version, uid=uid, created_at=made))


def told(*inputs: StoreInput, store: Store = EMPTY) -> Store:
    """Fold `inputs`, one second apart."""
    for second, found in enumerate(inputs):
        store = fold(store, found, NOW + timedelta(seconds=second))
    return store


def version(store: Store) -> str:
    return store.collection(CR).objects[KEY].meta.resource_version


LISTED = Listed(CR, {KEY: resource("10")})
LOST = Lost(CR, Unreachable("connection refused"))


def test_before_anything_was_told_nothing_is_known() -> None:
    seen = snapshot(EMPTY, NOW, "")
    for reading in (seen.resource, seen.pods, seen.stateful_sets, seen.nodes, seen.stats, seen.evacuations):
        assert (reading.value, reading.read_at, reading.problem) == (None, None, "not read yet")


def test_a_list_is_the_whole_truth() -> None:
    store = told(LISTED, Listed(CR, {}))
    assert store.collection(CR).objects == {}
    assert store.collection(CR).read_at == NOW + timedelta(seconds=1)


def test_an_empty_collection_is_known_to_be_empty() -> None:
    seen = snapshot(told(Listed(Kind.POD, {})), NOW, "")
    assert seen.pods.value == ()


def test_a_change_is_taken_and_confirms_the_collection() -> None:
    store = told(LISTED, Changed(CR, KEY, resource("11")))
    assert version(store) == "11"
    assert store.collection(CR).read_at == NOW + timedelta(seconds=1)


@pytest.mark.parametrize(("new", "kept"), [("9", "10"), ("10", "10"), ("11", "11"), ("100", "100")])
def test_an_older_state_does_not_overwrite_a_newer_one(new: str, kept: str) -> None:
    assert version(told(LISTED, Changed(CR, KEY, resource(new)))) == kept


def test_an_older_state_confirms_nothing() -> None:
    assert told(LISTED, Changed(CR, KEY, resource("9"))).collection(CR).read_at == NOW


def test_a_re_created_object_counts_whatever_its_version() -> None:
    assert version(told(LISTED, Changed(CR, KEY, resource("3", uid="u2")))) == "3"


OLD, NEW = (resource("10", uid="u1", age_s=60), resource("12", uid="u2"))


@pytest.mark.parametrize(
    ("late", "kept"),
    [
        (Removed(CR, KEY, "u1"), ["u2"]),
        (Removed(CR, KEY, "u2"), []),
        (Removed(CR, KEY), []),
        (Changed(CR, KEY, OLD), ["u2"]),
        (Changed(CR, KEY, resource("13", uid="u3")), ["u3"]),
    ],
    ids=["the former one goes", "it goes", "it is not found", "a state of the former one", "it is created anew"],
)
def test_late_news_of_what_stood_there_before_are_not_taken_for_its_successors(
    late: StoreInput, kept: list[str]
) -> None:
    store = told(Listed(CR, {KEY: NEW}), late)
    assert [found.meta.uid for found in store.collection(CR).objects.values()] == kept


def test_versions_that_are_no_numbers_are_not_compared() -> None:
    assert version(told(LISTED, Changed(CR, KEY, resource("abc")))) == "abc"


@given(st.lists(st.integers(1, 99), min_size=1))
def test_whatever_the_order_the_newest_is_kept(versions: list[int]) -> None:
    store = told(*(Changed(CR, KEY, resource(str(v))) for v in versions))
    assert version(store) == str(max(versions))


def test_removed_objects_are_gone_and_strangers_going_is_no_matter() -> None:
    store = told(LISTED, Removed(CR, ("default", "other")), Removed(CR, KEY))
    assert store.collection(CR).objects == {}


def test_a_lost_watch_keeps_what_it_said_and_how_old_it_is() -> None:
    collection = told(LISTED, LOST).collection(CR)
    assert (collection.read_at, collection.problem) == (NOW, "connection refused")
    assert KEY in collection.objects


def test_a_watch_that_is_alive_again_confirms_what_it_said() -> None:
    collection = told(LISTED, LOST, Alive(CR)).collection(CR)
    assert (collection.read_at, collection.problem) == (NOW + timedelta(seconds=2), "")


def test_alive_before_the_first_list_confirms_nothing() -> None:
    assert told(LOST, Alive(CR)).collection(CR).read_at is None


def test_one_watch_lost_does_not_touch_the_others() -> None:
    store = told(LISTED, Listed(Kind.POD, {}), LOST)
    assert store.collection(Kind.POD).problem == ""


UNREAD = Listed(CR, {}, {KEY: Unreadable("spec.replicas", "expected an integer, found a string")})


def test_an_object_that_cannot_be_read_is_not_gone_and_not_confirmed() -> None:
    """Its release is not lost, its last state is known, and nothing that needs the object may begin."""
    seen = snapshot(told(LISTED, UNREAD, Alive(CR)), NOW, "").resource
    assert seen.value == resource("10")
    assert (seen.read_at, seen.problem) == (
        None,
        "cannot be read: spec.replicas: expected an integer, found a string",
    )
    assert seen.unreadable == UNREAD.unreadable[KEY]
    never = snapshot(told(UNREAD), NOW, "").resource
    assert (never.value, never.read_at) == (None, None)


@pytest.mark.parametrize("news", [Listed(CR, {KEY: resource("11")}), Changed(CR, KEY, resource("11"))])
def test_an_object_that_can_be_read_again_is_what_it_says(news: StoreInput) -> None:
    seen = snapshot(told(LISTED, UNREAD, news), NOW, "").resource
    assert (seen.value, seen.problem) == (resource("11"), "")


def test_an_object_that_could_not_be_read_and_is_removed_is_gone() -> None:
    seen = snapshot(told(LISTED, UNREAD, Removed(CR, KEY)), NOW, "").resource
    assert (seen.value, seen.problem) == (None, "")
    assert seen.read_at is not None


# -- EMQX ---------------------------------------------------------------------------------------------------------

NODES = tuple(EmqxNode(f"x@p-{k}.h", "4.4.14") for k in range(3))
QUIET = GlobalStatus((), 0)
VIEW = ClusterAnswer("p-0", NODES, QUIET)
KEYS = tuple((f"p-{k}", f"uid-{k}") for k in range(3))
DISABLED = EvictionStatus(False, None, None)


def report(k: int, live: int = 5) -> NodeReport:
    return NodeReport(NODES[k], NodeStats(live, 6), DISABLED)


def reports(*answers: OwnAnswer) -> NodeReports:
    return NodeReports(answers, asked=frozenset(KEYS))


ALL = reports(*(OwnAnswer(key, report(k)) for k, key in enumerate(KEYS)))
SILENT = OwnAnswer(KEYS[1], None, "did not answer in time")


def test_a_view_of_the_cluster_renews_its_readings() -> None:
    store = told(VIEW)
    assert (store.nodes.value, store.nodes.read_at, store.evacuations.value) == (NODES, NOW, QUIET)


def test_no_view_ages_the_last_one_and_says_why() -> None:
    stopped = replace(VIEW, stopped=("emqx@p-9",))
    assert snapshot(told(ALL, stopped), NOW, "").stopped_nodes == ("emqx@p-9",)
    assert snapshot(told(ALL, stopped, VIEW), NOW, "").stopped_nodes == ()
    store = told(VIEW, ClusterAnswer("p-1", None, None, "p-1: timed out"))
    for reading in (store.nodes, store.evacuations):
        assert (reading.read_at, reading.problem) == (NOW, "p-1: timed out")
    assert store.nodes.value == NODES


@pytest.mark.parametrize("seen", [NODES[:1], NODES[1:2], ()])
def test_the_view_of_a_node_that_is_split_off_takes_nobody_for_gone(seen: tuple[EmqxNode, ...]) -> None:
    """The first answer after a hang came from a node that saw only itself (recorded)."""
    store = told(ALL, VIEW, ClusterAnswer("p-0", seen, QUIET))
    assert (store.nodes.value, store.nodes.read_at) == (NODES, NOW + timedelta(seconds=1))
    assert store.nodes.problem == f"p-0 sees {len(seen)} of 3 nodes that answer: the cluster is split"


def test_the_majority_tells_who_has_left() -> None:
    store = told(ALL, VIEW, ClusterAnswer("p-0", NODES[:2], QUIET))
    assert (store.nodes.value, store.nodes.problem) == (NODES[:2], "")


def test_a_console_that_asked_the_split_node_first_follows_the_majority() -> None:
    store = told(ALL, ClusterAnswer("p-2", NODES[2:], QUIET), ClusterAnswer("p-0", NODES[:2], QUIET))
    assert store.nodes.value == NODES[:2]


def test_nodes_that_answer_no_more_are_not_missed_in_a_view() -> None:
    gone = NodeReports(ALL.answers[:1], asked=frozenset(KEYS[:1]))
    assert told(ALL, VIEW, gone, ClusterAnswer("p-0", NODES[:1], QUIET)).nodes.value == NODES[:1]


def seen_with_pods(store: Store, *, but: str = "") -> Snapshot:
    pods = [replace(build.idle().snapshot().members[0].pod, meta=_meta(name, uid)) for name, uid in KEYS if name != but]
    return snapshot(fold(store, Listed(Kind.POD, {("default", p.name): p for p in pods}), NOW), NOW, "")


def _meta(name: str, uid: str) -> Meta:
    return replace(build.idle().resource().meta, name=name, uid=uid)


def test_a_node_that_falls_silent_keeps_what_it_said_with_its_age_and_has_no_count() -> None:
    store = told(ALL, reports(SILENT))
    seen = seen_with_pods(store)
    own = seen.own["p-1"]
    assert (own.value, own.read_at, own.problem) == (DISABLED, NOW, "did not answer in time")
    assert set(seen.stats.value or {}) == {NODES[0].name, NODES[2].name}
    assert (seen.stats.problem, seen.brokers["p-1"]) == ("", NODES[1])


def test_a_node_that_never_answered_has_no_word() -> None:
    own = seen_with_pods(told(reports(SILENT))).own["p-1"]
    assert (own.value, own.read_at, own.problem) == (None, None, "did not answer in time")


def test_figures_are_as_old_as_the_oldest_node_that_answers() -> None:
    store = told(ALL, reports(OwnAnswer(KEYS[0], report(0, 4))))
    assert seen_with_pods(store).stats.read_at == NOW


def test_when_no_node_answers_the_last_figures_are_kept_with_the_reason() -> None:
    silent = reports(*(OwnAnswer(key, None, "timed out") for key in KEYS))
    stats = seen_with_pods(told(ALL, silent)).stats
    assert (len(stats.value or {}), stats.read_at, stats.problem) == (3, NOW, "none of 3 nodes answers: timed out")
    refused = seen_with_pods(told(ALL, NodeReports((), "cannot read Secret x", is_forbidden=True)))
    assert (refused.stats.read_at, refused.stats.problem) == (NOW, "cannot read Secret x")
    assert all(own.problem == "cannot read Secret x" for own in refused.own.values())


def test_the_word_of_a_pod_is_not_that_of_its_successor() -> None:
    store = told(ALL)
    seen = snapshot(fold(store, Listed(Kind.POD, {}), NOW), NOW, "")
    assert seen.own == {}
    successor = NodeReports((), asked=frozenset({("p-1", "uid-new")}))
    assert told(successor, store=store).reports == {}


def test_the_operators_image_may_be_unreadable() -> None:
    assert told(OperatorImage("emqx/op:1")).operator_image.value == "emqx/op:1"
    assert told(OperatorImage(None, "forbidden")).operator_image.problem == "forbidden"


def test_a_snapshot_takes_the_colours_of_the_plan() -> None:
    seen = snapshot(told(LISTED, VIEW), NOW, "blue", "green")
    assert (seen.blue_uid, seen.green_uid, seen.namespace, seen.name) == ("blue", "green", "default", "emqx-ee")
    assert seen.resource.value is not None
    other = snapshot(told(Listed(CR, {("default", "other"): resource()})), NOW, "")
    assert other.resource.value is None
    assert other.resource.read_at is not None
