"""One cluster's session: one inbox, one consumer, one published View.

Owns the only copy of what is known and thought of the cluster. Each step takes what has arrived, judges one snapshot,
writes the journal, sends commands and publishes: journal first, then commands, and commands only by the holder of the
lease. Runs anywhere asyncio runs: in the engine's thread, headless, or in virtual time.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, assert_never

from emqx_tui.model.kinds import Kind
from emqx_tui.model.series import Series
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.change import Draft, Plan
from emqx_tui.rollout.commands import CloseValve, Command
from emqx_tui.rollout.decide import DecisionSettings, decide
from emqx_tui.rollout.decision import CheckResult, Decision, RefusalReason
from emqx_tui.rollout.intents import Hold, Intent, Start, TakeOver
from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.state.expectations import Expectations
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.rollout.state.memory import Memory
from emqx_tui.session.commands.command_sender import CommandSender
from emqx_tui.session.commands.editing import READ_ONLY, Editor
from emqx_tui.session.inputs import (
    CommandDone,
    CommandFailed,
    JournalWritten,
    LeaseAnswered,
    Recalled,
    ReleaseClosed,
    RightsAnswered,
    SessionInput,
    Submitted,
    SubmittedAgain,
    Tick,
)
from emqx_tui.session.inspection.inspector import Inspector
from emqx_tui.session.options import Options, Ports
from emqx_tui.session.ports import Alive, Changed, Listed, Lost, Removed
from emqx_tui.session.records.driver_lease import YIELD_S, DriverLease
from emqx_tui.session.records.driving_rights import DrivingRights
from emqx_tui.session.records.journal_store import JournalStore
from emqx_tui.session.records.release_end import ReleaseEnd
from emqx_tui.session.sources import watches
from emqx_tui.session.sources.brokers import Brokers
from emqx_tui.session.sources.pod_report import PodReport, read_report
from emqx_tui.session.store import (
    ClusterAnswer,
    NodeReports,
    OperatorAnswer,
    OperatorImage,
    Store,
    StoreInput,
    fold,
    snapshot,
)
from emqx_tui.session.views import view_builder
from emqx_tui.session.views.arrival import ArrivalTracker
from emqx_tui.session.views.publisher import Publisher
from emqx_tui.session.views.view import EditPreview, Notice, NoticeKind, Role, View

TICK_S = 0.6
"""The longest time without a decision. More than half a poll of EMQX: between two of its answers one tick is enough."""


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
        self._stepped_at = ports.clock.now()
        self._options = options
        self._inbox: asyncio.Queue[SessionInput] = asyncio.Queue()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._publisher = Publisher(ports, publish, options.context)
        self._log = self._publisher.log
        self._store = Store(namespace, name)
        self._seen = snapshot(self._store, ports.clock.now(), "")
        """What this step judges, keeps the lease for, and shows."""
        self._memory = Memory()
        self._decision = Decision(Phase.IDLE)
        self._series = Series()
        self._journal = JournalStore(namespace, name, ports, self._put, self._spawn)
        self._lease = DriverLease(namespace, name, ports, self._put)
        self._rights = DrivingRights(ports, self._put, self._spawn)
        self._end = ReleaseEnd(ports, self._put, self._spawn)
        self._arrival = ArrivalTracker(ports)
        self._sender = CommandSender(ports, self._publisher, self._put, may_advance=self._may_advance)
        self._brokers = Brokers(
            namespace,
            name,
            kube=ports.kube,
            emqx=ports.emqx,
            clock=ports.clock,
            latest=self._latest,
            put=self._put,
        )
        self._intents: list[Intent] = []
        self._wants_to_drive = False
        self._undriven_since: float | None = None
        self._editor = Editor(ports, options, self._journal, self._brokers, latest=self._latest, put=self._put)

    # -- for the front ends, from the session's loop --------------------------------------------------------------

    def submit(self, intent: Intent) -> None:
        """Hand over an intent; the answer is a notice in a later view."""
        self._put(Submitted(intent))

    async def run(self) -> None:
        """Look and drive until cancelled; a running drain inside EMQX is left alone."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch(), name="watch")
                group.create_task(self._brokers.run(), name="poll EMQX")
                group.create_task(self._tick(), name="tick")
                group.create_task(self._consume(), name="consume")
        finally:
            await self._stop()

    async def preview_edit(
        self, number: int, draft: Draft, approval: str, *, late_removal: bool, parallel_drains: int
    ) -> EditPreview:
        """Judge an edit: validation, server dry-run, pre-flight, forecast."""
        return await self._editor.preview(
            number, draft, approval, late_removal=late_removal, parallel_drains=parallel_drains
        )

    async def examine(self) -> tuple[CheckResult, ...]:
        """The pre-flight checks as things are: whether a release could start now."""
        return await self._editor.examine()

    async def inspect_pod(self, pod: str) -> PodReport | None:
        """Events and log of one pod; None for one that is not there."""
        member = next((member for member in self._seen.members if member.name == pod), None)
        return None if member is None else await read_report(self._ports.kube, self.namespace, member)

    def inspector(self) -> Inspector:
        """Answers questions about what is inside the cluster."""
        return Inspector(self._ports.kube, self._ports.emqx, self._ports.clock, self._node_in)

    def _node_in(self, pod: str) -> str:
        broker = self._seen.brokers.get(pod)
        return broker.name if broker else ""

    async def save(self, edit: Draft | Plan) -> None:
        """Send an edit that starts no release; the answer is a notice in a later view."""
        self._publisher.notify(await self._editor.save(edit))
        self._put(Tick())

    # -- tasks ----------------------------------------------------------------------------------------------------

    def _put(self, item: SessionInput) -> None:
        self._inbox.put_nowait(item)

    def _latest(self) -> Snapshot:
        return self._seen

    async def _watch(self) -> None:
        ports = self._ports
        await watches.watch_cluster(
            self.namespace,
            self.name,
            kube=ports.kube,
            clock=ports.clock,
            latest=self._latest,
            put=self._put,
            probes=not self._options.read_only,
        )

    async def _tick(self) -> None:
        """Passing time is an input too, as long as no other comes."""
        clock = self._ports.clock
        while True:
            left_s = TICK_S - (clock.now() - self._stepped_at).total_seconds()
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
                self._take(item)
            self._step()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop(self) -> None:
        await self._sender.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._lease.end()

    # -- one input ------------------------------------------------------------------------------------------------

    def _take(self, item: SessionInput) -> None:
        match item:
            case Tick():
                pass
            case Submitted(intent=intent):
                self._intents.append(intent)
            case SubmittedAgain(intent=intent, unreadable=unreadable):
                if unreadable:
                    self._publisher.notify(Notice.refused(unreadable, RefusalReason.NOT_WRITTEN))
                else:
                    self._intents.append(intent)
            case CommandDone(observed=observed):
                self._expect(self._sender.done(item, self._memory.expectations))
                if observed is not None:
                    self._fold(observed)
            case CommandFailed():
                self._expect(self._sender.failed(item, self._memory.expectations))
            case JournalWritten():
                self._journal_written(item)
            case LeaseAnswered():
                self._lease_answered(item)
            case RightsAnswered():
                self._rights.answered(item)
            case ReleaseClosed():
                self._closed(item)
            case Recalled(release_id=release_id, samples=samples):
                if self._journal.present and self._journal.present.release_id == release_id:
                    self._series.prepend(samples)
            case Listed() | Changed() | Removed() | Alive() | Lost():
                self._fold(item)
                self._follow(item.kind)
            case NodeReports() | ClusterAnswer() | OperatorImage() | OperatorAnswer():
                self._fold(item)
            case _:
                assert_never(item)

    def _fold(self, item: StoreInput) -> None:
        self._store = fold(self._store, item, self._ports.clock.now())

    def _follow(self, kind: Kind) -> None:
        """What news of these kinds mean beyond the store."""
        match kind:
            case Kind.SECRET:
                self._take_journal()
            case Kind.LEASE:
                self._arrival.note_driver(self._store.lease())
                self._lease.observe(self._store.lease())
            case Kind.EVENT:
                self._log.events(self._store.collection(Kind.EVENT).objects.values())
            case _:
                pass

    def _take_journal(self) -> None:
        """The journal as the cluster has it. While a write of ours is on its way, its answer decides."""
        if self._end.is_closing:
            return
        vanished = self._journal.take(self._store.secret(), self._store.resource())
        stored = self._journal.stored
        if stored is not None:
            self._end.is_back()
        if stored is not None and self._arrival.is_new(stored, self._store.lease()):
            self._log.past(stored)
            self._publisher.recall(stored, self._put)
        if vanished is None:
            return
        if self._lease.is_held and self._decision.phase not in FINAL:
            # Nobody but the driver ends a release: left alone it would stand half-way, with the operator held.
            self._publisher.alarm("somebody removed the journal: it is written again")
            self._journal.write(vanished, None)
        elif self._end.may_come_back(vanished, self._store.resource()):
            self._publisher.alarm("the journal is gone: its driver may write it again")
        else:
            self._ended_elsewhere(vanished)

    def _lease_answered(self, answer: LeaseAnswered) -> None:
        was_held = self._lease.is_held
        if words := self._lease.answered(answer):
            self._publisher.say(words)
        journal, before = self._journal.present, self._lease.renewed_before
        if journal is not None and self._lease.is_held and not was_held:
            self._memory = self._memory.took_over(max(before or journal.created_at, journal.created_at))

    def _journal_written(self, answer: JournalWritten) -> None:
        if words := self._journal.written(answer):
            self._publisher.notify(Notice.refused(words, RefusalReason.NOT_WRITTEN))
        elif answer.secret is not None:
            # Watch events that came meanwhile were left aside: one of them may be newer than our own write.
            self._fold(Changed(Kind.SECRET, (self.namespace, answer.secret.name), answer.secret))
            self._take_journal()
            approvals = len(answer.journal.approvals)
            self._publisher.record("journal", approvals=approvals, phase=str(self._decision.phase))

    def _expect(self, awaited: Expectations) -> None:
        self._memory = replace(self._memory, expectations=awaited)

    # -- one step -------------------------------------------------------------------------------------------------

    def _step(self) -> None:
        """Judge what is seen now, act on it, publish it."""
        self._stepped_at = self._ports.clock.now()
        self._seen = snapshot(self._store, self._stepped_at, "")
        if not self._intents:
            self._decide(None)
        while self._intents and self._journal.writing is None:
            intent = self._intents.pop(0)
            if refusal := self._refusal(intent):
                self._publisher.notify(refusal)
                continue
            self._decide(intent)
            self._answer(intent)
        self._colour()
        self._keep_lease()
        if (journal := self._end.given_up(self._store.resource())) is not None:
            self._ended_elsewhere(journal)
        self._publisher.publish(self._view())

    def _colour(self) -> None:
        """The journal says which StatefulSets of the snapshot are blue and green."""
        journal = self._journal.present
        colours = (journal.originals.blue_uid, journal.green_uid) if journal else ("", "")
        if colours != (self._seen.blue_uid, self._seen.green_uid):
            self._seen = replace(self._seen, blue_uid=colours[0], green_uid=colours[1])

    def _refusal(self, intent: Intent) -> Notice | None:
        """Why this intent is not even decided on; None when it may be."""
        not_allowed = self._journal.problem or view_builder.missing_right(self._store)
        if self._options.read_only:
            not_allowed = READ_ONLY
        if not_allowed:
            return Notice.refused(not_allowed, RefusalReason.NOT_ALLOWED)
        if isinstance(intent, TakeOver) and self._rights.missing:
            return Notice.refused(f"this console cannot drive: {self._rights.missing}", RefusalReason.NOT_ALLOWED)
        if isinstance(intent, Start | TakeOver) and not self._lease.is_free:
            return Notice.refused(f"{self._lease.driver} drives this cluster", RefusalReason.UNDER_WAY)
        return self._editor.refusal_to_start(intent) if isinstance(intent, Start) else None

    def _answer(self, intent: Intent) -> None:
        """Tell what became of an intent. Whoever asks for something drives, should nobody; a hold needs no driver."""
        decision = self._decision
        if decision.accepted:
            self._wants_to_drive = self._wants_to_drive or not isinstance(intent, Hold)
            self._arrival.took_part()
            self._publisher.notify(Notice(NoticeKind.ACCEPTED, decision.accepted))
        elif decision.refused:
            self._publisher.notify(Notice.refused(decision.refused, decision.refusal))

    def _decide(self, intent: Intent | None) -> None:
        settings = DecisionSettings(self._options.policy, self._options.console_version, uuid.uuid4().hex[:12])
        self._colour()
        before = self._decision
        self._decision, self._memory = decide(self._memory, self._seen, self._journal.present, intent, settings)
        self._publisher.decided(before, self._decision)
        if recent := self._memory.observations.recent:
            self._series.add(recent[-1])
            if self._decision.journal is not None:
                self._publisher.counted(self._decision.journal, recent[-1])
        if not self._end.is_closing and not self._options.read_only:
            self._act(intent)

    def _act(self, intent: Intent | None) -> None:
        """Write the journal or, when it stands as decided, send the commands."""
        wanted = self._decision.journal
        is_driver, is_last = self._lease.is_held, bool(self._decision.finished)
        if wanted is not None and self._journal.must_write(wanted, intent, is_driver=is_driver, is_last=is_last):
            if intent is not None or self._journal.may_write:
                if isinstance(intent, Start):
                    self._arrival.begun_here(wanted)
                self._journal.write(wanted, intent)
            self._close_valve()
        elif is_driver and not self._journal.may_act:
            self._close_valve()
        elif is_driver:
            self._send(self._decision.commands)
            if is_last and not self._memory.expectations.in_flight:
                self._begin_close()

    async def _may_advance(self) -> str:
        """Why the command that is about to leave must not; empty when the journal in the cluster still allows it.

        A watch can be late, or silent without a word: a hold must not wait for it.
        """
        if why_not := await self._journal.still_stands():
            return why_not
        return "" if self._lease.is_held else "this console drives no longer"

    def _close_valve(self) -> None:
        """The one command that does not wait for the journal, should that be slow or not writable."""
        if self._lease.is_held and self._journal.stored is not None and not self._journal.is_stale:
            self._send([c for c in self._decision.commands if isinstance(c, CloseValve)])

    def _keep_lease(self) -> None:
        """Take or renew the lease when there is something to drive."""
        resource = self._seen.resource.value
        is_known = self._store.collection(Kind.LEASE).read_at is not None
        wanted = self._journal.stored is not None and (self._options.drives or self._wants_to_drive)
        if wanted and is_known and resource is not None and not self._options.read_only and not self._end.is_closing:
            if self._lease.is_held or self._rights.may_drive(self._seen):
                self._lease.keep(resource.meta.uid, is_watcher=not self._wants_to_drive)
        elif self._options.removes_leases and is_known and self._is_without_journal():
            self._lease.remove_left_over()

    def _is_without_journal(self) -> bool:
        """No release is under way, for certain: a lease that stands all the same was left by a console that died."""
        secrets = self._store.collection(Kind.SECRET)
        is_listed = secrets.read_at is not None and not secrets.problem and not secrets.objects
        return is_listed and self._journal.writing is None and not self._end.is_closing and not self._options.read_only

    def _send(self, commands: Sequence[Command]) -> None:
        self._expect(self._sender.send(commands, self._memory.expectations))

    def _view(self) -> View:
        journal, end, publisher = self._journal, self._end, self._publisher
        observations = self._memory.observations
        role, reason = view_builder.role(
            read_only=self._options.read_only,
            journal_problem=journal.problem,
            is_driver=self._lease.is_held,
            other_driver=self._lease.driver,
            missing=view_builder.missing_right(self._store),
            cannot_drive=self._rights.missing,
        )
        return View(
            snapshot=self._seen,
            decision=self._decision,
            journal=journal.present or end.journal,
            role=role,
            role_reason=reason,
            driver=self._lease.driver,
            samples=self._series.frozen(),
            ledger=observations.ledger,
            log=self._log.lines(),
            in_flight=self._sender.in_flight(self._memory.expectations),
            notice=publisher.notice,
            notice_number=publisher.notice_number,
            health=view_builder.health(self._store, self._seen),
            drain_initial=view_builder.drain_initial(observations),
            rates=view_builder.leaving_rates(observations),
            result=end.result if journal.present is None else "",
            is_undriven=self._is_undriven(role),
            arrival=self._arrival.arrival if journal.present else None,
            is_unwritten=journal.writing is not None or journal.is_stale,
            driver_seen_s=self._lease.other_seen_s,
            driver_renewed_at=self._lease.other_renewed_at,
            policy=self._options.policy,
            context=self._options.context,
        )

    def _is_undriven(self, role: Role) -> bool:
        """Nobody drives, for longer than a console that has begun a release needs to take its lease."""
        wall, is_asked = self._ports.clock.monotonic(), self._options.drives or self._wants_to_drive
        is_asked = is_asked and not self._rights.missing
        is_read = self._store.collection(Kind.LEASE).read_at is not None
        if role is not Role.IDLE or self._journal.stored is None or is_asked or not is_read:
            self._undriven_since = None
            return False
        self._undriven_since = wall if self._undriven_since is None else self._undriven_since
        return wall - self._undriven_since >= YIELD_S

    # -- the end of a release -------------------------------------------------------------------------------------

    def _begin_close(self) -> None:
        journal = self._journal.stored
        assert journal is not None
        self._end.begin(
            journal,
            self._decision.finished,
            resource=self._seen.resource.value,
            secret=self._journal.secret,
            lease=self._lease.lease,
        )

    def _closed(self, answer: ReleaseClosed) -> None:
        self._end.closed(answer)
        if answer.error is not None:
            message = answer.error.message
            words = f"the release is {self._end.result}, but its journal could not be removed: {message}"
            self._publisher.notify(Notice(NoticeKind.PROBLEM, words))
            return
        self._journal.forget()
        self._forget_release()
        self._publisher.say(f"the release is {self._end.result}")
        self._publisher.record("closed", result=self._end.result)

    def _ended_elsewhere(self, journal: Journal) -> None:
        self._end.ended_elsewhere(journal, self._store.resource())
        self._forget_release()
        if self._end.result == "failed":
            self._publisher.alarm("the journal was removed before the release had ended")
        else:
            self._publisher.say(f"the release is {self._end.result}")
        self._publisher.record("closed", result=self._end.result, elsewhere=True)

    def _forget_release(self) -> None:
        self._wants_to_drive = False
        self._lease.forget()
        self._rights.forget()
        self._memory = self._memory.afresh()
