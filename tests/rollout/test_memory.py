"""What a driver remembers: the ledger's figures must not depend on how late a drain is noticed."""

from __future__ import annotations

from dataclasses import replace

from build import Scene, ago, approved, draining, draining_place, with_place

from emqx_tui.rollout.memory import Memory, observe


def counts(scene: Scene, *, blue: int, green: int, is_evicting: bool) -> Scene:
    """Node 2 of blue with so many clients, and green with so many in all."""
    place = draining_place(live=blue) if is_evicting else {"live": blue, "evacuation": None}
    scene = with_place(scene, "blue", 2, **place)
    for ordinal in range(3):
        scene = with_place(scene, "green", ordinal, live=green if ordinal == 0 else 0)
    return scene


def remember(memory: Memory, scene: Scene, at_s: float) -> Memory:
    """Take in the scene as it stands `at_s` seconds after NOW."""
    snapshot = replace(scene, now=ago(-at_s)).snapshot()
    return observe(memory, snapshot, scene.journal)


def test_a_drain_that_is_noticed_late_leaves_nobody_missing():
    """Seen after 200 of 300 clients have moved: they are landed, not a part of what green had before."""
    scene = approved(draining(), "node:2")
    memory = remember(Memory(), counts(scene, blue=300, green=40, is_evicting=False), 0.0)
    memory = remember(memory, counts(scene, blue=100, green=240, is_evicting=True), 2.0)
    memory = remember(memory, counts(scene, blue=0, green=340, is_evicting=True), 4.0)
    assert (memory.green_baseline, memory.initial) == (40, {"emqx-ee-66f7b-2": 300})
    assert (memory.ledger.evicted, memory.ledger.landed, memory.ledger.missing) == (300, 300, 0)


def test_those_who_are_on_their_way_when_a_drain_is_noticed_are_missing_until_they_land():
    scene = approved(draining(), "node:2")
    memory = remember(Memory(), counts(scene, blue=300, green=40, is_evicting=False), 0.0)
    memory = remember(memory, counts(scene, blue=100, green=140, is_evicting=True), 2.0)
    assert (memory.ledger.landed, memory.ledger.missing) == (100, 100)


def test_the_newest_sample_from_before_the_drain_counts():
    """Clients of their own accord go to green until then, and are none of the drain's."""
    scene = approved(draining(), "node:2")
    memory = remember(Memory(), counts(scene, blue=310, green=30, is_evicting=False), 0.0)
    memory = remember(memory, counts(scene, blue=300, green=40, is_evicting=False), 2.0)
    memory = remember(memory, counts(scene, blue=200, green=140, is_evicting=True), 4.0)
    assert memory.green_baseline == 40
    assert memory.ledger.missing == 0


def test_a_console_that_comes_in_the_middle_of_a_drain_takes_all_who_left_for_landed():
    scene = approved(draining(), "node:2")
    memory = remember(Memory(), counts(scene, blue=100, green=240, is_evicting=True), 0.0)
    assert memory.green_baseline == 40
    assert memory.ledger.missing == 0
