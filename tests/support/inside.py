"""The screens of what is inside a cluster, on a scripted engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from textual.pilot import Pilot

from emqx_tui.model.claims import Claim
from emqx_tui.model.containers import Container, PodCondition, Termination
from emqx_tui.session.inspection.questions import Answer, Inventory, Question
from emqx_tui.session.views.view import View
from emqx_tui.ui.app import ConsoleApp
from emqx_tui.ui.objects.screen import ObjectsScreen
from emqx_tui.ui.shell.messages import ObjectsWanted
from tests.support import releases
from tests.support.releases import BLUE, GREEN, NAMESPACE, NOW
from tests.support.screen_text import text, until, until_shown
from tests.support.scripted import ScriptedBackend

SMALL = (80, 24)
TROUBLED = f"{GREEN}-0"
STARTED = NOW - timedelta(seconds=60)
EMQX = Container(
    "emqx",
    "emqx/emqx-ee:4.4.15",
    False,
    2,
    "",
    "",
    STARTED,
    None,
    Termination("OOMKilled", 137, "token=s3cret", STARTED),
)
RELOADER = Container("reloader", "emqx/reloader:1", True, 0, "", "", NOW, None, None)


def view() -> View:
    """A drain; one green pod has restarted, and is not Ready."""
    found = releases.draining()
    pods = tuple(
        replace(
            pod,
            is_ready=False,
            restarts=2,
            containers=(EMQX, RELOADER),
            conditions=(PodCondition("Ready", "False", "ContainersNotReady", "not [bold]ready[/bold]", NOW),),
            readiness_gates=("apps.emqx.io/on-serving",),
        )
        if pod.name == TROUBLED
        else replace(pod, containers=(EMQX, RELOADER))
        for pod in found.snapshot.pods.value or ()
    )
    pods = tuple(pod if pod.name == TROUBLED else replace(pod, containers=(RELOADER,)) for pod in pods)
    return replace(found, snapshot=replace(found.snapshot, pods=replace(found.snapshot.pods, value=pods)))


def claim(name: str) -> Claim:
    body: dict[str, Any] = {"metadata": {"name": name, "namespace": NAMESPACE}}
    return Claim.from_json({**body, "status": {"phase": "Bound", "capacity": {"storage": "20Gi"}}})


def inventory(*claims: Claim, **more: Any) -> Inventory:
    return Inventory(NAMESPACE, "emqx-ee", claims, **more)


class Inside:
    """The app on these screens, and the engine that it believes in."""

    def __init__(self, pilot: Pilot, app: ConsoleApp, backend: ScriptedBackend) -> None:
        self.pilot, self.app, self.backend = pilot, app, backend

    @property
    def shown(self) -> str:
        return text(self.app)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def choose(self, key: str) -> None:
        """Put the cursor on the row with this key."""
        for _ in range(40):
            screen = self.app.screen
            assert isinstance(screen, ObjectsScreen)
            if screen.selected and screen.selected.key.startswith(key):
                return
            await self.press("down")
        raise AssertionError(f"no row {key}:\n{self.shown}")

    @property
    def question(self) -> Question:
        """The newest one."""
        return self.backend.questions[-1][1]

    async def answer(self, **fields: Any) -> None:
        """The engine's answer to the newest question."""
        number = self.backend.questions[-1][0]
        self.backend.given_answer = given = Answer(number, **fields)
        self.backend.publish()
        await until(self.pilot, lambda: self.app.published.answer is given)
        await self.pilot.pause()

    async def shows(self, *words: str) -> None:
        await until_shown(self.pilot, *words)


@asynccontextmanager
async def inside(
    size: tuple[int, int] = SMALL, known: Inventory | None = None, shown: View | None = None, **fields: Any
) -> AsyncIterator[Inside]:
    """The objects of the cluster of `view()`."""
    backend = ScriptedBackend(shown_view=shown or view(), given_inventory=known or inventory())
    app = ConsoleApp(backend, **fields)
    async with app.run_test(size=size) as pilot:
        await until_shown(pilot, "mqtt-stg")
        app.post_message(ObjectsWanted((NAMESPACE, "emqx-ee")))
        await until_shown(pilot, "NAME", BLUE)
        await until(pilot, lambda: isinstance(app.screen, ObjectsScreen) and app.screen.selected)
        yield Inside(pilot, app, backend)
