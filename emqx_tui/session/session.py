"""One cluster's session: one inbox, one consumer, and the tasks that fill the inbox.

What arrives is judged by the `Reconciler`, one step for all that has come meanwhile. Runs anywhere asyncio runs: in the
engine's thread, headless, or in virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.change import Draft, Plan, ReleaseOptions
from emqx_tui.rollout.decision import CheckResult
from emqx_tui.rollout.intents import Intent
from emqx_tui.session.inputs import (
    SessionInput,
    Submitted,
    Tick,
)
from emqx_tui.session.inspection.inspector import Inspector
from emqx_tui.session.options import Options, Ports
from emqx_tui.session.reconciler import Reconciler
from emqx_tui.session.sources import watches
from emqx_tui.session.sources.pod_report import PodReport, read_report
from emqx_tui.session.views.view import EditPreview, View

TICK_S = 1.1
"""The longest time without a decision. More than a poll of EMQX in a release: its answers are decided on anyway."""


class Session:
    """Looks at one cluster, and drives its release when it is asked to and may."""

    def __init__(
        self,
        namespace: str,
        name: str,
        ports: Ports,
        options: Options,
        publish: Callable[[View], None],
    ) -> None:
        self.namespace = namespace
        self.name = name
        self._ports = ports
        self._options = options
        self._inbox: asyncio.Queue[SessionInput] = asyncio.Queue()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stepped = asyncio.Event()
        """Wakes whoever waits for the next step; never set for longer."""
        self._reconciler = Reconciler(namespace, name, ports, options, publish, put=self._put, spawn=self._spawn)

    # -- for the front ends, from the session's loop --------------------------------------------------------------

    def submit(self, intent: Intent) -> None:
        """Hand over an intent; the answer is a notice in a later view."""
        self._put(Submitted(intent))

    def pressed(self, action: str, place: str) -> None:
        """A person pressed a key of the console."""
        self._reconciler.publisher.pressed(action, place)

    async def run(self) -> None:
        """Look and drive until cancelled; a running drain inside EMQX is left alone."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch(), name="watch")
                group.create_task(self._poll(), name="poll EMQX")
                group.create_task(self._tick(), name="tick")
                group.create_task(self._consume(), name="consume")
        finally:
            await self._stop()

    async def preview_edit(self, number: int, draft: Draft, options: ReleaseOptions) -> EditPreview:
        """Judge an edit: validation, server dry-run, pre-flight, forecast."""
        return await self._reconciler.editor.preview(number, draft, options)

    async def examine(self) -> tuple[CheckResult, ...]:
        """The pre-flight checks as things are: whether a release could start now."""
        return await self._reconciler.editor.examine()

    async def inspect_pod(self, pod: str) -> PodReport | None:
        """Events and log of one pod; None for one that is not there."""
        member = next((member for member in self._reconciler.seen.members if member.name == pod), None)
        return None if member is None else await read_report(self._ports.kube, self.namespace, member)

    def inspector(self) -> Inspector:
        """Answers questions about what is inside the cluster."""
        return Inspector(self._ports.kube, self._ports.emqx, self._ports.clock, self._node_in)

    def _node_in(self, pod: str) -> str:
        broker = self._reconciler.seen.brokers.get(pod)
        return broker.name if broker else ""

    async def save(self, edit: Draft | Plan) -> None:
        """Send an edit that starts no release; the answer is a notice in a later view."""
        self._reconciler.publisher.notify(await self._reconciler.editor.save(edit))
        self._put(Tick())

    # -- tasks ----------------------------------------------------------------------------------------------------

    def _put(self, item: SessionInput) -> None:
        self._inbox.put_nowait(item)

    async def _watch(self) -> None:
        ports = self._ports
        await watches.watch_cluster(
            self.namespace,
            self.name,
            kube=ports.kube,
            latest=self._reconciler.latest,
            until=self._until,
            put=self._put,
        )

    async def _poll(self) -> None:
        """Ask the brokers as soon as it is known which there are."""
        brokers = self._reconciler.brokers
        await asyncio.gather(brokers.log_in(), self._until(lambda seen: seen.pods.is_told))
        await brokers.run()

    async def _until(self, is_true: Callable[[Snapshot], bool]) -> None:
        """Wait for a step that has seen something."""
        while not is_true(self._reconciler.seen):
            await self._stepped.wait()

    async def _tick(self) -> None:
        """Passing time is an input too, as long as no other comes."""
        clock = self._ports.clock
        while True:
            left_s = TICK_S - (clock.now() - self._reconciler.stepped_at).total_seconds()
            if left_s < 0.01:
                self._put(Tick())
                left_s = TICK_S
            # The cluster's clock may be set back meanwhile.
            await clock.sleep(min(left_s, TICK_S))

    async def _consume(self) -> None:
        while True:
            batch = [await self._inbox.get()]
            while not self._inbox.empty():
                batch.append(self._inbox.get_nowait())
            for item in batch:
                self._reconciler.take(item)
            self._reconciler.step()
            self._stepped.set()
            self._stepped.clear()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop(self) -> None:
        await self._reconciler.stop_sending()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._reconciler.release_lease()
