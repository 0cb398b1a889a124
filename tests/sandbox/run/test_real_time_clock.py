"""The two clocks against each other, on a clock that the test moves."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import pytest

from emqx_tui.sandbox.run.real_time_clock import RealTimeClock


@dataclass
class SlowWorld:
    """A world whose simulation takes real time: `cost` real seconds per virtual second."""

    cost: float = 0.0
    wall_s: float = 1000.0
    passed_s: float = 0.0
    steps: list[float] = field(default_factory=list)

    def advance(self, seconds: float) -> None:
        self.passed_s += seconds
        self.steps.append(seconds)
        self.wall_s += seconds * self.cost

    def clock(self) -> float:
        return self.wall_s


@pytest.mark.parametrize("speed", [1.0, 10.0, 600.0])
def test_virtual_time_is_real_time_times_the_speed(speed: float) -> None:
    world = SlowWorld()
    clock = RealTimeClock(world, speed, world.clock)
    for _ in range(300):
        world.wall_s += 0.01
        clock.tick()
    assert world.passed_s == pytest.approx(3.0 * speed, rel=1e-3)


def test_a_request_sees_the_world_as_of_now() -> None:
    world = SlowWorld()
    clock = RealTimeClock(world, 60, world.clock)
    world.wall_s += 0.005
    clock.catch_up()
    assert world.passed_s == pytest.approx(0.3)


def test_a_slice_never_holds_the_loop_long() -> None:
    """10 ms of work per virtual second at 60x: a backlog is worked off in slices of about 20 ms."""
    world = SlowWorld(cost=0.01)
    clock = RealTimeClock(world, 60, world.clock)
    world.wall_s += 1.0
    slices = []
    for _ in range(200):
        before = world.wall_s
        clock.tick()
        slices.append(world.wall_s - before)
        world.wall_s += 0.001
    assert max(slices) < 0.045
    assert clock.dropped_s == 0


def test_a_world_that_costs_too_much_falls_behind_openly(caplog: pytest.LogCaptureFixture) -> None:
    world = SlowWorld(cost=0.1)
    clock = RealTimeClock(world, 100, world.clock)
    began_at = world.wall_s
    with caplog.at_level(logging.WARNING):
        for _ in range(2000):
            world.wall_s += 0.001
            clock.tick()
    wanted_s = (world.wall_s - began_at) * 100
    assert clock.dropped_s > 0
    assert world.passed_s + clock.dropped_s == pytest.approx(wanted_s, abs=3 * 100)
    assert "cannot keep up with speed 100" in caplog.text


def test_a_suspended_machine_does_not_run_after_the_lost_night() -> None:
    world = SlowWorld(cost=0.0001)
    clock = RealTimeClock(world, 10, world.clock)
    world.wall_s += 8 * 3600
    clock.tick()
    assert world.passed_s < 8 * 3600
    assert clock.tick() < 0.1


@pytest.mark.parametrize("speed", [0, 0.5, 601])
def test_speeds_out_of_range_are_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="from 1 to 600"):
        RealTimeClock(SlowWorld(), speed)


async def test_a_world_that_breaks_is_not_silent() -> None:
    class Broken:
        def advance(self, seconds: float) -> None:
            raise RuntimeError("the world broke")

    clock = RealTimeClock(Broken(), 1)
    clock.start()
    with pytest.raises(RuntimeError, match="the world broke"):
        await clock.broken()
    await clock.stop()
