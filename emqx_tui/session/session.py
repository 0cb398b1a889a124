"""One cluster's session: one inbox, one consumer, one published View.

Owns the only copy of what is known and thought of the cluster. Journal first, then commands; a command is sent only by
the holder of the lease. Runs anywhere asyncio runs: in the engine's thread, headless, or in virtual time.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from emqx_tui.model.errors import AdapterError
from emqx_tui.model.kinds import Kind
from emqx_tui.model.series import Series
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.change import Draft, Plan
from emqx_tui.rollout.checks import preflight
from emqx_tui.rollout.commands import (
    ApplyTemplate,
    CloseValve,
    Command,
    Nudge,
    RestoreDelay,
    RestoreTemplate,
)
from emqx_tui.rollout.decide import DecisionSettings, decide
from emqx_tui.rollout.decision import Decision, RefusalReason
from emqx_tui.rollout.expectations import Expectations
from emqx_tui.rollout.intents import Intent, Start
from emqx_tui.rollout.journal import Journal
from emqx_tui.rollout.memory import Memory
from emqx_tui.rollout.observations import sample_of
from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.policy import is_closed
from emqx_tui.session import records, sources, view_builder
from emqx_tui.session.driver_lease import DriverLease, LeaseAnswered
from emqx_tui.session.edit_preview import preview, save
from emqx_tui.session.executor import CommandDone, CommandFailed, Executor
from emqx_tui.session.journal_book import IntentAgain, JournalBook, JournalWritten
from emqx_tui.session.log import EventLog
from emqx_tui.session.options import Options, Ports
from emqx_tui.session.ports import Changed
from emqx_tui.session.store import BrokerAnswer, Store, fold, snapshot
from emqx_tui.session.view import Arrival, EditPreview, Notice, NoticeKind, View

TICK_S = 0.5
MAX_JUDGED = 8
"""Assessments that are remembered: a card may show an older one than the newest."""
CLOSE_AGAIN_S = 10.0
"""Between two attempts to remove the journal of a release that has ended."""

_PATCHES_OF_RESOURCE = (ApplyTemplate, Nudge, CloseValve, RestoreDelay, RestoreTemplate)


@dataclass(frozen=True)
class _Tick:
    pass


@dataclass(frozen=True)
class _Submitted:
    intent: Intent


@dataclass(frozen=True)
class _Closed:
    """The end of a release was written down and its records are removed."""

    error: AdapterError | None = None


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
        self._publish = publish
        self._inbox: asyncio.Queue[Any] = asyncio.Queue()
        self._store = Store(namespace, name)
        self._memory = Memory()
        self._book = JournalBook(namespace, name, ports, self._put, self._spawn)
        self._lease = DriverLease(namespace, name, ports, self._put)
        self._close_failed_at: float | None = None
        self._wants_to_drive = False
        self._closing = False
        self._intents: list[Intent] = []
        self._judged: list[EditPreview] = []
        self._executor = Executor(ports.kube, ports.emqx, self._put, self._may_advance)
        self._series = Series()
        self._log = EventLog()
        self._decision = Decision(Phase.IDLE)
        self._notice: Notice | None = None
        self._notice_number = 0
        self._arrival: Arrival | None = None
        self._seen_release = ""
        self._finished: Journal | None = None
        self._result = ""
        self._sequence = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self.view: View | None = None

    # -- what others may call, from the session's loop ------------------------------------------------------------

    def submit(self, intent: Intent) -> None:
        """Hand over an intent; the answer is the next view's notice."""
        self._put(_Submitted(intent))

    async def run(self) -> None:
        """Look and drive until cancelled; a running drain inside EMQX is left alone."""
        clock = self._ports.clock
        brokers = sources.Brokers(
            self.namespace,
            self.name,
            kube=self._ports.kube,
            emqx=self._ports.emqx,
            clock=clock,
            latest=self._snapshot,
            put=self._put,
        )
        self._brokers = brokers
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch(), name="watch")
                group.create_task(brokers.run(), name="poll EMQX")
                group.create_task(self._tick(), name="tick")
                group.create_task(self._consume(), name="consume")
        finally:
            await self._stop()

    async def preview_edit(
        self, number: int, draft: Draft, approval: str, *, late_removal: bool, parallel_drains: int
    ) -> EditPreview:
        """Judge an edit: validation, server dry-run, pre-flight, forecast."""
        judged = await preview(
            number,
            draft,
            approval,
            late_removal=late_removal,
            parallel_drains=parallel_drains,
            latest=self._snapshot,
            kube=self._ports.kube,
            log_in=self._brokers.log_in,
            policy=self._options.policy,
            journal_secret=self._book.secret,
        )
        self._judged = [*self._judged[1 - MAX_JUDGED :], judged]
        return judged

    async def save(self, edit: Draft | Plan) -> None:
        """Send an edit that starts no release; the answer is the next view's notice."""
        if self._options.read_only:
            self._notify(Notice.refused("this console was started read-only", RefusalReason.NOT_ALLOWED))
        elif self._book.present is not None:
            self._notify(
                Notice.refused("a release is under way, the object is not to be changed now", RefusalReason.UNDER_WAY)
            )
        else:
            answer, stored = await save(edit, self._snapshot(), self._ports.kube)
            if stored is not None:
                self._put(stored)
            self._notify(answer)
        self._put(_Tick())

    # -- tasks ----------------------------------------------------------------------------------------------------

    def _put(self, item: Any) -> None:
        self._inbox.put_nowait(item)

    async def _watch(self) -> None:
        ports = self._ports
        await sources.watch_cluster(
            self.namespace, self.name, kube=ports.kube, clock=ports.clock, latest=self._snapshot, put=self._put
        )

    async def _tick(self) -> None:
        while True:
            await self._ports.clock.sleep(TICK_S)
            self._put(_Tick())

    async def _consume(self) -> None:
        while True:
            batch = [await self._inbox.get()]
            while not self._inbox.empty():
                batch.append(self._inbox.get_nowait())
            for item in batch:
                self._take(item)
            self._step()

    # -- one input ------------------------------------------------------------------------------------------------

    def _take(self, item: Any) -> None:
        now = self._ports.clock.now()
        match item:
            case _Tick():
                return
            case IntentAgain(refused=refused) if refused:
                self._notify(Notice.refused(refused, RefusalReason.NOT_WRITTEN))
            case _Submitted(intent=intent) | IntentAgain(intent=intent):
                self._intents.append(intent)
            case CommandDone():
                self._command_done(item)
            case CommandFailed(command=command, message=message, is_refusal=is_refusal, lost_race=lost_race):
                self._expect(self._memory.expectations.failed(command, message, is_refusal=is_refusal, now=now))
                self._log.failed(now, command, message, is_routine=lost_race)
                self._record("command-failed", {"command": command.describe(), "message": message})
            case JournalWritten():
                self._journal_written(item)
            case LeaseAnswered():
                if words := self._lease.answered(item):
                    self._log.say(now, words)
            case _Closed(error=error):
                self._closed(error)
            case _:
                self._store = fold(self._store, item, now)
                self._follow(item)

    def _follow(self, item: Any) -> None:
        """What an observation means beyond the store: the journal, the lease, the log, the samples."""
        kind = getattr(item, "kind", None)
        if kind is Kind.SECRET:
            self._take_journal()
        elif kind is Kind.LEASE:
            self._note_driver()
            self._lease.observe(self._store.lease())
        elif kind is Kind.EVENT:
            self._log.events(self._store.collection(Kind.EVENT).objects.values())
        elif isinstance(item, BrokerAnswer):
            sample = sample_of(self._snapshot())
            if sample is not None:
                self._series.add(sample)

    def _arrive(self) -> None:
        """A release that is seen for the first time and was not begun here."""
        journal = self._book.stored
        if journal is None or journal.release_id == self._seen_release:
            return
        self._seen_release = journal.release_id
        self._arrival = Arrival(self._ports.clock.now())
        self._note_driver()
        self._log.past(journal)

    def _note_driver(self) -> None:
        """When somebody else was last seen to drive: from then on nobody did, or this console."""
        lease = self._store.lease()
        if self._arrival is not None and lease is not None and lease.holder != self._ports.host.identity:
            self._arrival = replace(self._arrival, driven_until=lease.renewed_at)

    def _take_journal(self) -> None:
        """The journal as the cluster has it. While a write of ours is on its way, its answer decides."""
        if self._closing:
            return
        vanished = self._book.take(self._store.secret(), self._snapshot().resource.value)
        self._arrive()
        if vanished is None:
            return
        if self._lease.is_held and self._decision.phase not in FINAL:
            # Nobody but the driver ends a release: left alone it would stand half-way, with the operator held.
            self._log.alarm(self._ports.clock.now(), "somebody removed the journal: it is written again")
            self._book.write(vanished, None)
        else:
            self._ended_elsewhere(vanished)

    def _ended_elsewhere(self, journal: Journal) -> None:
        """The journal is gone and it was not us: another console came to the end, or somebody removed it."""
        resource = self._snapshot().resource.value
        wanted = journal.originals.template_mark if journal.abort else journal.target_mark
        is_there = resource is not None and wanted in ("", resource.template_mark)
        parameters = resource.blue_green if resource else None
        is_free = not (parameters and is_closed(parameters.effective_delay_s))
        self._finished = journal
        self._result = ("aborted" if journal.abort else "done") if is_there and is_free else "failed"
        self._wants_to_drive = False
        self._lease.forget()
        self._memory = self._memory.afresh()
        now = self._ports.clock.now()
        if self._result == "failed":
            self._log.alarm(now, "the journal was removed before the release had ended")
        else:
            self._log.say(now, f"the release is {self._result}")
        self._record("closed", {"result": self._result, "elsewhere": True})

    def _command_done(self, done: CommandDone) -> None:
        now = self._ports.clock.now()
        command = done.command
        self._expect(self._memory.expectations.succeeded(command, now))
        self._log.done(now, command, done.note)
        self._record("command-done", {"command": command.describe(), "note": done.note})
        if done.observed is None:
            return
        self._store = fold(self._store, done.observed, now)
        if isinstance(command, _PATCHES_OF_RESOURCE):
            self._expect(self._memory.expectations.awaiting_ack(command, done.observed.object, now))

    def _expect(self, awaited: Expectations) -> None:
        self._memory = replace(self._memory, expectations=awaited)

    # -- deciding -------------------------------------------------------------------------------------------------

    def _snapshot(self) -> Snapshot:
        journal = self._book.present
        blue_uid = journal.originals.blue_uid if journal else ""
        green_uid = journal.green_uid if journal else ""
        return snapshot(self._store, self._ports.clock.now(), blue_uid, green_uid)

    def _step(self) -> None:
        if not self._intents:
            self._decide(None)
        while self._intents and self._book.writing is None:
            intent = self._intents.pop(0)
            if refusal := self._refusal(intent):
                self._notify(refusal)
                continue
            self._decide(intent)
            if self._decision.accepted:
                self._wants_to_drive, self._arrival = True, None
        self._keep_lease()
        self._show()

    def _refusal(self, intent: Intent) -> Notice | None:
        """Why this intent is not even decided on; None when it may be."""
        not_allowed = self._book.problem or view_builder.missing_right(self._store)
        if self._options.read_only:
            not_allowed = "this console was started read-only"
        if not_allowed:
            return Notice.refused(not_allowed, RefusalReason.NOT_ALLOWED)
        return self._refusal_to_start(intent) if isinstance(intent, Start) else None

    def _refusal_to_start(self, intent: Start) -> Notice | None:
        """The front ends refuse these too; a release must not depend on that."""
        if not self._lease.is_free:
            return Notice.refused(f"{self._lease.holder or 'somebody'} drives this cluster", RefusalReason.UNDER_WAY)
        judged = next((found for found in reversed(self._judged) if found.plan == intent.plan), None)
        if judged is None:
            return Notice.refused(
                "this session has not checked this plan: look at the change again", RefusalReason.SUPERSEDED
            )
        stopping = preflight.blocking(judged.checks, intent.overrides)
        return Notice.refused(f"{stopping[0].name}: {stopping[0].evidence}") if stopping else None

    def _decide(self, intent: Intent | None) -> None:
        journal = self._book.present
        settings = DecisionSettings(self._options.policy, self._options.console_version, uuid.uuid4().hex[:12])
        seen = self._snapshot()
        before = self._decision
        self._decision, memory = decide(self._memory, seen, journal, intent, settings)
        self._memory = memory
        self._note_decision(before, intent)
        wanted = self._decision.journal
        if self._closing or self._options.read_only:
            return
        is_driver, is_last = self._lease.is_held, bool(self._decision.finished)
        if wanted is not None and self._book.must_write(wanted, intent, is_driver=is_driver, is_last=is_last):
            if intent is not None or self._book.may_write:
                if isinstance(intent, Start):
                    self._seen_release, self._arrival = wanted.release_id, None
                self._book.write(wanted, intent)
            self._close_valve()
            return
        if is_driver and not self._book.may_act:
            self._close_valve()
        elif is_driver:
            self._send(self._decision.commands)
            if is_last and not self._memory.expectations.in_flight:
                self._begin_close()

    async def _may_advance(self) -> str:
        """Why the command that is about to leave must not; empty when the journal in the cluster still allows it.

        A watch can be late, or silent without a word: a hold must not wait for it.
        """
        if why_not := await self._book.still_stands():
            return why_not
        return "" if self._lease.is_held else "this console drives no longer"

    def _close_valve(self) -> None:
        """The one command that does not wait for the journal, should that be slow or not writable."""
        if self._lease.is_held and self._book.stored is not None and not self._book.is_stale:
            self._send(tuple(c for c in self._decision.commands if isinstance(c, CloseValve)))

    def _journal_written(self, answer: JournalWritten) -> None:
        if words := self._book.written(answer):
            self._notify(Notice.refused(words, RefusalReason.NOT_WRITTEN))
        elif answer.secret is not None:
            # Watch events that came meanwhile were left aside: one of them may be newer than our own write.
            written = Changed(Kind.SECRET, (self.namespace, answer.secret.name), answer.secret)
            self._store = fold(self._store, written, self._ports.clock.now())
            self._take_journal()
            self._record("journal", {"approvals": len(answer.journal.approvals), "phase": str(self._decision.phase)})

    def _send(self, commands: tuple[Command, ...]) -> None:
        now = self._ports.clock.now()
        for command in commands:
            if self._executor.send(command):
                self._expect(self._memory.expectations.sent(command, now))
                self._log.sent(now, command)
                self._record("command", {"command": command.describe(), "advancing": command.advancing})

    def _keep_lease(self) -> None:
        """Take or renew the lease when there is something to drive."""
        resource = self._snapshot().resource.value
        is_known = self._store.collection(Kind.LEASE).read_at is not None
        wanted = self._book.stored is not None and (self._options.drives or self._wants_to_drive)
        if wanted and is_known and resource is not None and not self._options.read_only and not self._closing:
            self._lease.keep(resource.meta.uid, is_onlooker=not self._wants_to_drive)

    # -- the end of a release -------------------------------------------------------------------------------------

    def _begin_close(self) -> None:
        failed_at = self._close_failed_at
        if failed_at is not None and self._ports.clock.monotonic() - failed_at < CLOSE_AGAIN_S:
            return
        self._closing = True
        journal, result = self._book.stored, self._decision.finished
        assert journal is not None
        self._finished, self._result = journal, result
        self._spawn(self._close(journal, result))

    async def _close(self, journal: Journal, result: str) -> None:
        """Result as an Event, then the journal goes, then the lease."""
        kube, resource = self._ports.kube, self._snapshot().resource.value
        try:
            await records.end_release(
                kube, journal, result, resource, self._book.secret, self._lease.lease, self._ports.clock.now()
            )
            self._put(_Closed())
        except AdapterError as error:
            self._put(_Closed(error))

    def _closed(self, error: AdapterError | None) -> None:
        self._closing = False
        if error is not None:
            self._close_failed_at = self._ports.clock.monotonic()
            words = f"the release is {self._result}, but its journal could not be removed: {error.message}"
            self._notify(Notice(NoticeKind.PROBLEM, words))
            return
        self._book.forget()
        self._lease.forget()
        self._wants_to_drive = False
        self._memory = self._memory.afresh()
        self._log.say(self._ports.clock.now(), f"the release is {self._result}")
        self._record("closed", {"result": self._result})

    # -- publishing --------------------------------------------------------------------------------------------------

    def _notify(self, notice: Notice) -> None:
        self._notice = notice
        self._notice_number += 1
        self._log.say(self._ports.clock.now(), str(notice))

    def _note_decision(self, before: Decision, intent: Intent | None) -> None:
        now, decision = self._ports.clock.now(), self._decision
        if intent is not None and decision.accepted:
            self._notify(Notice(NoticeKind.ACCEPTED, decision.accepted))
        elif intent is not None and decision.refused:
            self._notify(Notice.refused(decision.refused, decision.refusal))
        if before.phase is not decision.phase:
            self._log.say(now, f"{decision.phase}")
            self._record("phase", {"phase": str(decision.phase)})
        known = {alarm.check for alarm in before.alarms}
        for alarm in decision.alarms:
            if alarm.check not in known:
                self._log.alarm(now, alarm.evidence)
                self._record("alarm", {"check": alarm.check, "evidence": alarm.evidence})

    def _show(self) -> None:
        self._sequence += 1
        seen = self._snapshot()
        journal = self._book.present
        driver = self._lease.holder
        role, reason = view_builder.role(
            read_only=self._options.read_only,
            journal_problem=self._book.problem,
            is_driver=self._lease.is_held,
            other_driver="" if self._lease.is_free else driver,
            missing=view_builder.missing_right(self._store),
        )
        self.view = View(
            snapshot=seen,
            decision=self._decision,
            journal=journal or self._finished,
            role=role,
            role_reason=reason,
            driver=driver,
            samples=self._series.frozen(),
            ledger=self._memory.observations.ledger,
            log=self._log.lines(),
            in_flight=tuple(sorted(self._memory.expectations.in_flight)),
            notice=self._notice,
            notice_number=self._notice_number,
            health=view_builder.health(self._store, seen),
            drain_initial=view_builder.drain_initial(self._memory.observations),
            rates=view_builder.leaving_rates(self._memory.observations),
            result=self._result if journal is None else "",
            arrival=self._arrival if journal else None,
            is_unwritten=self._book.writing is not None or self._book.is_stale,
            driver_seen_s=self._lease.other_seen_s,
            policy=self._options.policy,
            sequence=self._sequence,
        )
        self._publish(self.view)

    def _record(self, event: str, fields: Mapping[str, Any]) -> None:
        recorder = self._ports.recorder
        if recorder is not None:
            recorder.record(event, {"at": self._ports.clock.now().isoformat(), **fields})

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop(self) -> None:
        await self._executor.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._lease.end()
