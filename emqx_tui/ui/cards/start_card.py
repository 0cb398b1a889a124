"""PURE: the card that starts a release: what it will do, how long, at what price, and the patch itself."""

from __future__ import annotations

from dataclasses import replace

from emqx_tui.model import units
from emqx_tui.model.kube_object import fingerprint
from emqx_tui.model.owners import Keeps
from emqx_tui.rollout.change import Plan
from emqx_tui.rollout.commands import ApplyTemplate, Target, in_context
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.rollout.intents import Start
from emqx_tui.rollout.policy import CLOSED_S, Approval
from emqx_tui.runbook import SILENT, Gate, Runbook
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import EditPreview, View
from emqx_tui.ui.cards.card import Asked, Card, Renew, check_rows, filled, runbook_row
from emqx_tui.ui.cards.policy_card import policy_words
from emqx_tui.ui.rollout.advice import DOT
from emqx_tui.ui.rollout.names import blocked_words
from emqx_tui.ui.shell.keymap import Area, spelled
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.owners import owned_lines
from emqx_tui.ui.text.spans import Line, line


def start_card(
    preview: EditPreview, view: View | None, overrides: tuple[str, ...] = (), runbook: Runbook = SILENT
) -> Card | None:
    """The card that starts a release; None while there is no plan. `overrides` are checks accepted beforehand."""
    plan = preview.plan
    if plan is None:
        return None
    failed = [check for check in preview.checks if check.outcome is Outcome.FAIL and check.name not in overrides]
    accepted = tuple(check.name for check in failed if check.can_override)
    abort = spelled(Area.ROLLOUT, "abort")
    rows: list[tuple[str, tuple[Line, ...]]] = [
        ("Next", _what_happens(plan)),
        ("Plan", _plan(preview)),
        ("Expect", _expect(preview)),
        ("Gates", (line(policy_words(plan.approval, plan.parallel_drains)),)),
        (
            "Changes",
            tuple(
                line(f"{d.path.removeprefix('spec.')}  {_value(d.before)} → {_value(d.after)}")
                for d in plan.differences
            ),
        ),
        ("Owner", tuple(owned_lines(o for o in preview.change.owned if o.owner.keeps is not Keeps.NOT))),
        ("Checks", check_rows(preview.checks)),
        ("Way back", (line(f"until the cut-over: {abort} goes back, and disconnects only who is on green by then"),)),
        ("Runbook", runbook_row(runbook, Gate.START)),
        ("Command", (line(in_context(_start_command(preview), view.context if view else "")),)),
    ]
    asked = [Asked(name, f"Type {name} to accept that this check fails") for name in accepted]
    asked.append(Asked(plan.to_version, f"Type the new version ({plan.to_version}) to start"))
    return Card(
        title=f"Start: {plan.name} {plan.from_version} → {plan.to_version}",
        rows=filled(rows),
        warning="",
        asked=tuple(asked),
        revision=_start_revision(plan, (*overrides, *accepted)),
        blocked=_start_blocked(preview, view, failed),
        intent=lambda by: Start(plan, by, (*overrides, *accepted)),
    )


def _what_happens(plan: Plan) -> tuple[Line, ...]:
    until = "the cut-over, which nobody is asked for" if plan.approval is Approval.AUTO else "you approve the cut-over"
    first = line(f"green is created beside blue; no client is disconnected until {until}")
    return first, line("a few new clients may connect to green while it comes up: they are counted")


def _start_revision(plan: Plan, accepted: tuple[str, ...]) -> str:
    """What starting means. The operator's status writes move the resourceVersion, clients that come and go the
    forecast, and neither changes what is done: left out."""
    meant = replace(plan, resource_version="", forecast=None)
    return f"start@{fingerprint([repr(meant), plan.patch, accepted])}"


def renew_start(judged: EditPreview, overrides: tuple[str, ...] = (), runbook: Runbook = SILENT) -> Renew:
    """The start card of an edit that was judged. A question that was on its way may still be answered: a newer answer
    renews the card, and it is another card when what would be started has become something else."""
    newest = judged

    def renew(view: View | None, preview: EditPreview | None) -> Card | None:
        nonlocal newest
        if preview is not None and preview.number >= newest.number:
            newest = preview
        return start_card(newest, view, overrides, runbook)

    return renew


def _start_blocked(preview: EditPreview, view: View | None, failed: list[CheckResult]) -> str:
    if problem := blocked_words(facts.why_no_intent(view)):
        return problem
    if view and facts.is_under_way(view):
        return "a release is running already"
    if preview.dry_run_ok is not True:
        return f"the server did not accept the change: {preview.dry_run or 'not asked yet'}"
    fatal = [check for check in failed if not check.can_override]
    waiting = [check for check in preview.checks if check.outcome is Outcome.WAIT]
    if fatal or waiting:
        return f"a check does not pass: {(fatal or waiting)[0].evidence}"
    return ""


def _plan(preview: EditPreview) -> tuple[Line, ...]:
    forecast, plan = preview.forecast, preview.plan
    if forecast is None or plan is None:
        return (line("no estimate: counts are missing"),)
    drains = [node.drain_s.middle for node in forecast.nodes if node.drain_s is not None]
    longest = f"{len(forecast.nodes)} × up to {units.span(max(drains))}" if drains else "drains of unknown length"
    steps = [f"green {units.span(forecast.green_s.middle)}", f"wait {units.span(forecast.shape.delay_s)}"]
    steps += [f"canary {units.span(forecast.shape.canary_s)}"] if forecast.shape.canary_s else []
    steps += [longest, f"finish {units.span(forecast.finish_s.middle)}"]
    total = f" = about {units.span(forecast.total_s.middle)}" if forecast.total_s is not None else ""
    rate = f"{units.per_s(plan.rates.conn_evict_rate_per_s)} a node, takeover wait {plan.rates.wait_takeover_s} s"
    waits = "" if plan.approval is Approval.AUTO else f"{DOT}waits at gates come on top"
    return line(DOT.join(steps) + total), line(f"{rate}{waits}")


def _expect(preview: EditPreview) -> tuple[Line, ...]:
    forecast = preview.forecast
    if forecast is None or forecast.disconnects is None:
        return (line("not known: counts are missing"),)
    parts = [
        f"{units.count(forecast.disconnects)} disconnects, one per client",
        f"offline at once up to {units.count(forecast.offline_at_once)}",
        f"lowest sum {units.percent(forecast.lowest_ratio, 1)}",
    ]
    return (line(DOT.join(parts)),)


def _value(value: object) -> str:
    return "nothing" if value is None else clean(value)


def _start_command(preview: EditPreview) -> str:
    plan = preview.plan
    assert plan is not None
    target = Target(plan.namespace, plan.name, plan.uid, plan.resource_version)
    return ApplyTemplate(target, plan.patch, CLOSED_S, plan.rates).describe()
