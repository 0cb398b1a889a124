"""One step of a session: take what has arrived, judge one snapshot, write the journal, send commands, publish.

Journal first, then commands, and commands only by the holder of the lease. Waits for nothing: what it begins answers
with one more input.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Container, Coroutine, Sequence
from dataclasses import replace
from typing import Any, assert_never

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.errors import AdapterError
from emqx_tui.model.frozen import changed
from emqx_tui.model.kinds import Kind
from emqx_tui.model.series import PLOTTED, Series
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.model.workloads import OwnDelay
from emqx_tui.rollout.commands import CloseValve, Command
from emqx_tui.rollout.decide import DecisionSettings, decide
from emqx_tui.rollout.decision import Decision, RefusalReason
from emqx_tui.rollout.intents import Adopt, Brake, Hold, Intent, Start, TakeOver
from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.state.expectations import Expectations
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.rollout.state.memory import Memory
from emqx_tui.rollout.ungated import ungated
from emqx_tui.session.commands.adoption_check import prepare
from emqx_tui.session.commands.command_sender import CommandSender
from emqx_tui.session.commands.editing import READ_ONLY, Editor
from emqx_tui.session.inputs import (
    AdoptionPrepared,
    CommandDone,
    CommandFailed,
    JournalWritten,
    LeaseAnswered,
    Put,
    Recalled,
    ReleaseClosed,
    RightsAnswered,
    SessionInput,
    Submitted,
    SubmittedAgain,
    Tick,
)
from emqx_tui.session.options import Options, Ports
from emqx_tui.session.ports import Alive, Changed, Listed, Lost, Removed
from emqx_tui.session.records import objects
from emqx_tui.session.records.driving import Driving
from emqx_tui.session.records.journal_store import JournalStore
from emqx_tui.session.records.release_end import ReleaseEnd
from emqx_tui.session.sources.brokers import Brokers
from emqx_tui.session.sources.operator import OperatorSource
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
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.notice import Notice, NoticeKind
from emqx_tui.session.views.publisher import Publisher
from emqx_tui.session.views.release_history import ReleaseHistory
from emqx_tui.session.views.view import View


class Reconciler:
    """Owns the only copy of what is known and thought of one cluster."""

    def __init__(
        self,
        namespace: str,
        name: str,
        ports: Ports,
        options: Options,
        publish: Callable[[View], None],
        *,
        put: Put,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._namespace = namespace
        self._ports = ports
        self._options = options
        self._put = put
        self._spawn = spawn
        self.publisher = Publisher(ports, publish, options.context)
        self._log = self.publisher.log
        self._store = Store(namespace, name)
        self.stepped_at = ports.clock.now()
        self._looked_at = self._store
        """What `seen` and the health of its sources were made of."""
        self.seen = snapshot(self._store, self.stepped_at, "")
        self._watches = view_builder.watches(self._store.collections)
        self._health = (*self._watches, view_builder.brokers(self._store, self.seen))
        """What this step judges, keeps the lease for, and shows."""
        self._memory = Memory()
        self._decision = Decision(Phase.IDLE)
        self._series = Series(PLOTTED)
        self._journal = JournalStore(namespace, name, ports, put, spawn)
        self._driving = Driving(namespace, name, ports, options, put, spawn)
        self._end = ReleaseEnd(ports, put, spawn)
        self._operator = OperatorSource(ports.kube, put, spawn, may_probe=not options.read_only)
        self._arrival = ArrivalTracker(ports)
        self._history = ReleaseHistory()
        self._sender = CommandSender(ports, self.publisher, put, may_advance=self._may_advance)
        self.brokers = Brokers(
            namespace,
            name,
            kube=ports.kube,
            emqx=ports.emqx,
            clock=ports.clock,
            latest=self.latest,
            put=put,
            drains=self._drains,
        )
        self._intents: list[tuple[Intent, bool]] = []
        """True: it was answered before, and its journal lost a race."""
        self.editor = Editor(ports, options, self._journal, self.brokers, latest=self.latest, put=put)

    def latest(self) -> Snapshot:
        return self.seen

    async def stop_sending(self) -> None:
        await self._sender.close()

    async def release_lease(self) -> None:
        await self._driving.lease.end()

    # -- one input ------------------------------------------------------------------------------------------------

    def take(self, item: SessionInput) -> None:
        match item:
            case Tick():
                pass
            case Submitted(intent=Adopt() as intent) if not self._options.read_only:
                self._spawn(self._prepare(intent))
            case Submitted(intent=intent):
                self._intents.append((intent, False))
            case AdoptionPrepared(intent=intent, refused=refused, is_forbidden=is_forbidden):
                if refused:
                    reason = RefusalReason.NOT_ALLOWED if is_forbidden else RefusalReason.NOT_NOW
                    self.publisher.notify(Notice.refused(refused, reason))
                else:
                    self._intents.append((intent, False))
            case SubmittedAgain(intent=intent, unreadable=unreadable):
                if unreadable:
                    self.publisher.notify(Notice.refused(unreadable, RefusalReason.NOT_WRITTEN))
                else:
                    self._intents.append((intent, True))
            case CommandDone(observed=observed):
                self._expect(self._sender.done(item, self._memory.expectations))
                if observed is not None:
                    self._fold(observed)
            case CommandFailed(command=command, message=message):
                self._expect(self._sender.failed(item, self._memory.expectations))
                if isinstance(command, CloseValve) and self._journal.present is None:
                    self.publisher.notify(Notice(NoticeKind.PROBLEM, f"the valve was not closed: {message}"))
            case JournalWritten():
                self._journal_written(item)
            case LeaseAnswered():
                self._lease_answered(item)
            case RightsAnswered():
                self._driving.rights.answered(item)
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

    def _drains(self) -> Container[str]:
        """The pods whose drain the journal notes: before its start is sent, so that an onlooker sees it begin, too."""
        return self._journal.present.starts if self._journal.present else ()

    async def _prepare(self, intent: Adopt) -> None:
        self._put(await prepare(intent, self.seen, self._ports.kube))

    def _fold(self, item: StoreInput) -> None:
        self._store = fold(self._store, item, self._ports.clock.now())

    def _follow(self, kind: Kind) -> None:
        """What news of these kinds mean beyond the store."""
        match kind:
            case Kind.SECRET:
                self._take_journal()
            case Kind.LEASE:
                self._arrival.note_driver(self._store.lease())
                self._driving.lease.observe(self._store.lease())
            case Kind.EVENT:
                self._log.events(self._store.collection(Kind.EVENT).objects.values())
            case _:
                pass

    def _take_journal(self) -> None:
        """The journal as the cluster has it. While a write of ours is on its way, its answer decides."""
        if self._end.is_closing:
            return
        before = self._journal.stored
        vanished = self._journal.take(self._store.secret(), self._store.resource())
        stored = self._journal.stored
        if stored is not None and before is not None and stored != before:
            # Another console has written what it was asked for, and waits for a sign of the driver.
            self._driving.lease.prove()
        if stored is not None:
            self._end.is_back()
        if stored is not None and self._arrival.is_new(stored, self._store.lease()):
            self._log.past(stored)
            self.publisher.recall(stored, self._put)
        elif stored is not None and before is not None and stored.release_id == before.release_id:
            self._log.approved(stored, len(before.approvals))
        if vanished is None:
            return
        has_duties = self._decision.phase not in FINAL or self._decision.waits_for_blue
        is_doubtful, self._journal.is_doubtful = self._journal.is_doubtful, False
        if self._driving.lease.is_held and has_duties and not is_doubtful:
            # Nobody but the driver ends a release: left alone it would stand half-way, with the operator held.
            self.publisher.alarm("somebody removed the journal: it is written again")
            self._journal.write(vanished, None)
        elif self._end.may_come_back(vanished, self._store.resource()):
            self.publisher.alarm("the journal is gone: its driver may write it again")
        else:
            self._ended_elsewhere(vanished)

    def _lease_answered(self, answer: LeaseAnswered) -> None:
        was_held = self._driving.lease.is_held
        if words := self._driving.lease.answered(answer):
            self.publisher.say(words)
        journal, before = self._journal.present, self._driving.lease.renewed_before
        if journal is not None and self._driving.lease.is_held and not was_held:
            self._memory = self._memory.took_over(max(before or journal.created_at, journal.created_at))
            self._journal.look()

    def _journal_written(self, answer: JournalWritten) -> None:
        words = self._journal.written(answer)
        self.publisher.written(stands=answer.error is None)
        if words:
            self.publisher.notify(Notice.refused(words, RefusalReason.NOT_WRITTEN))
        elif answer.secret is not None:
            # Watch events that came meanwhile were left aside: one of them may be newer than our own write.
            self._fold(Changed(Kind.SECRET, (self._namespace, answer.secret.name), answer.secret))
            self._take_journal()

    def _expect(self, awaited: Expectations) -> None:
        self._memory = changed(self._memory, expectations=awaited)

    # -- one step -------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Judge what is seen now, act on it, publish it."""
        self.stepped_at = self._ports.clock.now()
        self._look()
        if not self._intents:
            self._decide(None)
        while self._intents and self._journal.writing is None:
            intent, is_again = self._intents.pop(0)
            if refusal := self._refusal(intent):
                self.publisher.notify(refusal)
                continue
            self._decide(intent)
            self._answer(intent, is_again=is_again)
        self._colour()
        self._operator.step(self.seen, self._decision)
        if self._journal.present is not None:
            self._history.take(self.seen, self._decision, self._journal.present)
        self.publisher.journal(self._journal.stored)
        self._driving.keep(self._store, self.seen, self._journal, is_closing=self._end.is_closing)
        is_driven = self._driving.lease.other_seen_s is not None
        if (journal := self._end.given_up(self.seen.resource, is_driven=is_driven)) is not None:
            self._ended_elsewhere(journal)
        self.publisher.publish(self._view())

    def _look(self) -> None:
        """The snapshot of this step; while nothing has come, with all that was derived from it."""
        if self._store is self._looked_at:
            self.seen = self.seen.at(self.stepped_at)
        else:
            self.seen = snapshot(self._store, self.stepped_at, *self._colours())
            if self._store.collections is not self._looked_at.collections:
                self._watches = view_builder.watches(self._store.collections)
            self._health = (*self._watches, view_builder.brokers(self._store, self.seen))
            self._looked_at = self._store

    def _colours(self) -> tuple[str, str]:
        """UIDs of the blue and the green StatefulSet: by the journal or, without one, by what the operator does."""
        journal = self._journal.present
        if journal is not None:
            return journal.blue_uid, journal.green_uid
        return ungated.colours(self.seen)

    def _colour(self) -> None:
        """Which StatefulSets of the snapshot are blue and green."""
        colours = self._colours()
        if colours != (self.seen.blue_uid, self.seen.green_uid):
            self.seen = replace(self.seen, blue_uid=colours[0], green_uid=colours[1])

    def _refusal(self, intent: Intent) -> Notice | None:
        """Why this intent is not even decided on; None when it may be."""
        not_allowed = self._journal.problem or view_builder.missing_right(self._store)
        if isinstance(intent, Brake):
            # It protects, and is bound to the object alone.
            not_allowed = ""
        if self._options.read_only:
            not_allowed = READ_ONLY
        if not_allowed:
            return Notice.refused(not_allowed, RefusalReason.NOT_ALLOWED)
        if isinstance(intent, TakeOver) and self._driving.rights.missing:
            return Notice.refused(
                f"this console cannot drive: {self._driving.rights.missing}", RefusalReason.NOT_ALLOWED
            )
        if isinstance(intent, Start | TakeOver | Adopt) and not self._driving.lease.is_free:
            return Notice.refused(f"{self._driving.lease.driver} drives this cluster", RefusalReason.UNDER_WAY)
        return self.editor.refusal_to_start(intent) if isinstance(intent, Start) else None

    def _answer(self, intent: Intent, *, is_again: bool) -> None:
        """Tell what became of an intent. Whoever asks for something drives, should nobody; a hold needs no driver."""
        decision, is_unwritten = self._decision, self._journal.writing is not None
        if decision.accepted:
            self._driving.is_asked = self._driving.is_asked or not isinstance(intent, Hold | Brake)
            self._arrival.took_part()
            accepted = Notice(NoticeKind.ACCEPTED, decision.accepted)
            asked_at = self.stepped_at
            self.publisher.notify(accepted, asked_at=asked_at, is_unwritten=is_unwritten, is_again=is_again)
        elif decision.refused:
            self.publisher.notify(Notice.refused(decision.refused, decision.refusal))

    def _decide(self, intent: Intent | None) -> None:
        release_id = uuid.uuid4().hex[:12] if isinstance(intent, Start | Adopt) else ""
        settings = DecisionSettings(self._options.policy, self._options.console_version, release_id)
        self._colour()
        before = self._decision
        self._decision, self._memory = decide(self._memory, self.seen, self._journal.present, intent, settings)
        has_looked = self._arrival.has_looked(self._health, self._options.policy.max_lease_age_s)
        self.publisher.decided(before, self._decision, is_judged=has_looked)
        if recent := self._memory.observations.recent:
            self._series.add(recent[-1])
            if self._decision.journal is not None:
                self.publisher.counted(self._decision.journal, recent[-1])
        if not self._end.is_closing and not self._options.read_only:
            self._act(intent)

    def _act(self, intent: Intent | None) -> None:
        """Write the journal or, when it stands as decided, send the commands."""
        wanted, stands = self._decision.journal, self._journal.present
        is_driver, is_last = self._driving.lease.is_held, bool(self._decision.finished)
        intent = None if self._decision.refused else intent
        if wanted is not None and stands is not None and not is_driver:
            # The driver counts, holds and sees what has come true: what another console knows may be older.
            wanted = self._decision.decided
        if isinstance(intent, Brake):
            self._brake(self._decision.commands)
        if wanted is not None and self._journal.must_write(wanted, intent, is_driver=is_driver, is_last=is_last):
            if intent is not None or self._journal.may_write:
                if isinstance(intent, Start | Adopt):
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
        return "" if self._driving.lease.is_held else "this console drives no longer"

    def _close_valve(self) -> None:
        """The one command that does not wait for the journal, should that be slow or not writable."""
        if self._driving.lease.is_held and self._journal.stored is not None and not self._journal.is_stale:
            self._send([c for c in self._decision.commands if isinstance(c, CloseValve)])

    def _brake(self, closing: Sequence[Command]) -> None:
        """Close the valve of a release that nobody drives: it waits for no lease and no journal."""
        resource = self.seen.resource.value
        if not closing or resource is None or resource.blue_green is None:
            return
        delay = OwnDelay(resource.blue_green.initial_delay_s)
        self._send(closing)
        self._store = replace(self._store, replaced_delay=delay)
        self.publisher.say(f"initialDelaySeconds was {delay.note} before the valve was closed")
        self._spawn(self._note_delay(resource, delay))

    async def _note_delay(self, resource: EmqxEnterprise, delay: OwnDelay) -> None:
        """Whoever takes the release over has to know what it was; without the right to write Events a person does."""
        with contextlib.suppress(AdapterError):
            await objects.note_delay(self._ports.kube, resource, delay, now=self._ports.clock.now())

    def _send(self, commands: Sequence[Command]) -> None:
        self._expect(self._sender.send(commands, self._memory.expectations))

    def _view(self) -> View:
        journal, end, publisher = self._journal, self._end, self.publisher
        is_unwritten = journal.writing is not None or journal.is_stale
        observations = self._memory.observations
        role, reason = view_builder.role(
            read_only=self._options.read_only,
            journal_problem=journal.problem,
            is_driver=self._driving.lease.is_held,
            other_driver=self._driving.lease.driver,
            missing=view_builder.missing_right(self._store),
            cannot_drive=self._driving.rights.missing,
        )
        view = View(
            snapshot=self.seen,
            decision=self._decision,
            journal=journal.present or end.journal,
            role=role,
            role_reason=reason,
            driver=self._driving.lease.driver,
            samples=self._series.frozen(),
            ledger=observations.ledger,
            log=self._log.lines(),
            in_flight=self._sender.in_flight(self._memory.expectations),
            notice=publisher.notice,
            notice_number=publisher.notice_number,
            health=self._health,
            drain_initial=view_builder.drain_initial(observations),
            rates=view_builder.leaving_rates(observations),
            result=end.result if journal.present is None else "",
            stages=self._history.stages,
            expected=self._history.expected,
            is_undriven=self._driving.is_undriven(self._store, journal, is_idle=role is Role.IDLE),
            arrival=self._arrival.arrival if journal.present else None,
            journal_problem=journal.problem,
            is_unwritten=is_unwritten,
            stored=journal.stored if is_unwritten else None,
            driver_seen_s=self._driving.lease.other_seen_s,
            driver_renewed_at=self._driving.lease.other_renewed_at,
            policy=self._options.policy,
            context=self._options.context,
        )
        return self._history.settled(view)

    # -- the end of a release -------------------------------------------------------------------------------------

    def _begin_close(self) -> None:
        journal = self._journal.stored
        assert journal is not None
        self._end.begin(
            journal,
            self._decision.finished,
            resource=self.seen.resource.value,
            secret=self._journal.secret,
            lease=self._driving.lease.lease,
        )

    def _closed(self, answer: ReleaseClosed) -> None:
        self._end.closed(answer)
        if answer.error is not None:
            message = answer.error.message
            words = f"the release is {self._end.result}, but its journal could not be removed: {message}"
            self.publisher.notify(Notice(NoticeKind.PROBLEM, words))
            return
        self._journal.forget()
        self._forget_release()
        self.publisher.say(f"the release is {self._end.result}")
        self.publisher.ended(self._end.journal, self._end.result)

    def _ended_elsewhere(self, journal: Journal) -> None:
        self._end.ended_elsewhere(journal, self._store.resource())
        self._forget_release()
        if self._end.result == "failed":
            self.publisher.alarm("the journal was removed before the release had ended")
        else:
            self.publisher.say(f"the release is {self._end.result}")
        self.publisher.ended(journal, self._end.result, is_elsewhere=True)

    def _forget_release(self) -> None:
        self._driving.forget()
        self._memory = self._memory.afresh()
