"""The recipe of the README for a release whose journal is gone or cannot be read, done by hand: it cuts nobody off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from emqx_tui.headless.looking import status
from emqx_tui.headless.looking.readiness import is_whole
from emqx_tui.model.evacuation import EvictionStatus
from emqx_tui.rollout.policy import CLOSED_S, Approval
from emqx_tui.rollout.requests import EmqxRequest
from emqx_tui.session.views import facts
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.view import View
from tests.support.desk import Room, killed
from tests.support.rehearsal.ports import SimEmqx, Wire
from tests.support.rehearsal.virtual_loop import run_in

RESOURCE = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee"
JOURNAL = "emqx-tui-emqx-ee"
OWN_DELAY_S = 60


async def until(is_true: Callable[[], bool]) -> None:
    for _ in range(300):
        if is_true():
            return
        await asyncio.sleep(1.0)
    raise AssertionError("not within five minutes")


def is_ready(pod: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))


class ByHand:
    """kubectl and curl."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.world = room.world
        self.emqx = SimEmqx(room.world, Wire())
        self.emqx.set_credentials(*next(iter(room.world.cluster().credentials.items())))

    def patch(self, path: str, body: dict[str, Any]) -> None:
        reply = self.world.api.request("PATCH", path, {}, body, "application/merge-patch+json", manager="kubectl")
        assert reply.status == 200, reply.body

    def patch_spec(self, **spec: Any) -> None:
        self.patch(RESOURCE, {"spec": spec})

    def pods_of(self, name: str) -> list[dict[str, Any]]:
        pods = [p for p in self.world.pods() if p["metadata"]["name"].startswith(f"{name}-")]
        return sorted(pods, key=lambda pod: pod["metadata"]["name"])

    def size(self, name: str) -> int:
        return self.world.store.get("statefulsets", "default", name)["spec"]["replicas"]

    def scale(self, name: str, size: int) -> None:
        path = f"/apis/apps/v1/namespaces/default/statefulsets/{name}/scale"
        self.patch(path, {"spec": {"replicas": size}})

    def address(self, name: str) -> None:
        """Write only pods of this StatefulSet into the listener Endpoints."""
        present = self.world.store.get("endpoints", "default", "emqx-ee")
        ports = [port for subset in present["subsets"] for port in subset["ports"]][
            : len(present["subsets"][0]["ports"])
        ]
        addresses = [{"ip": pod["status"]["podIP"]} for pod in self.pods_of(name)]
        self.patch(
            "/api/v1/namespaces/default/endpoints/emqx-ee", {"subsets": [{"addresses": addresses, "ports": ports}]}
        )

    async def ask(self, pod: str, method: str, path: str, body: Any = None) -> Any:
        reply = await self.emqx.request(EmqxRequest("default", pod, method, f"/api/v4{path}", body))
        assert reply.status == 200, reply
        return reply.body

    async def drain(self, name: str, others: list[str]) -> None:
        """Evacuate the highest pod, and scale down by one when the node itself says that it is empty."""
        pod = f"{name}-{self.size(name) - 1}"
        node = self.world.broker(pod).name
        recipients = [self.world.broker(other).name for other in others]
        body = {"conn_evict_rate": 200, "sess_evict_rate": 200, "wait_takeover": 5, "migrate_to": recipients}
        own = EvictionStatus.from_json(await self.ask(pod, "GET", "/node_eviction/status"))
        if not own.enabled:
            await self.ask(pod, "POST", f"/load_rebalance/{node}/evacuation/start", body)
        own = None
        while own is None or not own.enabled or own.connections:
            await asyncio.sleep(1.0)
            own = EvictionStatus.from_json(await self.ask(pod, "GET", "/node_eviction/status"))
        self.scale(name, self.size(name) - 1)
        await until(lambda: len(self.pods_of(name)) == self.size(name))

    async def stop_evacuations(self, name: str) -> None:
        for pod in self.pods_of(name):
            node = self.world.broker(pod["metadata"]["name"])
            if node.evacuation is not None:
                await self.ask(pod["metadata"]["name"], "POST", f"/load_rebalance/{node.name}/evacuation/stop")

    def status(self) -> dict[str, Any]:
        return self.world.store.get("emqxenterprises", "default", "emqx-ee")["status"]

    async def follow_the_recipe(self, staying: str, leaving: str) -> None:
        self.address(staying)
        await asyncio.sleep(2.0)
        others = [pod["metadata"]["name"] for pod in self.pods_of(staying)]
        while self.size(leaving):
            await self.drain(leaving, others)
        self.patch_spec(blueGreenUpdate={"initialDelaySeconds": CLOSED_S + 500})
        await until(lambda: "blueGreenUpdateStatus" not in self.status())
        self.patch_spec(blueGreenUpdate={"initialDelaySeconds": OWN_DELAY_S})


async def stands_half_way(room: Room, drained: int) -> tuple[str, str]:
    """A release whose driver dies with so many nodes drained; names of blue and green."""
    terminal = room.terminal()
    running = asyncio.create_task(terminal.rollout(approval=Approval.AUTO))

    def is_there(view: View) -> bool:
        blue, green = view.snapshot.blue, view.snapshot.green
        return bool(view.journal and view.journal.cut_over_at and blue and green and blue.replicas <= 3 - drained)

    view = await room.terminal().until(is_there)
    await killed(terminal, running)
    blue, green = view.snapshot.blue, view.snapshot.green
    assert blue
    assert green
    return blue.stateful_set.name, green.stateful_set.name


@pytest.mark.parametrize("drained", [0, 1])
def test_green_stays(drained: int) -> None:
    room = Room()
    room.world.cluster().truth.mark()

    async def work() -> None:
        blue, green = await stands_half_way(room, drained)
        room.world.store.delete("secrets", "default", JOURNAL)
        await ByHand(room).follow_the_recipe(green, blue)
        await is_well(room, "4.4.15")

    run_in(room.world, work())


def test_blue_stays() -> None:
    """Scaled back, with its template put back before anything is drained: else the operator would build green again."""
    room = Room()
    room.world.cluster().truth.mark()

    async def work() -> None:
        blue, green = await stands_half_way(room, 1)
        room.world.store.delete("secrets", "default", JOURNAL)
        by_hand = ByHand(room)
        await by_hand.stop_evacuations(blue)
        by_hand.scale(blue, 3)
        await until(lambda: sum(is_ready(pod) for pod in by_hand.pods_of(blue)) == 3)
        by_hand.patch_spec(template={"spec": {"emqxContainer": {"image": {"version": "4.4.14"}}}})
        await by_hand.follow_the_recipe(blue, green)
        await is_well(room, "4.4.14")

    run_in(room.world, work())


def test_a_journal_that_nobody_can_read_is_said_with_the_way_out() -> None:
    room = Room()
    room.world.cluster().truth.mark()

    async def work() -> None:
        blue, green = await stands_half_way(room, 1)
        room.world.store.patch("secrets", "default", JOURNAL, {"data": {"journal": "ew=="}}, "merge")
        view = await room.terminal().until(lambda view: is_whole(view) and view.role is Role.WATCH_ONLY)
        assert "put the Secret back as it was, or see 'Without a journal' in the README" in view.role_reason
        assert any("put the Secret back as it was" in line for line in status.lines(view))
        room.world.store.delete("secrets", "default", JOURNAL)
        await ByHand(room).follow_the_recipe(green, blue)
        await is_well(room, "4.4.15")

    run_in(room.world, work())


async def is_well(room: Room, version: str) -> None:
    """As after any release, and nobody was cut off but by an evacuation."""
    await asyncio.sleep(120.0)
    view = await room.terminal().until(is_whole)
    resource, truth = view.snapshot.resource.value, room.world.cluster().truth
    assert resource is not None
    assert (resource.image.version, resource.is_running, resource.blue_green_status) == (version, True, None)
    assert [s.replicas for s in view.snapshot.sets if s.replicas] == [3]
    assert facts.unjournaled(view) is None
    assert view.snapshot.slice_ips == {member.pod.ip for member in view.snapshot.members}
    assert (truth.since_mark().killed, truth.since_mark().lost, truth.offline < 30) == (0, 0, True)
