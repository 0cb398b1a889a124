"""Journal, lease and result Event against an API server that keeps versions, UIDs and preconditions."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from emqx_tui.model.errors import Conflict, NotFound
from emqx_tui.model.secret import Secret
from emqx_tui.model.workloads import Lease
from emqx_tui.sandbox.world.world import World, WorldConfig
from emqx_tui.session.records import objects
from tests.support import scenes as build
from tests.support.rehearsal.ports import SimClock, SimKube, Wire
from tests.support.rehearsal.virtual_loop import run_in

NAME = "emqx-tui-emqx-ee"
JOURNAL = build.journal()


def on_server(work: Callable[[SimKube, World], Awaitable[Any]]) -> Any:
    """Run `work` against an empty simulated API server, in its time."""
    world = World(WorldConfig(clients=0), seed=1)
    return run_in(world, work(SimKube(world, Wire()), world))  # type: ignore[arg-type]


def stored(world: World, plural: str = "secrets") -> Any:
    return world.store.find(plural, "default", NAME)


def lease_of(world: World) -> Lease:
    return Lease.from_json(stored(world, "leases"))


def take(kube: SimKube, world: World, holder: str, known: Lease | None) -> Awaitable[Lease]:
    now = SimClock(world).now()
    return objects.take_lease(kube, "default", "emqx-ee", holder=holder, now=now, known=known, owner_uid="uid-cr")


def test_a_journal_is_created_owned_by_its_cluster_and_read_back() -> None:
    async def work(kube: SimKube, world: World) -> None:
        secret = await objects.write_journal(kube, JOURNAL, None)
        assert objects.read_journal(secret) == (JOURNAL, "")
        assert objects.read_journal(Secret.from_json(stored(world))) == (JOURNAL, "")
        (owner,) = stored(world)["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"]) == ("EmqxEnterprise", "emqx-ee", build.UID)
        assert not owner.get("controller")

    on_server(work)


def test_it_is_replaced_against_the_version_that_is_known() -> None:
    async def work(kube: SimKube, world: World) -> None:
        first = await objects.write_journal(kube, JOURNAL, None)
        second = await objects.write_journal(kube, replace(JOURNAL, parallel_drains=2), first)
        assert second.meta.resource_version != first.meta.resource_version
        with pytest.raises(Conflict):
            await objects.write_journal(kube, replace(JOURNAL, parallel_drains=3), first)
        kept, _ = objects.read_journal(Secret.from_json(stored(world)))
        assert kept is not None
        assert kept.parallel_drains == 2

    on_server(work)


def test_two_consoles_cannot_both_begin() -> None:
    async def work(kube: SimKube, world: World) -> None:
        await objects.write_journal(kube, JOURNAL, None)
        with pytest.raises(Conflict):
            await objects.write_journal(kube, replace(JOURNAL, release_id="other"), None)

    on_server(work)


def test_a_journal_that_is_gone_is_not_made_again_by_an_update() -> None:
    async def work(kube: SimKube, world: World) -> None:
        known = await objects.write_journal(kube, JOURNAL, None)
        await objects.remove_journal(kube, "default", "emqx-ee", known)
        assert stored(world) is None
        with pytest.raises(NotFound):
            await objects.write_journal(kube, JOURNAL, known)

    on_server(work)


def test_a_dry_run_leaves_nothing() -> None:
    async def work(kube: SimKube, world: World) -> None:
        await objects.write_journal(kube, JOURNAL, None, dry_run=True)
        assert stored(world) is None

    on_server(work)


def test_removing_what_is_gone_is_fine_and_another_journal_is_left_alone() -> None:
    async def work(kube: SimKube, world: World) -> None:
        await objects.remove_journal(kube, "default", "emqx-ee", None)
        known = await objects.write_journal(kube, JOURNAL, None)
        await objects.remove_journal(kube, "default", "emqx-ee", known)
        await objects.write_journal(kube, replace(JOURNAL, release_id="the next"), None)
        with pytest.raises(Conflict):
            await objects.remove_journal(kube, "default", "emqx-ee", known)
        kept, _ = objects.read_journal(Secret.from_json(stored(world)))
        assert kept is not None
        assert kept.release_id == "the next"

    on_server(work)


def secret(**texts: str) -> Secret:
    return replace(Secret.from_json({"metadata": {"name": NAME}}), texts=texts)


UNUSABLE = {
    "of somebody else": (secret(token="x"), "has no key 'journal'"),
    "not JSON": (secret(journal="{"), "not JSON"),
    "of a newer console": (secret(journal='{"schema": 2}'), "use a newer emqx-tui"),
    "without a field": (secret(journal=json.dumps({"schema": 1})), "journal.namespace"),
    "with an unknown policy": (
        secret(journal=json.dumps({**JOURNAL.to_json(), "approval": "never"})),
        "journal.approval",
    ),
}


@pytest.mark.parametrize(("found", "words"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_no_journal_of_ours_is_said_in_one_line(found: Secret, words: str) -> None:
    journal, problem = objects.read_journal(found)
    assert journal is None
    assert words in problem
    assert "\n" not in problem


def test_no_secret_no_journal() -> None:
    assert objects.read_journal(None) == (None, "")


# -- the lease ----------------------------------------------------------------------------------------------------


def test_a_lease_is_taken_renewed_and_released() -> None:
    async def work(kube: SimKube, world: World) -> None:
        first = await take(kube, world, "ann", None)
        assert (first.holder, first.duration_s, first.transitions) == ("ann", 15, 0)
        second = await take(kube, world, "ann", first)
        assert second.meta.resource_version != first.meta.resource_version
        assert second.transitions == 0
        left_at = SimClock(world).now() + timedelta(seconds=7)
        await objects.release_lease(kube, second, driven_until=left_at)
        left = lease_of(world)
        assert (left.holder, left.renewed_at) == ("", left_at)

    on_server(work)


def test_taking_over_counts_and_needs_the_version_that_was_seen() -> None:
    async def work(kube: SimKube, world: World) -> None:
        first = await take(kube, world, "ann", None)
        renewed = await take(kube, world, "ann", first)
        with pytest.raises(Conflict):
            await take(kube, world, "bob", first)
        assert lease_of(world).holder == "ann"
        taken = await take(kube, world, "bob", renewed)
        assert (taken.holder, taken.transitions) == ("bob", 1)
        with pytest.raises(Conflict):
            await take(kube, world, "ann", renewed)

    on_server(work)


def test_two_consoles_cannot_both_create_it() -> None:
    async def work(kube: SimKube, world: World) -> None:
        await take(kube, world, "ann", None)
        with pytest.raises(Conflict):
            await take(kube, world, "bob", None)

    on_server(work)


def test_releasing_or_removing_what_another_holds_by_now_changes_nothing() -> None:
    async def work(kube: SimKube, world: World) -> None:
        ours = await take(kube, world, "ann", None)
        await take(kube, world, "bob", ours)
        await objects.release_lease(kube, ours, driven_until=None)
        assert lease_of(world).holder == "bob"

    on_server(work)


def test_removing_the_lease_twice_is_fine() -> None:
    async def work(kube: SimKube, world: World) -> None:
        ours = await take(kube, world, "ann", None)
        await objects.remove_lease(kube, ours)
        assert stored(world, "leases") is None
        await objects.remove_lease(kube, ours)

    on_server(work)


def test_the_result_is_left_as_an_event_on_the_object() -> None:
    async def work(kube: SimKube, world: World) -> None:
        now = SimClock(world).now()
        await objects.write_event(
            kube, build.idle().resource(), reason="ReleaseDone", message="x" * 5000, now=now, is_warning=True
        )
        (event,) = world.store.list("events", "default")
        assert event["involvedObject"]["uid"] == build.UID
        assert event["reason"] == "ReleaseDone"
        assert event["type"] == "Warning"
        assert len(event["message"]) == 1024

    on_server(work)
