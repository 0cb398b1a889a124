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
from emqx_tui.model.nodes import EmqxNode, NodeStats
from emqx_tui.model.wire import Unreadable
from emqx_tui.session.ports import Alive, Changed, Listed, Lost, Removed
from emqx_tui.session.store import BrokerAnswer, OperatorImage, OwnAnswer, Store, StoreInput, fold, snapshot
from tests.support import scenes as build

CR = Kind.EMQX_ENTERPRISE
KEY = ("default", "emqx-ee")
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
EMPTY = Store("default", "emqx-ee")


def resource(version: str = "10", uid: str = "u1"):
    found = build.idle().resource()
    return replace(found, meta=replace(found.meta, resource_version=version, uid=uid))


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

NODES = (EmqxNode("x@p-0.h", "4.4.14"), EmqxNode("x@p-1.h", "4.4.14"))
STATS = {"x@p-0.h": NodeStats(5, 6)}
QUIET = GlobalStatus((), 0)
ANSWER = BrokerAnswer(NODES, STATS, QUIET, "p-0")


def test_an_answer_renews_its_readings() -> None:
    store = told(ANSWER)
    assert (store.nodes.value, store.nodes.read_at, store.asked) == (NODES, NOW, "p-0")


def test_no_answer_ages_the_last_one_and_says_why() -> None:
    store = told(ANSWER, BrokerAnswer(None, None, None, "", "p-1: timed out"))
    for reading in (store.nodes, store.stats, store.evacuations):
        assert (reading.read_at, reading.problem) == (NOW, "p-1: timed out")
    assert store.nodes.value == NODES


def test_half_an_answer_renews_half() -> None:
    store = told(ANSWER, BrokerAnswer(NODES, None, QUIET, "p-0", "stats: no"))
    assert store.nodes.read_at == NOW + timedelta(seconds=1)
    assert store.stats.read_at == NOW


def test_a_nodes_own_word_is_kept_with_its_age_when_it_falls_silent() -> None:
    empty = EvictionStatus(True, 0, 0)
    store = told(ANSWER, OwnAnswer("p-0", empty), OwnAnswer("p-0", None, "timed out"))
    reading = store.own["p-0"]
    assert (reading.value, reading.read_at, reading.problem) == (empty, NOW + timedelta(seconds=1), "timed out")


def test_a_node_that_never_answered_has_no_word() -> None:
    reading = told(ANSWER, OwnAnswer("p-0", None, "timed out")).own["p-0"]
    assert (reading.value, reading.read_at) == (None, None)


def test_the_word_of_a_node_that_left_is_forgotten() -> None:
    """A pod of the same name that comes later is another node."""
    store = told(ANSWER, OwnAnswer("p-0", EvictionStatus(True, 0, 0)))
    gone = told(BrokerAnswer(NODES[1:], STATS, QUIET, "p-1"), store=store)
    assert gone.own == {}
    silent = told(BrokerAnswer(None, None, None, "", "timed out"), store=store)
    assert "p-0" in silent.own


def test_the_operators_image_may_be_unreadable() -> None:
    assert told(OperatorImage("emqx/op:1")).operator_image.value == "emqx/op:1"
    assert told(OperatorImage(None, "forbidden")).operator_image.problem == "forbidden"


def test_a_snapshot_takes_the_colours_of_the_plan() -> None:
    seen = snapshot(told(LISTED, ANSWER), NOW, "blue", "green")
    assert (seen.blue_uid, seen.green_uid, seen.namespace, seen.name) == ("blue", "green", "default", "emqx-ee")
    assert seen.resource.value is not None
    other = snapshot(told(Listed(CR, {("default", "other"): resource()})), NOW, "")
    assert other.resource.value is None
    assert other.resource.read_at is not None
