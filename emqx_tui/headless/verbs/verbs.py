"""One intent from a second terminal: approve, hold, freeze, resume, abort.

Owns how long the command waits, and what it prints about who acts. The intent is written into the journal, which the
driver watches. Without a living driver the sender takes the lease and acts itself, but only until what was asked for
has taken effect: afterwards nobody drives, and that is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from emqx_tui.headless.advice import Cluster, command, ways_on, without_journal
from emqx_tui.headless.lines import words
from emqx_tui.headless.lines.events import Event
from emqx_tui.headless.lines.view_diff import Told, begin, diff
from emqx_tui.headless.looking.readiness import has_answered, is_known, is_out_of_reach, is_whole, why_unreadable
from emqx_tui.headless.session_runner import LostContact, SessionRunner, Stopped
from emqx_tui.headless.verbs.verb_answer import Answer, Code, Verb, VerbOptions
from emqx_tui.model.kinds import Kind
from emqx_tui.model.units import span
from emqx_tui.rollout.decision import CheckResult, Gate, Outcome, RefusalReason
from emqx_tui.rollout.gate_id import GateId, GateKind
from emqx_tui.rollout.intents import Abort, Adopt, Approve, Brake, Freeze, Hold, Intent, Resume, TakeOver
from emqx_tui.rollout.phases import BEFORE_CUT_OVER
from emqx_tui.rollout.state.journal import HoldRecord
from emqx_tui.rollout.telling import wording
from emqx_tui.rollout.ungated.ungated import UngatedRelease, is_stopped
from emqx_tui.session.views import facts
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.notice import Notice
from emqx_tui.session.views.view import View

FIRST_DATA_S = 30.0
HURRY_S = 5.0
"""Wall seconds after which a hold is sent without having seen everything."""
PATIENCE_S = 15.0
"""Wall seconds that a gate's checks get to pass, once everything has been read."""
ANSWER_S = 20.0
QUIET_S = 3.0
"""Cluster seconds without a command on its way: what was asked for has taken effect."""
TRIES = 3

_UNGATED = (Verb.HOLD, Verb.ADOPT, Verb.ABORT)
"""What can be done about a release without a journal."""

_SAID_OTHERWISE = frozenset({Event.NOTICE, Event.ROLE, Event.APPROVED})


class _Refused(Exception):
    def __init__(self, message: str, code: int = Code.REFUSED, gate: GateId | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.gate = gate


async def run_verb(runner: SessionRunner, options: VerbOptions, say: Callable[[str], None]) -> Answer:
    """Give one intent and wait until it counts; `say` gets lines for people on the way."""
    try:
        return await _Asking(runner, options, say).ask()
    except _Refused as refusal:
        return _answer(runner, refusal.code, str(refusal), refusal.gate)
    except LostContact:
        return _answer(runner, Code.LOST_CONTACT, "no watch of Kubernetes answers: contact is lost")
    except Stopped as stop:
        return _answer(runner, 1 if stop.code is None else stop.code, f"left by {stop.reason}")


def _answer(
    runner: SessionRunner, code: int, message: str, gate: GateId | None = None, driver: str | None = None
) -> Answer:
    journal = runner.view.journal if runner.view else None
    return Answer(code, message, runner.clock.now(), journal.release_id if journal else None, gate, driver)


class _Asking:
    def __init__(self, runner: SessionRunner, options: VerbOptions, say: Callable[[str], None]) -> None:
        self.runner = runner
        self.options = options
        self.say = say
        self.gate: Gate | None = None
        self.told = Told()

    async def ask(self) -> Answer:
        view = await self._look()
        if (found := facts.ungated(view)) is not None:
            answer = await self._brake(found)
            if self.options.verb is Verb.HOLD:
                return answer
            view = self.runner.view or view
        words = self._is_so_already(view)
        if words and (self._held_again(view) or self._is_done(view, is_quiet=not view.decision.commands)):
            return self._answer(view, words)
        if not words:
            view, words = await self._submitted()
        if self._held_again(view):
            return self._answer(view, words)
        if self.options.verb is Verb.HOLD:
            gone_s = facts.driver_gone_s(view)
            last = "" if gone_s is None else f"driver {view.driver} was last seen {span(gone_s)} ago"
            return self._answer(view, words, view.driver if gone_s is None else "", left=last)
        return await self._acted_on(words)

    async def _look(self) -> View:
        options = self.options
        view = await self.runner.until(lambda seen: is_known(seen) or is_out_of_reach(seen), within_s=FIRST_DATA_S)
        if is_out_of_reach(view):
            raise _Refused(why_unreadable(view, Kind.EMQX_ENTERPRISE), Code.LOST_CONTACT)
        if problem := why_unreadable(view, Kind.EMQX_ENTERPRISE, Kind.SECRET, Kind.LEASE):
            raise _Refused(problem)
        if not is_known(view):
            raise _Refused("the cluster did not answer in time", Code.LOST_CONTACT)
        if view.snapshot.resource.value is None:
            raise _Refused(f"no EmqxEnterprise {view.snapshot.name!r} in namespace {view.snapshot.namespace}")
        if view.journal is None or view.result:
            # What stands without a journal shows in the StatefulSets, too.
            view = await self.runner.until(lambda seen: has_answered(seen, Kind.STATEFUL_SET), within_s=HURRY_S)
            found = facts.ungated(view)
            if found is not None and options.verb is not Verb.HOLD:
                view = await self.runner.until(is_whole, within_s=FIRST_DATA_S)
                found = facts.ungated(view)
            if found is None or options.verb not in _UNGATED:
                told = without_journal(found, Cluster.of(view)) if found else ""
                raise _Refused(told or "no release is under way", Code.NOTHING_WAITS)
        elif options.verb is Verb.ADOPT:
            raise _Refused("this release has a journal: there is nothing to adopt", Code.NOTHING_WAITS)
        urgent = options.verb in (Verb.HOLD, Verb.FREEZE)
        return await self.runner.until(is_whole, within_s=HURRY_S if urgent else FIRST_DATA_S)

    async def _brake(self, found: UngatedRelease) -> Answer:
        """Stop a release that the operator runs by itself before its next step."""
        view = self.runner.view or await self.runner.next()
        words = "the operator is held already"
        for _ in range(TRIES):
            if found.is_stopped:
                break
            number = view.notice_number
            self.runner.session.submit(Brake(self.runner.person))

            def is_over(seen: View, number: int = number) -> bool:
                now = facts.ungated(seen)
                is_told = seen.notice_number > number and seen.notice is not None and seen.notice.is_refusal
                return now is None or now.is_stopped or is_told

            view = await self.runner.until(is_over, within_s=ANSWER_S)
            words = f"the valve is closed: {wording.stopped(found)}"
            after = facts.ungated(view)
            if after is None:
                raise _Refused("the release has ended", Code.NOTHING_WAITS)
            found = after
        if not found.is_stopped:
            raise _Refused(str(view.notice or "no answer in time"))
        return self._answer(view, words, left=ways_on(found, Cluster.of(view)))

    def _is_so_already(self, view: View) -> str:
        """What was asked for is so already: nothing to write."""
        journal, options = view.journal, self.options
        if journal is None:
            return ""
        hold = journal.hold
        match options.verb:
            case Verb.HOLD if hold is not None:
                return f"held already, by {hold.by}: {hold.reason}"
            case Verb.FREEZE if hold is not None and hold.freeze:
                return f"frozen already, by {hold.by}: {hold.reason}"
            case Verb.RESUME if hold is None:
                raise _Refused("nothing is held", Code.NOTHING_WAITS)
            case Verb.ABORT if journal.abort is not None:
                return f"an abort is under way already, by {journal.abort.by}"
            case Verb.APPROVE if options.gate and journal.is_approved(options.gate):
                return f"{options.gate} is approved already"
        return ""

    # -- asking ---------------------------------------------------------------------------------------------------

    async def _submitted(self) -> tuple[View, str]:
        """The view in which the intent is written down, and what it did. Raises _Refused."""
        refusal = "no answer in time"
        for _ in range(TRIES):
            intent = await self._intent()
            before = self.runner.view
            number = before.notice_number if before else 0
            self.told = begin(before) if before else Told()
            self.runner.session.submit(intent)

            def is_answered(view: View, number: int = number) -> bool:
                return view.notice_number > number and not view.is_unwritten

            view = await self.runner.until(is_answered, within_s=ANSWER_S)
            notice = view.notice if view.notice_number > number else None
            if self._has_effect(view, notice):
                return view, str(notice or "")
            refusal = notice.text if notice else refusal
            if notice is not None and notice.reason is RefusalReason.HELD:
                raise _Refused(refusal + self._who_may_act(view), Code.HELD, self._gate)
            if notice is None or notice.reason is not RefusalReason.SUPERSEDED:
                break
        raise _Refused(refusal, gate=self._gate)

    @property
    def _gate(self) -> GateId | None:
        return self.gate.id if self.gate else None

    def _who_may_act(self, view: View) -> str:
        """A cause that only a driver can mend stands for as long as there is none."""
        is_resume = self.options.verb is Verb.RESUME and view.role is Role.IDLE
        return f"; {_nobody_drives(view)}" if is_resume else ""

    async def _intent(self) -> Intent:
        options, by = self.options, self.runner.person
        match options.verb:
            case Verb.HOLD:
                return Hold(by, options.reason)
            case Verb.FREEZE:
                return Freeze(by, options.reason)
            case Verb.RESUME:
                return Resume(by)
            case Verb.ABORT | Verb.ADOPT:
                return await self._abort(by)
            case Verb.APPROVE:
                gate = self.gate = await self._open_gate()
                return Approve(gate.id, gate.revision, by, options.count)

    async def _abort(self, by: str) -> Abort | Adopt:
        view, options = self.runner.view or await self.runner.next(), self.options
        if (found := facts.ungated(view)) is not None:
            goes_back = options.verb is Verb.ABORT
            return Adopt(by, found.revision, goes_back, options.delay, options.template)
        cost = view.decision.abort
        if not cost.possible:
            raise _Refused(cost.why_not)
        return Abort(by, cost.revision)

    async def _open_gate(self) -> Gate:
        """The gate that waits, once its checks pass. Raises _Refused."""
        view = await self.runner.until(
            lambda seen: bool(seen.journal and seen.journal.hold) or _is_judged(seen.decision.gate),
            within_s=PATIENCE_S,
        )
        gate = view.decision.gate
        if view.journal is not None and view.journal.hold is not None:
            raise _Refused(wording.held(view.journal.hold), Code.HELD, gate.id if gate else None)
        if gate is None:
            why = f"the release is {view.result}" if view.result else f"no gate waits: {view.decision.phase}"
            raise _Refused(why, Code.NOTHING_WAITS)
        if not _is_meant(self.options.gate, gate.id):
            raise _Refused(f"gate {gate.id} waits, not {self.options.gate}", gate=gate.id)
        if self.options.count > 1 and gate.kind is not GateKind.NODE:
            raise _Refused(f"gate {gate.id} waits, and --count counts nodes: approve it without", gate=gate.id)
        if self.options.token and self.options.token != gate.token:
            raise _Refused(f"gate {gate.id} has another token than {self.options.token!r}", gate=gate.id)
        failing = [check for check in gate.checks if check.outcome.is_blocking]
        if failing:
            raise _Refused(f"gate {gate.id} is not to be approved now: {_why(failing)}", gate=gate.id)
        return gate

    def _has_effect(self, view: View, notice: Notice | None) -> bool:
        journal = view.journal
        if journal is None or view.is_unwritten:
            return False
        match self.options.verb:
            case Verb.HOLD:
                return journal.hold is not None
            case Verb.FREEZE:
                return journal.hold is not None and journal.hold.freeze
            case Verb.RESUME:
                return notice is not None and not notice.is_refusal
            case Verb.ABORT:
                return journal.abort is not None
            case Verb.ADOPT:
                return True
            case Verb.APPROVE:
                return self.gate is not None and journal.is_approved(self.gate.id)

    # -- acting ---------------------------------------------------------------------------------------------------

    async def _acted_on(self, words: str) -> Answer:
        """Leave it to the driver, if one is seen to be alive; else act."""
        view, is_driven = await self._seen_driver()
        if self._held_again(view) or is_driven or view.result:
            return self._answer(view, words, view.driver if is_driven else "")
        self.runner.session.submit(TakeOver(self.runner.person))

        def is_settled(seen: View) -> bool:
            cannot_drive = seen.role is Role.IDLE and bool(seen.role_reason)
            return seen.role is Role.DRIVER or bool(seen.result) or cannot_drive

        view = await self.runner.until(is_settled, within_s=ANSWER_S)
        if view.role is not Role.DRIVER:
            return self._answer(view, words, left=view.role_reason)
        self.say(words)
        self.say("nobody drives this release: this console acts on it")
        view = await self._drive()
        return replace(self._answer(view, words, left=left_behind(view)), said=words)

    async def _seen_driver(self) -> tuple[View, bool]:
        """The view in which it is known whether another driver is alive, and whether one is."""
        age_s: float | None = None
        is_renewed = False

        def is_known(view: View) -> bool:
            nonlocal age_s, is_renewed
            before_s, age_s = age_s, view.driver_seen_s
            is_renewed = before_s is not None and age_s is not None and age_s < before_s
            return is_renewed or view.role in (Role.DRIVER, Role.IDLE) or bool(view.result)

        view = await self.runner.until(is_known, within_s=ANSWER_S)
        return view, is_renewed

    def _held_again(self, view: View) -> HoldRecord | None:
        """What holds a step that was resumed, approved or sent back: another cause, or a person meanwhile."""
        is_going = self.options.verb in (Verb.RESUME, Verb.APPROVE, Verb.ABORT)
        return view.journal.hold if is_going and view.journal and not view.result else None

    def _answer(self, view: View, words: str, driver: str = "", *, left: str = "") -> Answer:
        hold = self._held_again(view)
        parts = (words, wording.held(hold) if hold else "", left)
        message = "; ".join(part for part in parts if part)
        return _answer(self.runner, Code.HELD if hold else Code.DONE, message, self._gate, driver or None)

    async def _drive(self) -> View:
        """Act until what was asked for has taken effect; the newest view."""
        view = self.runner.view or await self.runner.next()
        quiet_since = view.now
        while True:
            self._tell(view)
            if view.in_flight or view.is_unwritten or view.decision.commands:
                quiet_since = view.now
            is_quiet = (view.now - quiet_since).total_seconds() >= QUIET_S
            if view.result or (self._is_done(view, is_quiet) and not view.is_unwritten):
                return view
            view = await self.runner.next()

    def _tell(self, view: View) -> None:
        records, self.told = diff(self.told, view, self.runner.clock.monotonic())
        for record in records:
            if record.event not in _SAID_OTHERWISE:
                self.say(words.line(record))

    def _is_done(self, view: View, is_quiet: bool) -> bool:
        journal, resource = view.journal, view.snapshot.resource.value
        if journal is None:
            return True
        match self.options.verb:
            case Verb.ABORT:
                return journal.hold is not None and is_quiet
            case Verb.HOLD:
                return True
            case Verb.FREEZE:
                return is_quiet and not facts.draining(view)
            case Verb.ADOPT:
                return is_quiet and resource is not None and is_stopped(resource)
        is_cutting_over = journal.is_approved(journal.cut_over_gate) and view.decision.phase in BEFORE_CUT_OVER
        if journal.hold is None and is_cutting_over:
            # An address out of the Service for the canary's sake is not left unwatched.
            return False
        if journal.hold is None and self.gate is not None and self.gate.kind is GateKind.NODE:
            member = next((m for m in view.snapshot.members if m.name == self.gate.target), None)
            return member is None or member.evacuation is not None
        return is_quiet


def left_behind(view: View) -> str:
    """What is true once this console has left."""
    if view.result:
        return f"the release is {view.result}"
    drain = "the drain goes on inside EMQX, " if facts.is_draining(view) else ""
    return f"{drain}nobody drives from here on: {command('rollout', Cluster.of(view))}"


def _nobody_drives(view: View) -> str:
    return f"nobody drives: {command('rollout', Cluster.of(view))}"


def _is_judged(gate: Gate | None) -> bool:
    """The gate is open, or a check says no: waiting longer would change nothing."""
    return gate is not None and (gate.is_open or any(check.outcome is Outcome.FAIL for check in gate.checks))


def _why(failing: list[CheckResult]) -> str:
    return "; ".join(f"{c.name}: {c.evidence}" + (f" ({c.hint})" if c.hint else "") for c in failing)


def _is_meant(asked: GateId | None, waiting: GateId) -> bool:
    """The gate that waits is the one that was asked for; of the cut-over, its late form too."""
    return asked in (None, waiting, replace(waiting, is_late=False))
