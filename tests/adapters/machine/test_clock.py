"""Cluster time from whole seconds: settles within a round trip, never runs backwards, follows a scaled cluster."""

from __future__ import annotations

import asyncio
import math
import random
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.adapters.machine.clock import ClusterClock


class World:
    """A server whose clock is `ahead_s` of ours and runs `rate` times as fast."""

    def __init__(self, rate: float = 1.0, ahead_s: float = 0.0) -> None:
        self.mono = 1000.0
        self.wall_s = 1_800_000_000.0
        self.rate = rate
        self.offset = self.wall_s + ahead_s - rate * self.mono
        self.clock = ClusterClock(rate, monotonic=lambda: self.mono, wall=lambda: self.wall_s)

    @property
    def true_s(self) -> float:
        return self.offset + self.rate * self.mono

    def pass_(self, seconds: float) -> None:
        self.mono += seconds
        self.wall_s += seconds

    def ask(self, there_s: float = 0.005, back_s: float = 0.005) -> None:
        sent_at = self.mono
        self.pass_(there_s)
        told = datetime.fromtimestamp(math.floor(self.true_s), UTC)
        self.pass_(back_s)
        self.clock.observe(told, sent_at, self.mono)

    @property
    def error_s(self) -> float:
        return self.clock.now().timestamp() - self.true_s


def test_before_the_first_answer_it_is_this_machines_time():
    world = World(ahead_s=300)
    assert not world.clock.is_synchronised
    assert world.clock.now().timestamp() == pytest.approx(world.wall_s)
    assert world.clock.skew_s is None
    assert world.clock.uncertainty_s is None


@pytest.mark.parametrize("ahead_s", [-3600.4, -0.3, 0.0, 0.7, 300.25])
def test_the_first_answer_is_good_to_a_second(ahead_s):
    world = World(ahead_s=ahead_s)
    world.clock.now()
    world.ask()
    assert abs(world.error_s) <= 0.51
    assert world.clock.skew_s == pytest.approx(-ahead_s, abs=0.51)


def test_settles_within_a_round_trip():
    world, chance = World(ahead_s=12.34), random.Random(7)
    for _ in range(60):
        world.pass_(chance.uniform(0.3, 1.7))
        world.ask(chance.uniform(0.001, 0.02), chance.uniform(0.001, 0.02))
    assert abs(world.error_s) < 0.06
    assert world.clock.uncertainty_s is not None
    assert world.clock.uncertainty_s < 0.06
    assert world.clock.skew_s == pytest.approx(-12.34, abs=0.06)


def test_a_slow_answer_does_not_spoil_a_good_estimate():
    world, chance = World(ahead_s=1.5), random.Random(3)
    for _ in range(40):
        world.pass_(chance.uniform(0.3, 1.7))
        world.ask()
    world.ask(there_s=4.0, back_s=3.0)
    assert abs(world.error_s) < 0.06


def test_a_clock_set_back_is_followed_without_running_backwards():
    world = World()
    world.ask()
    before = world.clock.now()
    world.offset -= 10
    world.pass_(1)
    world.ask()
    told = [before]
    for _ in range(300):
        world.pass_(0.1)
        told.append(world.clock.now())
    assert told == sorted(told)
    assert abs(world.error_s) <= 0.51, "caught up by running at half speed"


def test_a_clock_set_forward_is_followed_at_once():
    world = World()
    world.ask()
    world.offset += 100
    world.pass_(1)
    world.ask()
    assert abs(world.error_s) <= 0.51


@given(
    rate=st.sampled_from([1.0, 10.0, 60.0]),
    steps=st.lists(
        st.tuples(st.floats(0, 5), st.floats(0, 1), st.floats(0, 1), st.floats(-20, 20)), min_size=1, max_size=40
    ),
)
def test_never_runs_backwards(rate, steps):
    world = World(rate)
    world.ask()
    last = world.clock.now()
    for pause_s, there_s, back_s, jump_s in steps:
        world.offset += jump_s
        world.pass_(pause_s)
        world.ask(there_s, back_s)
        now = world.clock.now()
        assert now >= last
        last = now


def test_drifting_clocks_are_followed():
    world = World()
    for _ in range(2000):
        world.pass_(5)
        world.offset += 5 * 100e-6
        world.ask()
    assert abs(world.error_s) < 0.6


def test_a_scaled_cluster():
    world = World(rate=60.0, ahead_s=-1e8)
    world.ask()
    start = world.clock.now()
    world.pass_(2)
    world.ask()
    assert (world.clock.now() - start).total_seconds() == pytest.approx(120, abs=1.5)
    assert abs(world.error_s) < 1
    assert world.clock.skew_s is None


def test_a_scaled_cluster_that_cannot_keep_up_is_followed():
    world = World(rate=60.0)
    for _ in range(50):
        world.pass_(1)
        world.offset -= 20
        world.ask()
    assert abs(world.error_s) < 25


@pytest.mark.parametrize(
    ("rate", "seconds", "wall_s"), [(1.0, 0.02, 0.02), (10.0, 1.0, 0.1), (600.0, 1.0, 0.05), (60.0, 0.0, 0.05)]
)
async def test_sleeps(monkeypatch, rate, seconds, wall_s):
    slept = []

    async def sleep(delay):
        slept.append(delay)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    clock = ClusterClock(rate)
    await clock.sleep(seconds)
    await clock.sleep_wall(3)
    assert slept == [pytest.approx(wall_s), 3]


def test_monotonic_is_the_machines():
    assert abs(ClusterClock().monotonic() - time.monotonic()) < 1


def test_a_rate_is_positive():
    with pytest.raises(ValueError, match="positive"):
        ClusterClock(0)


@given(st.sampled_from([1.0, 2.0, 10.0, 60.0]), st.lists(st.floats(0.0, 3.0), min_size=1, max_size=20))
def test_the_pace_is_never_told_too_high_and_known_after_a_while(rate: float, pauses_s: list[float]) -> None:
    world = World(rate=rate)
    world.ask()
    assert world.clock.pace is None
    for pause_s in pauses_s:
        world.pass_(pause_s)
        world.ask()
        assert world.clock.pace is not None
        assert world.clock.pace <= rate + 1e-6
    world.pass_(10.0)
    world.ask()
    assert world.clock.pace >= 0.8 * rate
