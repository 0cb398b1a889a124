"""One cluster's session: one inbox, one consumer, one published View.

Owns the only copy of what is known and thought of the cluster. Journal first, then commands; a command is sent only by
the holder of the lease. Runs anywhere asyncio runs: in the engine's thread, headless, or in virtual time.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from emqx_tui.model.errors import AdapterError, Conflict, NotFound
from emqx_tui.model.kinds import Kind
from emqx_tui.model.series import Series
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.change import Draft, Plan
from emqx_tui.rollout.commands import (
    ApplyTemplate,
    CloseValve,
    Command,
    Nudge,
    RestoreDelay,
    RestoreTemplate,
)
from emqx_tui.rollout.decide import Context, decide
from emqx_tui.rollout.decision import Decision
from emqx_tui.rollout.intents import Intent, Start
from emqx_tui.rollout.journal import Journal
from emqx_tui.rollout.memory import Memory, awaiting_ack, failed, sample_of, sent, succeeded
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import is_closed
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.session import lease as leases
from emqx_tui.session import records, sources
from emqx_tui.session.assess import assess as assess_edit
from emqx_tui.session.assess import save as save_edit
from emqx_tui.session.executor import CommandDone, CommandFailed, Executor
from emqx_tui.session.log import EventLog
from emqx_tui.session.options import Options, Outside
from emqx_tui.session.ports import Changed, Removed
from emqx_tui.session.store import BrokerAnswer, Store, fold, snapshot
from emqx_tui.session.view import REFUSED, Assessment, Role, SourceHealth, View

TICK_S = 0.5
MAX_LOST_RACES = 3
"""How often an intent is decided on anew because somebody else wrote the journal at the same moment."""
CLOSE_AGAIN_S = 10.0
"""Between two attempts to remove the journal of a release that has ended."""
TOTALS_EVERY_S = 30.0
"""Counters alone are written to the journal this often; with anything else they go at once."""

_PATCHES_OF_RESOURCE = (ApplyTemplate, Nudge, CloseValve, RestoreDelay, RestoreTemplate)


@dataclass(frozen=True)
class _Tick:
    pass


@dataclass(frozen=True)
class _Submitted:
    intent: Intent


@dataclass(frozen=True)
class _JournalWritten:
    journal: Journal
    secret: Any
    error: AdapterError | None = None


@dataclass(frozen=True)
class _LeaseAnswered:
    lease: Any
    error: AdapterError | None = None


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
        outside: Outside,
        options: Options,
        publish: Callable[[View], None],
    ) -> None:
        self.namespace = namespace
        self.name = name
        self._outside = outside
        self._options = options
        self._publish = publish
        self._inbox: asyncio.Queue[Any] = asyncio.Queue()
        self._store = Store(namespace, name)
        self._memory = Memory()
        self._journal: Journal | None = None
        self._secret: Any = None
        self._journal_problem = ""
        self._writing: Journal | None = None
        self._written_for: Intent | None = None
        self._lost_races = 0
        self._is_journal_stale = False
        self._close_failed_at: float | None = None
        self._totals_written_at: Any = None
        self._lease = leases.LeaseWatch()
        self._lease_task: asyncio.Task[None] | None = None
        self._lease_held_at: float | None = None
        self._lease_asked_at = 0.0
        self._wants_to_drive = False
        self._closing = False
        self._intents: list[Intent] = []
        self._executor = Executor(outside.kube, outside.emqx, self._put)
        self._series = Series()
        self._log = EventLog()
        self._decision = Decision(Phase.IDLE)
        self._notice = ""
        self._notice_number = 0
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
        clock = self._outside.clock
        brokers = sources.Brokers(
            self.namespace,
            self.name,
            kube=self._outside.kube,
            emqx=self._outside.emqx,
            clock=clock,
            latest=self._snapshot,
            put=self._put,
        )
        self._brokers = brokers
        try:
            async with asyncio.TaskGroup() as group:
                for kind in (Kind.EMQX_ENTERPRISE, Kind.SECRET, Kind.LEASE):
                    self._watch(group, kind)
                group.create_task(self._watch_rest(group), name="watch the rest")
                group.create_task(brokers.run(), name="poll EMQX")
                group.create_task(self._tick(), name="tick")
                group.create_task(self._read_operator(), name="read the operator's image")
                group.create_task(self._consume(), name="consume")
        finally:
            await self._stop()

    async def assess(
        self, number: int, draft: Draft, approval: str, *, late_removal: bool, parallel_drains: int
    ) -> Assessment:
        """Judge an edit: validation, server dry-run, pre-flight, forecast."""
        return await assess_edit(
            number,
            draft,
            approval,
            late_removal=late_removal,
            parallel_drains=parallel_drains,
            latest=self._snapshot,
            kube=self._outside.kube,
            log_in=self._brokers.log_in,
            policy=self._options.policy,
            journal_secret=self._secret,
        )

    async def save(self, edit: Draft | Plan) -> None:
        """Send an edit that starts no release; the answer is the next view's notice."""
        if self._options.read_only:
            self._say(f"{REFUSED}read-only")
        elif self._journal is not None:
            self._say(f"{REFUSED}a release is under way, the object is not to be changed now")
        else:
            answer, changed = await save_edit(edit, self._snapshot(), self._outside.kube)
            if changed is not None:
                self._put(changed)
            self._say(answer)
        self._put(_Tick())

    # -- tasks ----------------------------------------------------------------------------------------------------

    def _put(self, item: Any) -> None:
        self._inbox.put_nowait(item)

    def _watch(self, group: asyncio.TaskGroup, kind: Kind) -> None:
        resource = self._snapshot().resource.value
        scope = sources.scopes(self.namespace, self.name, resource.service_name if resource else self.name)[kind]
        group.create_task(self._outside.kube.watch(kind, scope, self._put), name=f"watch {kind.info.plural}")

    async def _watch_rest(self, group: asyncio.TaskGroup) -> None:
        """The other kinds need the resource: it names the listener Service."""
        for kind in (Kind.STATEFUL_SET, Kind.POD, Kind.SERVICE, Kind.EVENT):
            self._watch(group, kind)
        while self._snapshot().resource.value is None:
            await self._outside.clock.sleep(0.1)
        for kind in (Kind.ENDPOINTS, Kind.ENDPOINT_SLICE):
            self._watch(group, kind)

    async def _tick(self) -> None:
        while True:
            await self._outside.clock.sleep(TICK_S)
            self._put(_Tick())

    async def _read_operator(self) -> None:
        while True:
            self._put(await sources.read_operator_image(self._outside.kube))
            await self._outside.clock.sleep(60.0)

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
        now = self._outside.clock.now()
        match item:
            case _Tick():
                return
            case _Submitted(intent=intent):
                self._intents.append(intent)
            case CommandDone():
                self._command_done(item)
            case CommandFailed(command=command, message=message, is_refusal=is_refusal):
                self._memory = failed(self._memory, command.key, message, is_refusal=is_refusal, now=now)
                self._log.failed(now, command, message)
                self._record("command-failed", {"command": command.describe(), "message": message})
            case _JournalWritten():
                self._journal_written(item)
            case _LeaseAnswered(lease=lease, error=error):
                self._lease_answered(lease, error)
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
            self._lease = leases.observe(self._lease, self._store.lease(), self._outside.clock)
            if self._lease.lease is None or self._lease.lease.holder != self._outside.host.identity:
                self._lease_held_at = None
        elif kind is Kind.EVENT:
            self._log.events(self._store.collection(Kind.EVENT).objects.values())
        elif isinstance(item, BrokerAnswer):
            sample = sample_of(self._snapshot())
            if sample is not None:
                self._series.add(sample)

    def _take_journal(self) -> None:
        """The journal as the cluster has it. While a write of ours is on its way, its answer decides."""
        secret = self._store.secret()
        if self._writing is not None or self._closing:
            return
        known = self._secret
        if secret is not None and known is not None and _is_older(secret, known):
            return
        self._is_journal_stale = False
        self._secret = secret
        journal, self._journal_problem = records.read_journal(secret)
        resource = self._snapshot().resource.value
        if journal is not None and resource is not None and journal.uid != resource.meta.uid:
            self._journal_problem = f"the journal {secret.name} is about another object of this name" if secret else ""
            journal = None
        if journal is None and secret is None and self._journal is not None:
            self._ended_elsewhere(self._journal)
        self._journal = journal

    def _ended_elsewhere(self, journal: Journal) -> None:
        """The journal is gone and it was not us: another console came to the end, or somebody removed it."""
        resource = self._snapshot().resource.value
        wanted = journal.originals.template_mark if journal.abort else journal.target_mark
        is_there = resource is not None and wanted in ("", resource.template_mark)
        parameters = resource.blue_green if resource else None
        is_free = not (parameters and is_closed(parameters.effective_delay_s))
        self._finished = journal
        self._result = ("aborted" if journal.abort else "done") if is_there and is_free else "failed"
        self._wants_to_drive, self._lease_held_at = False, None
        self._memory = Memory(recent=self._memory.recent)
        now = self._outside.clock.now()
        if self._result == "failed":
            self._log.alarm(now, "the journal was removed before the release had ended")
        else:
            self._log.say(now, f"the release is {self._result}")
        self._record("closed", {"result": self._result, "elsewhere": True})

    def _command_done(self, done: CommandDone) -> None:
        now = self._outside.clock.now()
        command = done.command
        self._memory = succeeded(self._memory, command.key, command.name, now)
        self._log.done(now, command, done.note)
        self._record("command-done", {"command": command.describe(), "note": done.note})
        if done.observed is None:
            return
        self._store = fold(self._store, done.observed, now)
        if isinstance(command, _PATCHES_OF_RESOURCE):
            self._memory = awaiting_ack(self._memory, done.observed.object, command.name, now)

    # -- deciding -------------------------------------------------------------------------------------------------

    def _snapshot(self) -> Snapshot:
        journal = self._writing or self._journal
        blue_uid = journal.originals.blue_uid if journal else ""
        green_uid = journal.green_uid if journal else ""
        return snapshot(self._store, self._outside.clock.now(), blue_uid, green_uid)

    def _step(self) -> None:
        if not self._intents:
            self._decide(None)
        while self._intents and self._writing is None:
            intent = self._intents.pop(0)
            if refusal := self._not_taken(intent):
                self._say(f"{REFUSED}{refusal}")
                continue
            self._decide(intent)
            self._wants_to_drive = self._wants_to_drive or bool(self._decision.accepted)
        self._keep_lease()
        self._show()

    def _not_taken(self, intent: Intent) -> str:
        """Why no intent of any kind is taken now; empty when it may be decided on."""
        if self._options.read_only:
            return "this console was started read-only"
        if self._journal_problem:
            return self._journal_problem
        if isinstance(intent, Start) and not leases.is_free(self._lease, self._outside.host, self._outside.clock):
            return f"{self._lease.lease.holder if self._lease.lease else 'somebody'} drives this cluster"
        return ""

    def _decide(self, intent: Intent | None) -> None:
        journal = self._writing or self._journal
        context = Context(self._options.policy, self._options.console_version, uuid.uuid4().hex[:12])
        seen = self._snapshot()
        before = self._decision
        self._decision, memory = decide(self._memory, seen, journal, intent, context)
        self._memory = memory
        self._note_decision(before, intent)
        wanted = self._decision.journal
        if self._closing or self._options.read_only:
            return
        if wanted is not None and wanted != journal and self._must_write(journal, wanted, intent):
            self._begin_write(wanted, intent)
            return
        if self._writing is None and self._is_driver() and journal is not None and not self._is_journal_stale:
            self._send(self._decision.commands)
            if self._decision.finished and not self._memory.in_flight:
                self._begin_close()

    def _must_write(self, before: Journal | None, after: Journal, intent: Intent | None) -> bool:
        """A spectator writes intents only; a driver also what has come true. Counters alone may wait."""
        if intent is not None or before is None:
            return self._writing is None
        if not self._is_driver() or self._writing is not None:
            return False
        if replace(after, totals=before.totals, drained=before.drained) != before:
            return True
        totals_before, totals_after = before.totals, after.totals
        if (totals_before.first_drain_at, totals_before.drained_at, before.drained) != (
            totals_after.first_drain_at,
            totals_after.drained_at,
            after.drained,
        ):
            return True
        now = self._outside.clock.now()
        due = self._totals_written_at is None or (now - self._totals_written_at).total_seconds() >= TOTALS_EVERY_S
        return due or bool(self._decision.finished)

    def _begin_write(self, journal: Journal, intent: Intent | None) -> None:
        self._writing, self._written_for = journal, intent
        self._totals_written_at = self._outside.clock.now()
        known = self._secret

        async def write() -> None:
            try:
                secret = await records.write_journal(self._outside.kube, journal, known)
                self._put(_JournalWritten(journal, secret))
            except AdapterError as error:
                self._put(_JournalWritten(journal, None, error))

        self._spawn(write())

    def _journal_written(self, answer: _JournalWritten) -> None:
        self._writing = None
        intent, self._written_for = self._written_for, None
        if answer.error is None:
            self._lost_races = 0
            self._secret, self._journal = answer.secret, answer.journal
            self._record("journal", {"approvals": len(answer.journal.approvals), "phase": str(self._decision.phase)})
            return
        if isinstance(answer.error, Conflict | NotFound):
            self._lost_races += 1
            self._is_journal_stale = True
            again = intent if self._lost_races <= MAX_LOST_RACES else None
            self._spawn(self._read_journal_again(again))
            if intent is not None and again is None:
                self._say(f"{REFUSED}others keep writing the journal at the same moment: try again")
        else:
            self._say(f"the journal cannot be written, so nothing is sent: {answer.error.message}")

    async def _read_journal_again(self, intent: Intent | None) -> None:
        """After a lost race: what stands there now counts, and the intent is decided on again."""
        path = Kind.SECRET.info.path(self.namespace, records.journal_name(self.name))
        with contextlib.suppress(AdapterError):
            try:
                found = Kind.SECRET.info.parse(await self._outside.kube.request(KubeRequest("GET", path)))
                self._put(Changed(Kind.SECRET, (self.namespace, found.name), found))
            except NotFound:
                self._put(Removed(Kind.SECRET, (self.namespace, records.journal_name(self.name))))
        if intent is not None:
            self._put(_Submitted(intent))

    def _send(self, commands: tuple[Command, ...]) -> None:
        now = self._outside.clock.now()
        for command in commands:
            if self._executor.send(command):
                self._memory = sent(self._memory, command.key, command.name, now)
                self._log.sent(now, command)
                self._record("command", {"command": command.describe(), "advancing": command.advancing})

    # -- the lease ------------------------------------------------------------------------------------------------

    def _is_driver(self) -> bool:
        """The lease is ours and was renewed so lately that nobody can have taken it."""
        held_at = self._lease_held_at
        if held_at is None:
            return False
        return self._outside.clock.monotonic() - held_at < records.LEASE_DURATION_S

    def _keep_lease(self) -> None:
        """Take or renew the lease when there is something to drive."""
        if self._options.read_only or self._lease_task is not None or self._closing:
            return
        resource = self._snapshot().resource.value
        drives = self._journal is not None and (self._options.drives or self._wants_to_drive)
        if resource is None or not drives or self._store.collection(Kind.LEASE).read_at is None:
            return
        clock, host = self._outside.clock, self._outside.host
        held_at = self._lease_held_at
        if held_at is not None and clock.monotonic() - held_at < records.LEASE_RENEW_S:
            return
        if not leases.is_free(self._lease, host, clock):
            return
        known = self._lease.lease

        async def renew() -> None:
            try:
                taken = await records.take_lease(
                    self._outside.kube,
                    self.namespace,
                    self.name,
                    holder=host.identity,
                    now=clock.now(),
                    known=known,
                    owner_uid=resource.meta.uid,
                )
                self._put(_LeaseAnswered(taken))
            except AdapterError as error:
                self._put(_LeaseAnswered(None, error))

        self._lease_asked_at = clock.monotonic()
        self._lease_task = asyncio.create_task(renew(), name="lease")

    def _lease_answered(self, lease: Any, error: AdapterError | None) -> None:
        self._lease_task = None
        if lease is not None:
            if self._lease_held_at is None:
                self._log.say(self._outside.clock.now(), "this console drives the release")
            self._lease = leases.LeaseWatch(lease, self._outside.clock.monotonic())
            self._lease_held_at = self._lease_asked_at
        elif isinstance(error, Conflict):
            self._lease_held_at = None
        elif error is not None:
            self._say(f"the lease cannot be renewed: {error.message}")

    # -- the end of a release -------------------------------------------------------------------------------------

    def _begin_close(self) -> None:
        failed_at = self._close_failed_at
        if failed_at is not None and self._outside.clock.monotonic() - failed_at < CLOSE_AGAIN_S:
            return
        self._closing = True
        journal, result = self._journal, self._decision.finished
        assert journal is not None
        self._finished, self._result = journal, result
        self._spawn(self._close(journal, result))

    async def _close(self, journal: Journal, result: str) -> None:
        """Result as an Event, then the journal goes, then the lease."""
        kube, now = self._outside.kube, self._outside.clock.now()
        resource = self._snapshot().resource.value
        if resource is not None:
            message = f"release {journal.release_id} {result}: {journal.from_image} to {journal.to_image}"
            with contextlib.suppress(AdapterError):
                await records.write_event(kube, resource, reason=f"Release{result.title()}", message=message, now=now)
        try:
            await records.remove_journal(kube, self.namespace, self.name, self._secret)
            if self._lease.lease is not None:
                await records.remove_lease(kube, self._lease.lease)
            self._put(_Closed())
        except AdapterError as error:
            self._put(_Closed(error))

    def _closed(self, error: AdapterError | None) -> None:
        self._closing = False
        if error is not None:
            self._close_failed_at = self._outside.clock.monotonic()
            self._say(f"the release is {self._result}, but its journal could not be removed: {error.message}")
            return
        self._journal = self._secret = None
        self._lease_held_at = None
        self._wants_to_drive = False
        self._memory = Memory(recent=self._memory.recent)
        self._log.say(self._outside.clock.now(), f"the release is {self._result}")
        self._record("closed", {"result": self._result})

    # -- showing --------------------------------------------------------------------------------------------------

    def _say(self, words: str) -> None:
        self._notice = words
        self._notice_number += 1
        self._log.say(self._outside.clock.now(), words)

    def _note_decision(self, before: Decision, intent: Intent | None) -> None:
        now, decision = self._outside.clock.now(), self._decision
        if intent is not None and (decision.accepted or decision.refused):
            self._say(decision.accepted or f"{REFUSED}{decision.refused}")
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
        journal = self._writing or self._journal
        role, reason = self._role()
        lease = self._lease.lease
        self.view = View(
            snapshot=seen,
            decision=self._decision,
            journal=journal or self._finished,
            role=role,
            role_reason=reason,
            driver=lease.holder if lease else "",
            samples=self._series.frozen(),
            ledger=self._memory.ledger,
            log=self._log.lines(),
            in_flight=tuple(sorted(self._memory.in_flight)),
            notice=self._notice,
            notice_number=self._notice_number,
            health=self._health(seen),
            drain_initial=tuple(sorted(self._drain_initial().items())),
            rates=tuple(sorted(leaving_rates(self._memory).items())),
            result=self._result if journal is None else "",
            is_unwritten=self._writing is not None,
            driver_seen_s=self._driver_seen_s(),
            policy=self._options.policy,
            sequence=self._sequence,
        )
        self._publish(self.view)

    def _driver_seen_s(self) -> float | None:
        lease = self._lease.lease
        if lease is None or lease.holder in ("", self._outside.host.identity):
            return None
        return self._outside.clock.monotonic() - self._lease.seen_at

    def _drain_initial(self) -> Mapping[str, int]:
        return {**self._memory.baseline, **self._memory.initial}

    def _role(self) -> tuple[Role, str]:
        if self._options.read_only:
            return Role.WATCH_ONLY, "started with --read-only"
        if self._journal_problem:
            return Role.WATCH_ONLY, self._journal_problem
        if self._is_driver():
            return Role.DRIVER, ""
        lease = self._lease.lease
        if (
            lease is not None
            and lease.holder
            and not leases.is_free(self._lease, self._outside.host, self._outside.clock)
        ):
            return Role.SPECTATOR, f"{lease.holder} drives"
        return Role.IDLE, ""

    def _health(self, seen: Snapshot) -> tuple[SourceHealth, ...]:
        watched = [
            SourceHealth(kind.info.plural, not c.problem, c.read_at, c.problem)
            for kind, c in ((k, self._store.collection(k)) for k in Kind)
            if c.read_at is not None or c.problem != "not read yet"
        ]
        brokers = SourceHealth("EMQX", not seen.stats.problem, seen.stats.read_at, seen.stats.problem)
        return (*watched, brokers)

    def _record(self, event: str, fields: Mapping[str, Any]) -> None:
        recorder = self._outside.recorder
        if recorder is not None:
            recorder.record(event, {"at": self._outside.clock.now().isoformat(), **fields})

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop(self) -> None:
        await self._executor.close()
        pending = [*self._tasks, *([self._lease_task] if self._lease_task else [])]
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        lease = self._lease.lease
        if lease is not None and lease.holder == self._outside.host.identity and self._lease_held_at is not None:
            with contextlib.suppress(AdapterError, asyncio.CancelledError):
                await records.release_lease(self._outside.kube, lease)


def _is_older(new: Any, known: Any) -> bool:
    old_version, new_version = known.meta.resource_version, new.meta.resource_version
    same = new.meta.uid == known.meta.uid
    return same and old_version.isdigit() and new_version.isdigit() and int(new_version) < int(old_version)


def leaving_rates(memory: Memory) -> dict[str, float]:
    """Clients per second leaving each draining node, over the last ten seconds or so of samples."""
    recent = memory.recent
    if len(recent) < 2:
        return {}
    last = recent[-1]
    first = next((s for s in recent if (last.at - s.at).total_seconds() <= 10.0), recent[-2])
    if first is last:
        first = recent[-2]
    span = (last.at - first.at).total_seconds()
    return {
        name: max(0.0, (first.nodes[name] - last.nodes[name]) / span)
        for name in memory.initial
        if name in first.nodes and name in last.nodes and span > 0
    }
