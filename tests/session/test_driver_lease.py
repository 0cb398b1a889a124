"""The driver lease: judged by renewals that we see, taken and renewed against the version that is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emqx_tui.model.errors import Conflict, Forbidden
from emqx_tui.model.workloads import Lease
from emqx_tui.session.inputs import LeaseAnswered
from emqx_tui.session.options import Ports
from emqx_tui.session.records.driver_lease import DriverLease
from emqx_tui.session.records.objects import LEASE_DURATION_S
from tests.support.fakes import FakeClock, FakeHost, FakeKube, until

HOST = FakeHost()
PATH = "/apis/coordination.k8s.io/v1/namespaces/default/leases"


def lease(holder: str = "bob@there/9", version: str = "1", duration_s: int = 15) -> Lease:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": duration_s}
    meta = {"name": "emqx-tui-emqx-ee", "namespace": "default", "resourceVersion": version, "uid": "u"}
    return Lease.from_json({"metadata": meta, "spec": spec})


def seen(clock: FakeClock, found: Lease | None, host: FakeHost = HOST) -> DriverLease:
    """The driver lease of a console whose watch told of `found`."""
    driver = DriverLease("default", "emqx-ee", Ports(FakeKube(), None, clock, host), lambda answer: None)  # type: ignore[arg-type]
    driver.observe(found)
    return driver


@pytest.mark.parametrize(
    ("found", "free"),
    [(None, True), (lease(""), True), (lease("ann@host/1"), True), (lease("bob@there/9"), False)],
    ids=["none", "released", "ours", "another's"],
)
def test_who_may_drive(found: Lease | None, free: bool) -> None:
    assert seen(FakeClock(), found).is_free is free


def test_another_driver_is_gone_when_no_renewal_was_seen_for_the_whole_duration() -> None:
    clock = FakeClock(elapsed_s=1000.0)
    driver = seen(clock, lease())
    clock.tick(15.0)
    assert not driver.is_free
    clock.tick(0.1)
    assert driver.is_free


def test_a_renewal_that_was_seen_starts_the_wait_anew() -> None:
    clock = FakeClock(elapsed_s=1000.0)
    driver = seen(clock, lease(version="1"))
    clock.tick(14.0)
    driver.observe(lease(version="2"))
    clock.tick(15.0)
    assert not driver.is_free
    clock.tick(0.1)
    assert driver.is_free


def test_the_same_object_told_again_is_no_renewal() -> None:
    clock = FakeClock(elapsed_s=1000.0)
    driver = seen(clock, lease())
    for _ in range(4):
        clock.tick(5.0)
        driver.observe(lease())
    assert driver.is_free


def test_times_in_the_lease_are_the_holders_clock_and_are_not_read() -> None:
    """An old renewTime of a driver whose clock is wrong frees nothing."""
    meta = {"name": "x", "resourceVersion": "1"}
    spec = {"holderIdentity": "bob@there/9", "leaseDurationSeconds": 15, "renewTime": "2001-01-01T00:00:00.000000Z"}
    assert not seen(FakeClock(), Lease.from_json({"metadata": meta, "spec": spec})).is_free


def test_a_dead_process_of_this_host_is_succeeded_at_once() -> None:
    host = FakeHost(dead={"ann@host/7"})
    assert seen(FakeClock(), lease("ann@host/7"), host).is_free
    assert not seen(FakeClock(), lease("ann@host/8"), host).is_free


# -- taking and renewing ------------------------------------------------------------------------------------------


class Desk:
    """A lease with its inbox."""

    def __init__(self, kube: FakeKube) -> None:
        self.kube, self.clock, self.inbox = kube, FakeClock(elapsed_s=1000.0), list[LeaseAnswered]()
        ports = Ports(kube, None, self.clock, FakeHost())  # type: ignore[arg-type]
        self.lease = DriverLease("default", "emqx-ee", ports, self.inbox.append)

    async def keep(self) -> str:
        """Ask, and take in the answer; the line for the person."""
        self.lease.keep("uid-cr")
        await until(lambda: self.inbox)
        return self.lease.answered(self.inbox.pop())


def granting() -> FakeKube:
    """An API server that stores what it is sent."""
    stored = {"version": 1}

    async def store(request):
        stored["version"] += 1
        body = request.body
        meta = {"name": "emqx-tui-emqx-ee", "namespace": "default", "uid": "u"}
        return {"metadata": {**meta, "resourceVersion": str(stored["version"])}, "spec": body["spec"]}

    return FakeKube({PATH: store, f"{PATH}/emqx-tui-emqx-ee": store})


async def test_a_free_lease_is_taken_and_the_person_is_told_once() -> None:
    desk = Desk(granting())
    assert await desk.keep() == "this console drives the release"
    assert desk.lease.is_held
    desk.clock.tick(10.5)
    assert await desk.keep() == ""
    assert [r.method for r in desk.kube.sent] == ["POST", "PATCH"]
    assert desk.kube.sent[1].body["metadata"] == {"resourceVersion": "2", "uid": "u"}


async def test_it_is_renewed_well_before_its_end_and_not_more_often() -> None:
    desk = Desk(granting())
    await desk.keep()
    for seconds in (1.0, 8.9):
        desk.clock.tick(seconds)
        desk.lease.keep("uid-cr")
    assert len(desk.kube.sent) == 1
    desk.clock.tick(0.2)
    await desk.keep()
    assert len(desk.kube.sent) == 2


async def test_whoever_waits_for_a_sign_of_the_driver_gets_a_renewal_at_once_and_only_from_the_holder() -> None:
    desk = Desk(granting())
    desk.lease.prove()
    await desk.keep()
    desk.clock.tick(1.5)
    desk.lease.keep("uid-cr")
    assert len(desk.kube.sent) == 1, "asked for before it was ours: it has just been taken"
    desk.lease.prove()
    await desk.keep()
    assert len(desk.kube.sent) == 2
    desk.clock.tick(1.5)
    desk.lease.keep("uid-cr")
    assert len(desk.kube.sent) == 2, "once"


async def test_without_renewal_it_is_held_for_its_duration_only_counted_from_the_asking() -> None:
    desk = Desk(granting())
    desk.lease.keep("uid-cr")
    desk.clock.tick(4.0)
    await until(lambda: desk.inbox)
    desk.lease.answered(desk.inbox.pop())
    desk.clock.tick(10.9)
    assert desk.lease.is_held
    desk.clock.tick(0.2)
    assert not desk.lease.is_held


async def test_another_drivers_lease_is_left_alone() -> None:
    desk = Desk(granting())
    desk.lease.observe(lease())
    desk.lease.keep("uid-cr")
    assert desk.kube.sent == []
    desk.clock.tick(3.0)
    assert desk.lease.other_seen_s == 3.0
    desk.clock.tick(13.0)
    await desk.keep()
    assert desk.kube.sent[0].body["spec"]["leaseTransitions"] == 1


async def test_an_onlooker_leaves_a_release_that_begins_to_whoever_has_begun_it() -> None:
    """It sees the journal as soon as the starter does, and would win the race for the lease half of the time."""
    desk = Desk(granting())
    desk.lease.keep("uid-cr", is_watcher=True)
    desk.clock.tick(2.9)
    desk.lease.keep("uid-cr", is_watcher=True)
    assert desk.kube.sent == []
    desk.clock.tick(0.2)
    desk.lease.keep("uid-cr", is_watcher=True)
    await until(lambda: desk.inbox)
    assert [r.method for r in desk.kube.sent] == ["POST"]


async def test_an_onlooker_succeeds_a_driver_that_has_gone_at_once() -> None:
    desk = Desk(granting())
    desk.lease.observe(lease(""))
    desk.lease.keep("uid-cr", is_watcher=True)
    await until(lambda: desk.inbox)
    assert [r.method for r in desk.kube.sent] == ["PATCH"]


async def test_a_lost_race_ends_driving_at_once() -> None:
    desk = Desk(granting())
    await desk.keep()
    desk.kube.answers[f"{PATH}/emqx-tui-emqx-ee"] = Conflict("somebody was faster", status=409)
    desk.clock.tick(10.5)
    assert await desk.keep() == ""
    assert not desk.lease.is_held


async def test_another_holder_in_the_watch_ends_driving_at_once() -> None:
    desk = Desk(granting())
    await desk.keep()
    desk.lease.observe(replace(lease("bob@there/9"), duration_s=15))
    assert not desk.lease.is_held
    assert not desk.lease.is_free


async def test_a_missing_right_is_told_once_and_not_asked_for_in_a_loop() -> None:
    desk = Desk(FakeKube({PATH: Forbidden("leases is forbidden", status=403)}))
    assert "leases is forbidden" in await desk.keep()
    desk.lease.keep("uid-cr")
    assert len(desk.kube.sent) == 1
    desk.clock.tick(1.0)
    assert await desk.keep() == ""


async def test_a_lease_that_may_not_be_removed_is_tried_once() -> None:
    desk = Desk(FakeKube({f"{PATH}/emqx-tui-emqx-ee": Forbidden("leases is forbidden", status=403)}))
    desk.lease.observe(lease(""))
    desk.lease.remove_left_over()
    await until(lambda: desk.inbox)
    desk.lease.answered(desk.inbox.pop())
    desk.clock.tick(5.0)
    desk.lease.remove_left_over()
    assert [r.method for r in desk.kube.sent] == ["DELETE"]
    desk.lease.observe(lease("", version="2"))
    desk.lease.remove_left_over()
    await until(lambda: desk.inbox)
    assert len(desk.kube.sent) == 2, "another lease is another question"


async def test_at_the_end_it_is_given_back() -> None:
    desk = Desk(granting())
    await desk.keep()
    desk.clock.tick(4.0)
    await desk.lease.end()
    left_at = desk.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert desk.kube.sent[-1].body["spec"] == {"holderIdentity": "", "renewTime": left_at}
    stalled = Desk(granting())
    await stalled.keep()
    stalled.clock.tick(LEASE_DURATION_S + 1.0)
    await stalled.lease.end()
    assert stalled.kube.sent[-1].body["spec"] == {"holderIdentity": ""}, "it did not drive to the end"
    spectator = Desk(granting())
    spectator.lease.observe(lease())
    await spectator.lease.end()
    assert spectator.kube.sent == []
