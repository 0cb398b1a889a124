"""The operator's process: when passes run, and how the process ends.

Owns the worker (one for all EmqxEnterprise objects), the triggers, crashes and restarts. A pass that panics takes the
process with it; it comes back after a back-off that doubles, as a crash-looping container does, and then works on every
object at once. While the process is down its webhooks are down too.
"""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass

from emqx_tui.sandbox.controllers.event_recorder import EventRecorder, Report
from emqx_tui.sandbox.controllers.informer import Informer
from emqx_tui.sandbox.controllers.work_queue import WorkQueue
from emqx_tui.sandbox.emqx.brokers import Brokers
from emqx_tui.sandbox.kube.objects import Key, Object, is_terminating, key_of
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.operator.errors import Panic, PassError
from emqx_tui.sandbox.operator.lines import Line
from emqx_tui.sandbox.operator.reconcile import SOON_S, reconcile
from emqx_tui.sandbox.operator.reconcile_pass import OperatorContext, Pass
from emqx_tui.sandbox.timeline import Timeline, Timer

logger = logging.getLogger(__name__)

COMPONENT = "emqx-controller"
START_S = 3.0
"""From the container's start to the first pass, without a leader to wait for."""
_CRASH_BACK_OFF_S = (0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
_GOOD_FOR_S = 600.0
"""A process that lived this long starts again with the shortest back-off."""


@dataclass(frozen=True)
class PassRecord:
    """A finished pass, for tests and traces."""

    key: Key
    began_at: float
    ended_at: float
    full: bool
    """it reached the listener step"""
    outcome: str
    """the requeue in seconds, or the error"""


class Operator:
    """Runs passes while `down` is False."""

    def __init__(
        self, store: Store, timeline: Timeline, informer: Informer, rng: random.Random, brokers: Brokers, line: Line
    ) -> None:
        self.line = line
        self.restarts = 0
        self.passes: deque[PassRecord] = deque(maxlen=5000)
        """The latest passes, oldest first."""
        self.reports: deque[Report] = deque(maxlen=5000)
        """Every event that the operator recorded, before the Event correlator merged or dropped it."""
        self.panics: list[tuple[float, str]] = []
        self.on_state: Callable[[bool], None] = lambda _: None
        """called when the process starts (True) or ends (False)"""
        self._store = store
        self._timeline = timeline
        self.context = OperatorContext(store, timeline, rng, brokers, line, self._recorder())
        self._queue = WorkQueue(timeline, self._work)
        self._generations: dict[Key, int] = {}
        self._running = False
        self._stopped_on_purpose = False
        self._busy: Key | None = None
        self._resume: Timer | None = None
        self._restart: Timer | None = None
        self._crashes = 0
        self._started_at = 0.0
        informer.on("emqxenterprises", self._on_enterprise)

    # -- knobs

    @property
    def running(self) -> bool:
        """The process is up: it reconciles and answers webhooks."""
        return self._running

    @property
    def down(self) -> bool:
        """Scaled down; setting it stops or starts the process immediately."""
        return self._stopped_on_purpose

    @down.setter
    def down(self, value: bool) -> None:
        self._stopped_on_purpose = value
        if value:
            self._stop()
        elif not self._running:
            self.start()

    def start(self) -> None:
        """The process is up and leads; every object gets a pass now."""
        self._cancel_restart()
        self._running = True
        self._started_at = self._timeline.now
        self.context.recorder = self._recorder()
        self._generations.clear()
        self.on_state(True)
        for cr in self._store.list("emqxenterprises"):
            self._generations[key_of(cr)] = cr["metadata"]["generation"]
            self._queue.add(key_of(cr))

    def restart(self, *, after_s: float = START_S) -> None:
        """A restart without a crash: a rollout of the Deployment, a change of the leader."""
        self._stop()
        if not self._stopped_on_purpose:
            self._restart = self._timeline.after(after_s, self.start)

    def upgrade(self, line: Line) -> None:
        """Restart as another release."""
        self.line = self.context.line = line
        self.context.generated_sets.clear()
        self.restart()

    def forget_events(self) -> None:
        """Reset the Event correlator, as hours without an event do."""
        self.context.recorder = self._recorder()

    def next_pass_at(self, key: Key) -> float | None:
        """The deadline of the next pass that is due by itself."""
        return self._queue.next_due_at(key)

    def _recorder(self) -> EventRecorder:
        return EventRecorder(self._store, self._timeline, COMPONENT, self.reports)

    # -- triggers

    def _on_enterprise(self, event_type: str, cr: Object) -> None:
        if not self._running:
            return
        key, generation = key_of(cr), cr["metadata"]["generation"]
        if event_type == "DELETED":
            self._generations.pop(key, None)
            self.context.generated_sets.pop(cr["metadata"]["uid"], None)
        elif event_type == "MODIFIED" and self.line.ignores_status_writes and self._generations.get(key) == generation:
            return
        else:
            self._generations[key] = generation
        self._queue.add(key)

    # -- the worker

    def _work(self) -> None:
        while self._running and self._busy is None:
            key = self._queue.take()
            if key is None:
                return
            cr = self._store.find("emqxenterprises", *key)
            if cr is None or is_terminating(cr):
                self._queue.forget(key)
                self._queue.done(key)
                continue
            self._busy = key
            run = Pass(self.context, cr)
            self._go_on(key, run, reconcile(run), began_at=self._timeline.now)

    def _go_on(self, key: Key, run: Pass, steps: Generator[float, None, float], *, began_at: float) -> None:
        """Run the pass until it has to wait, ends or fails."""
        try:
            wait_s = next(steps)
        except StopIteration as ended:
            self._queue.forget(key)
            self._queue.add_after(key, ended.value)
            self._finish(key, run, began_at, f"again in {ended.value:g} s")
        except PassError as failed:
            if failed.is_common:
                self._queue.forget(key)
                self._queue.add_after(key, SOON_S)
            else:
                self._queue.add_failed(key)
            self._finish(key, run, began_at, str(failed))
        except Panic as panic:
            self._crash(str(panic))
        except Exception as failed:
            logger.exception("a pass over %s failed", key[1])
            self._queue.add_failed(key)
            self._finish(key, run, began_at, repr(failed))
        else:
            self._resume = self._timeline.after(wait_s, lambda: self._resumed(key, run, steps, began_at))

    def _resumed(self, key: Key, run: Pass, steps: Generator[float, None, float], began_at: float) -> None:
        self._go_on(key, run, steps, began_at=began_at)
        self._work()

    def _finish(self, key: Key, run: Pass, began_at: float, outcome: str) -> None:
        self.passes.append(PassRecord(key, began_at, self._timeline.now, run.full, outcome))
        self._busy = None
        self._queue.done(key)

    # -- the end of the process

    def _crash(self, why: str) -> None:
        self.panics.append((self._timeline.now, why))
        if self._timeline.now - self._started_at > _GOOD_FOR_S:
            self._crashes = 0
        wait_s = _CRASH_BACK_OFF_S[min(self._crashes, len(_CRASH_BACK_OFF_S) - 1)] + START_S
        self._crashes += 1
        self._stop()
        self._restart = self._timeline.after(wait_s, self.start)

    def _stop(self) -> None:
        """A pass under way ends between two steps and is never resumed."""
        self._cancel_restart()
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
        self._busy = None
        self._queue.close()
        if self._running:
            self._running = False
            self.restarts += 1
            self.on_state(False)

    def _cancel_restart(self) -> None:
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
