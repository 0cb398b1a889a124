"""One release from a script: plan, start, follow to the end; or carry on with the one that is under way.

Owns the order of things and what ends it. The invocation itself approves the start; all later gates are opened by the
policy or by people at other terminals. Leaving never stops a release: what runs inside EMQX goes on, and nothing
further begins until somebody drives again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from emqx_tui.headless.advice import Cluster, command, list_clusters, without_journal
from emqx_tui.headless.lines.events import Event, Record
from emqx_tui.headless.lines.output import Output
from emqx_tui.headless.lines.view_diff import Told, begin, check_fields, diff, hold_fields
from emqx_tui.headless.looking.readiness import is_known, is_out_of_reach, is_whole, why_unreadable
from emqx_tui.headless.release.exit_status import EXIT_CODES, Leaving, Result, ending, unfinished
from emqx_tui.headless.release.release_options import Edit, InvalidOption, differs_from
from emqx_tui.headless.release.summary import summary
from emqx_tui.headless.session_runner import LostContact, SessionRunner, Stopped
from emqx_tui.model.errors import AdapterError
from emqx_tui.model.kinds import Kind
from emqx_tui.rollout.change import Draft, ReleaseOptions, Verdict
from emqx_tui.rollout.checks.preflight import blocking
from emqx_tui.rollout.decision import Outcome, RefusalReason
from emqx_tui.rollout.intents import SetPolicy, Start
from emqx_tui.rollout.policy import Approval, is_closed
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.session.views import facts
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.view import EditPreview, View

FIRST_DATA_S = 30.0
"""Wall seconds for the first look at everything."""
LOOK_S = 5.0
"""Wall seconds for the same of a release that is under way: it goes on meanwhile."""
ANSWER_S = 30.0
"""Wall seconds for an intent to be answered and written down."""
JOURNAL_S = 5.0
"""Wall seconds for the journal of a release of which something else was seen already."""


@dataclass(frozen=True)
class RolloutOptions:
    """What `emqx-tui rollout` was asked for."""

    edit: Edit = field(default_factory=Edit)
    approval: Approval | None = None
    """Said on the command line; None = the release's own, or the default."""
    default_approval: Approval = Approval.EVERY_NODE
    leaving: Leaving = field(default_factory=Leaving)
    overrides: tuple[str, ...] = ()
    late_removal: bool = False
    parallel_drains: int = 1
    freeze_on_silence: bool = True


class Refused(Exception):
    """Nothing was started, and why: one line."""

    def __init__(self, message: str, result: Result = Result.FAILED) -> None:
        super().__init__(message)
        self.result = result


async def run_rollout(runner: SessionRunner, options: RolloutOptions, output: Output) -> tuple[Record, int]:
    """Run or carry on a release: (the last record, the exit code). The caller prints it after closing the runner."""
    run = _Run(runner, options, output)
    result, code = await run.play()
    last = summary(runner.view, result, run.now(), versions=run.versions)
    return last, EXIT_CODES[result] if code is None else code


class _Run:
    def __init__(self, runner: SessionRunner, options: RolloutOptions, output: Output) -> None:
        self.runner = runner
        self.options = options
        self.output = output
        self.told: Told | None = None
        self.versions: tuple[str | None, str | None] = (None, None)

    def now(self) -> datetime:
        return self.runner.clock.now()

    def tell(self, event: Event, **fields: object) -> None:
        """Of the moment that is seen: views that wait their turn are older than the clock."""
        view = self.runner.view
        release_id = view.journal.release_id if view and view.journal else None
        self.output.tell(Record(event, view.now if view else self.now(), release_id, fields))

    async def play(self) -> tuple[Result, int | None]:
        """(result, exit code if it is not the result's)."""
        try:
            view = await self._first_look()
            self.told = begin(view)
            if view.journal is not None and not view.result:
                await self._carry_on(view, view.journal)
            else:
                await self._start_or_join(view)
            return await self._follow(), None
        except Refused as refusal:
            self.tell(Event.PROBLEM if refusal.result is not Result.DONE else Event.NOTICE, text=str(refusal))
            return refusal.result, None
        except Stopped as stop:
            result = unfinished(self.runner.view)
            self.tell(Event.STOPPING, reason=stop.reason, text=left_behind(self.runner.view))
            return result, stop.code
        except LostContact:
            self.tell(Event.PROBLEM, text="no watch of Kubernetes has answered for 120 s: contact is lost")
            return Result.LOST_CONTACT, None

    async def _first_look(self) -> View:
        view = await self.runner.until(lambda seen: is_known(seen) or is_out_of_reach(seen), within_s=FIRST_DATA_S)
        if is_out_of_reach(view):
            raise Refused(why_unreadable(view, Kind.EMQX_ENTERPRISE), Result.LOST_CONTACT)
        if problem := why_unreadable(view, Kind.EMQX_ENTERPRISE, Kind.SECRET, Kind.LEASE):
            raise Refused(problem)
        if not is_known(view):
            raise Refused("the cluster did not answer in time", Result.LOST_CONTACT)
        seen = view.snapshot
        if seen.resource.value is None:
            where = f"namespace {seen.namespace}"
            raise Refused(f"no EmqxEnterprise {seen.name!r} in {where}; see: {list_clusters(Cluster.of(view))}")
        return view

    # -- a release that is under way ------------------------------------------------------------------------------

    async def _carry_on(self, view: View, journal: Journal) -> None:
        resource, options = view.snapshot.resource.value, self.options
        assert resource is not None
        if options.edit:
            try:
                difference = differs_from(options.edit, journal, resource)
            except InvalidOption as wrong:
                raise Refused(str(wrong)) from wrong
            if difference:
                raise Refused(f"{difference}; run it without --set and --template to carry on with it")
        found = facts.versions(journal)
        seen = await self.runner.until(is_whole, within_s=LOOK_S)
        self.tell(
            Event.CARRIED_ON,
            **{"from": found.before, "to": found.after},
            phase=str(seen.decision.phase),
            started_at=journal.created_at.isoformat(),
            started_by=journal.created_by,
        )
        if view.role is not Role.IDLE:
            self.tell(Event.ROLE, role=str(view.role), driver=view.driver or None, reason=view.role_reason or None)
        if journal.hold is not None:
            self.tell(Event.HOLD, **hold_fields(journal.hold))
        if options.approval is not None and options.approval is not journal.approval:
            self.runner.session.submit(SetPolicy(self.runner.person, str(options.approval)))

    async def _start_or_join(self, view: View) -> None:
        """Start; when another console was faster, carry on with its release."""
        try:
            await self._start(view)
        except Refused:
            view = self.runner.view or view
            if _has_traces_of_others(view):
                view = await self.runner.until(_is_begun_elsewhere, within_s=JOURNAL_S)
            if view.journal is None or not _is_begun_elsewhere(view):
                raise
            self.told, self.versions = begin(view), (None, None)
            await self._carry_on(view, view.journal)

    # -- a new release --------------------------------------------------------------------------------------------

    async def _start(self, view: View) -> None:
        resource, options = view.snapshot.resource.value, self.options
        assert resource is not None
        view = await self.runner.until(is_whole, within_s=FIRST_DATA_S)
        found = facts.ungated(view)
        if found is not None and resource.blue_green is not None:
            # Without parameters of a release nothing stops the operator; pre-flight says what is missing.
            raise Refused(without_journal(found, Cluster.of(view)))
        self.versions = (resource.image.version, None)
        if not options.edit:
            raise Refused("no release is under way: say what to change, such as --set image.version=4.4.15")
        preview = await self._preview(view)
        self._refuse_other_verdicts(preview, view)
        plan = preview.plan
        if plan is None:
            raise Refused("no plan can be made: give connEvictRate and sessEvictRate, of at least 1 per second")
        self.versions = (plan.from_version, plan.to_version)
        self._tell_plan(preview)
        stopping = blocking(preview.checks, options.overrides)
        for check in preview.checks:
            if check.outcome is not Outcome.PASS:
                overridden = check.outcome.is_blocking and check not in stopping
                fields = {**check_fields(check), "can_override": check.can_override, "overridden": overridden}
                self.tell(Event.CHECK, **fields)
        if stopping:
            names = ", ".join(check.name for check in stopping)
            raise Refused(f"not started, pre-flight checks do not pass: {names}")
        self.runner.session.submit(Start(plan, self.runner.person, options.overrides))
        view = await self._answered(view)
        assert view.journal is not None
        assert self.told is not None
        # The answer to our own intent is told by the record of the start.
        seen = self.told.view or view
        self.told = replace(self.told, view=replace(seen, notice=view.notice, notice_number=view.notice_number))
        self.tell(Event.STARTED, **{"from": plan.from_version, "to": plan.to_version}, by=view.journal.created_by)

    async def _preview(self, view: View) -> EditPreview:
        """Ask until every check has an answer; a check that only waits for data is asked again for a while."""
        begun = self.runner.clock.monotonic()
        while True:
            resource = view.snapshot.resource.value
            if resource is None:
                raise Refused("the object is gone")
            options = self.options
            try:
                draft = options.edit.draft(resource)
                preview = await self._ask(draft)
            except InvalidOption as wrong:
                raise Refused(str(wrong)) from wrong
            except AdapterError as error:
                raise Refused(error.message) from error
            stopping = blocking(preview.checks, options.overrides)
            # Nothing that is waited for mends a check that has failed.
            waits = bool(stopping) and all(check.outcome is Outcome.WAIT for check in stopping)
            if not waits or self.runner.clock.monotonic() - begun > FIRST_DATA_S:
                return preview
            view = await self.runner.next()

    async def _ask(self, draft: Draft) -> EditPreview:
        options = self.options
        wanted = ReleaseOptions(
            options.approval or options.default_approval,
            options.late_removal,
            options.parallel_drains,
            options.freeze_on_silence,
        )
        return await self.runner.session.preview_edit(1, draft, wanted)

    def _refuse_other_verdicts(self, preview: EditPreview, view: View) -> None:
        change, resource = preview.change, view.snapshot.resource.value
        match change.verdict:
            case Verdict.STARTS_RELEASE:
                return
            case Verdict.UNCHANGED:
                assert resource is not None
                self.versions = (resource.image.version, resource.image.version)
                if resource.is_running and resource.blue_green_status is None:
                    raise Refused("nothing to do: the cluster runs what was asked for", Result.DONE)
                condition = resource.condition
                raise Refused(
                    "the object asks for this already, but the cluster is not well: "
                    f"the operator says {condition.type if condition else 'nothing'}"
                )
            case Verdict.REFUSED:
                raise Refused("; ".join(f"{problem.path}: {problem.sentence}" for problem in change.problems))
            case _:
                raise Refused(f"this edit starts no release ({change.verdict}): send it with kubectl patch")

    def _tell_plan(self, preview: EditPreview) -> None:
        plan, forecast = preview.plan, preview.forecast
        assert plan is not None

        def spelled(differences):
            return [{"path": d.path, "before": d.before, "after": d.after} for d in differences]

        fields = {
            "from": plan.from_version,
            "to": plan.to_version,
            "verdict": str(preview.change.verdict),
            "differences": spelled(plan.differences),
            "server_differences": spelled(preview.server_differences),
            "conn_evict_rate": plan.rates.conn_evict_rate_per_s,
            "sess_evict_rate": plan.rates.sess_evict_rate_per_s,
            "wait_takeover_s": plan.rates.wait_takeover_s,
            "initial_delay_s": plan.delay_s,
            "approval": str(plan.approval),
            "parallel_drains": plan.parallel_drains,
            "late_removal": plan.late_removal,
            "freeze_on_silence": plan.freeze_on_silence,
            "estimate_s": forecast.total_s.middle if forecast and forecast.total_s else None,
            "disconnects": forecast.disconnects if forecast else None,
        }
        self.tell(Event.PLAN, **fields)

    async def _answered(self, before: View) -> View:
        """The view in which the start is written down. Raises Refused."""

        def is_answered(view: View) -> bool:
            is_new = view.notice is not None and view.notice_number > before.notice_number
            refused = is_new and view.notice is not None and view.notice.is_refusal
            return refused or (view.journal is not None and not view.is_unwritten and not view.result)

        view = await self.runner.until(is_answered, within_s=ANSWER_S)
        if view.journal is None or view.is_unwritten or view.result or _is_begun_elsewhere(view):
            raise Refused(f"not started: {view.notice or 'no answer'}")
        return view

    # -- to the end -----------------------------------------------------------------------------------------------

    async def _follow(self) -> Result:
        view = self.runner.view
        assert view is not None
        assert self.told is not None
        while True:
            records, self.told = diff(self.told, view, self.runner.clock.monotonic())
            for record in records:
                self.output.tell(record)
            result = ending(view, self.options.leaving)
            if result is not None:
                if way_on := how_to_go_on(view, result):
                    self.tell(Event.NOTICE, text=way_on)
                return result
            view = await self.runner.next()


def left_behind(view: View | None) -> str:
    """What is true once this run has left."""
    if view is None or view.journal is None or view.result:
        return "nothing was started"
    drain = "the drain inside EMQX goes on to its end; " if facts.is_draining(view) else ""
    how = command("rollout", Cluster.of(view))
    return f"{drain}no further step begins until somebody drives: {how}"


def _is_begun_elsewhere(view: View) -> bool:
    """A release is under way that was not begun here."""
    return view.journal is not None and not view.is_unwritten and not view.result and view.arrival is not None


def _has_traces_of_others(view: View) -> bool:
    """Somebody else drives, or holds the operator: a release whose journal has not arrived here."""
    resource, notice = view.snapshot.resource.value, view.notice
    parameters = resource.blue_green if resource else None
    return (
        (parameters is not None and is_closed(parameters.effective_delay_s))
        or (notice is not None and notice.reason is RefusalReason.UNDER_WAY)
        or _is_begun_elsewhere(view)
    )


def how_to_go_on(view: View, result: Result) -> str:
    """What a person does about an unfinished release, in commands; empty for one that has ended."""
    cluster, gate, journal = Cluster.of(view), view.decision.gate, view.journal
    if result is Result.WAITING and gate is not None:
        return f"{command('approve', cluster, str(gate.id))}, then {command('rollout', cluster)}"
    if result is Result.HELD and journal is not None and journal.hold is not None:
        late = " (goes on with late removal)" if journal.hold.check == "canary" else ""
        abort = f", or {command('abort', cluster)}" if view.decision.abort.possible else ""
        return f"{command('resume', cluster)}{late}, then {command('rollout', cluster)}{abort}"
    return ""
