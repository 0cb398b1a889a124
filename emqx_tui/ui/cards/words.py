"""PURE: what the cards say before something irreversible: start, cut-over, a node's drain, abort, a looser policy.

A card tells consequences in plain words and units, what is checked, the way back, and the very commands that will be
sent (redacted where they were made). It names one revision: an approval is of what was read, or it is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from emqx_tui.model.workloads import fingerprint
from emqx_tui.rollout.change import Plan
from emqx_tui.rollout.commands import ApplyTemplate, Target
from emqx_tui.rollout.decision import CheckResult, Gate, GateKind, Outcome
from emqx_tui.rollout.intents import Abort, Approve, Intent, SetPolicy, Start
from emqx_tui.rollout.phases import FINAL
from emqx_tui.rollout.policy import CLOSED_S, Approval
from emqx_tui.session.view import EditPreview, View
from emqx_tui.ui.rollout.headline import DOT, meanwhile
from emqx_tui.ui.rollout.readings import cannot_act
from emqx_tui.ui.text import units
from emqx_tui.ui.text.glyphs import DONE
from emqx_tui.ui.text.marks import check_line, clean
from emqx_tui.ui.text.spans import TIE, Line, Span, Tone, line


@dataclass(frozen=True)
class Asked:
    """One word that has to be typed, and what typing it means."""

    token: str
    prompt: str


@dataclass(frozen=True)
class Card:
    """What is read before something is approved."""

    title: str
    rows: tuple[tuple[str, tuple[Line, ...]], ...]
    """(label, lines)."""
    warning: str
    asked: tuple[Asked, ...]
    """Typed one after another; the last one sends."""
    revision: str
    """Another one means that the person has read something else."""
    blocked: str
    """Why it cannot be approved now; empty when it can."""
    intent: Callable[[str], Intent] = field(compare=False, repr=False)
    """Who approves -> what is sent."""


Renew = Callable[[View | None, EditPreview | None], Card | None]
"""The card as it would be opened now; None when it is not on offer any more."""


# --- a gate ---


def gate_card(gate: Gate, view: View) -> Card:
    """The card of the gate that waits."""
    cut_over = gate.kind is GateKind.CUT_OVER
    rows: list[tuple[str, tuple[Line, ...]]] = [
        ("Next", _next(gate, view)),
        ("Then", _what_follows(gate, view)),
        ("Go to", _where_they_go(gate, view)),
        ("Checks", _checks(gate.checks)),
        ("Since", _since(view)),
        ("Way back", _way_back(gate, view)),
        ("Command", tuple(line(clean(command)) for command in gate.commands)),
    ]
    meaning = "cut over" if cut_over else "drain and remove it"
    what = "the word green" if cut_over else f"the node's number ({gate.token})"
    return Card(
        title="Approve: cut over to green" if cut_over else f"Approve: drain {gate.target}",
        rows=tuple((label, lines) for label, lines in rows if lines),
        warning="Last way back: after this node is gone, going back is a new release." if gate.is_last_way_back else "",
        asked=(Asked(gate.token, f"Type {what} to {meaning}"),),
        revision=f"{gate.id}@{gate.revision}",
        blocked=_blocked(gate, view),
        intent=lambda by: Approve(gate.id, gate.revision, by),
    )


def renew_gate(gate_id: str) -> Renew:
    """The card of this gate as long as it waits."""

    def renew(view: View | None, _: EditPreview | None) -> Card | None:
        gate = view.decision.gate if view else None
        return gate_card(gate, view) if view and gate and gate.id == gate_id else None

    return renew


def _blocked(gate: Gate, view: View) -> str:
    if problem := cannot_act(view):
        return problem
    if view.journal and view.journal.hold:
        return "the release is held: resume it first"
    age_s = view.snapshot.stats.age_s(view.now)
    limit_s = view.policy.max_broker_age_s
    if age_s is None or age_s > limit_s:
        return f"the brokers' figures are {units.age(age_s)} old (limit {units.age(limit_s)})"
    waiting = [check for check in gate.checks if check.outcome is not Outcome.PASS]
    return f"a check does not pass: {waiting[0].evidence}" if waiting else ""


def _next(gate: Gate, view: View) -> tuple[Line, ...]:
    about = f"about {units.span(gate.seconds)}" if gate.seconds is not None else "for a time that is not known"
    if gate.kind is GateKind.CUT_OVER:
        if view.journal is not None and view.journal.late_removal:
            first = line("green is added to the Service; a blue address leaves when its node has no client")
            return first, line("until then some new clients still come to blue and are moved once more")
        first = line("new connections go to green; nobody who is connected is cut off")
        if not gate.seconds:
            return (first,)
        return first, line(f"{about}: one blue address goes first and its node is watched; losses put it back")
    clients = f"{units.count(gate.clients)} clients" if gate.clients is not None else "an unknown number of clients"
    first = line((clients, Tone.STRONG), f" are disconnected at {units.per_s(gate.rate_per_s)}: {about}")
    return first, line("its pod is removed once the node itself says that it is empty")


def _what_follows(gate: Gate, view: View) -> tuple[Line, ...]:
    """What nobody is asked for any more once the cut-over is approved."""
    journal = view.journal
    if gate.kind is not GateKind.CUT_OVER or journal is None:
        return ()
    if journal.approval is Approval.EVERY_NODE:
        return (line("every node waits for you"),)
    blue = view.snapshot.blue
    clients = f"{units.count(blue.live_connections if blue else None)} clients are disconnected"
    rate = units.per_s(journal.rates.conn_evict_rate_per_s)
    return (line((f"nobody is asked again: {clients} at {rate}, node by node", Tone.WARN)),)


def _where_they_go(gate: Gate, view: View) -> tuple[Line, ...]:
    if not gate.recipients:
        return (line(("no green node accepts clients", Tone.WARN)),)
    counts = [count for _, count in gate.recipients if count is not None]
    each = ""
    if counts:
        low, high = units.count(min(counts)), units.count(max(counts))
        each = f" ({low} each)" if low == high else f" ({low} to {high} each)"
    where = f"to {units.plural(len(gate.recipients), 'green node')}{each}"
    ledger = view.ledger
    if not ledger.evicted:
        return (line(where),)
    if ledger.missing is None or ledger.landed is None:
        return (line(where), line(f"{units.count(ledger.evicted)} evicted so far; how many are back is not known"))
    # More clients than were evicted are on green when some came by themselves: nobody is missing then.
    missing = max(0, ledger.missing)
    landed = f"{units.count(min(ledger.landed, ledger.evicted))} of {units.count(ledger.evicted)} evicted are on green"
    share = units.percent(missing / ledger.evicted).replace(" ", TIE)
    return line(where), line(f"{landed}{DOT}missing {units.count(missing)} ({share})")


def _checks(checks: tuple[CheckResult, ...]) -> tuple[Line, ...]:
    """Those that do not pass first, each on a line; then those that pass, in a row: they are what is relied on."""
    order = {Outcome.FAIL: 0, Outcome.WAIT: 1}
    blocking = sorted((c for c in checks if c.outcome is not Outcome.PASS), key=lambda check: order[check.outcome])
    passing: list[Span] = []
    for check in checks:
        if check.outcome is Outcome.PASS:
            unbroken = (Span(span.text.replace(" ", TIE), span.tone) for span in check_line(check))
            passing += [*unbroken, Span("   ")]
    return (*(check_line(check) for check in blocking), *([tuple(passing[:-1])] if passing else []))


def _since(view: View) -> tuple[Line, ...]:
    journal = view.journal
    if journal is None or not journal.approvals:
        return ()
    last = journal.approvals[-1]
    ago = units.span((view.now - last.at).total_seconds())
    parts = [f"{gate_name(last.gate)} approved by {last.by} {ago} ago"]
    if journal.drained:
        parts.append(f"{len(journal.drained)} of {units.plural(journal.originals.replicas, 'node')} drained")
    if view.ledger.max_missing is not None:
        parts.append(f"at most {units.count(view.ledger.max_missing)} missing at once")
    if journal.totals.killed:
        parts.append(f"{units.count(journal.totals.killed)} cut off without a drain")
    if running := meanwhile(view):
        parts.append(running)
    return (line(clean(DOT.join(parts))),)


def gate_name(gate: str) -> str:
    """A gate's id as words."""
    kind, _, ordinal = gate.partition(":")
    return f"node {ordinal}" if kind == "node" else kind


def _way_back(gate: Gate, view: View) -> tuple[Line, ...]:
    cost = view.decision.abort
    if cost.possible:
        price = f"{units.count(cost.disconnects)} disconnects, {units.span(cost.seconds)}"
        return (line(DOT.join(part for part in (f"now, x: {price}", _way_back_after(gate, cost.disconnects)) if part)),)
    return (line(f"{cost.why_not or 'going back is a new release'}"),)


def _way_back_after(gate: Gate, now: int | None) -> str:
    """What going back would cost once the gate's step is done."""
    if gate.is_last_way_back:
        return "afterwards: only by a new release"
    if gate.kind is not GateKind.NODE or now is None or gate.clients is None:
        return ""
    return f"afterwards: about {units.count(now + gate.clients)} disconnects"


# --- start ---


def start_card(preview: EditPreview, view: View | None, overrides: tuple[str, ...] = ()) -> Card | None:
    """The card that starts a release; None while there is no plan. `overrides` are checks accepted beforehand."""
    plan = preview.plan
    if plan is None:
        return None
    failed = [check for check in preview.checks if check.outcome is Outcome.FAIL and check.name not in overrides]
    accepted = tuple(check.name for check in failed if check.can_override)
    rows: list[tuple[str, tuple[Line, ...]]] = [
        ("Next", (line("green is built beside blue; no client is touched until you approve the cut-over"),)),
        ("Plan", _plan(preview)),
        ("Expect", _expect(preview)),
        ("Gates", (line(_policy_words(plan.approval, plan.parallel_drains)),)),
        (
            "Changes",
            tuple(
                line(f"{d.path.removeprefix('spec.')}  {_value(d.before)} → {_value(d.after)}")
                for d in plan.differences
            ),
        ),
        ("Checks", _checks(preview.checks)),
        ("Way back", (line("until the cut-over: x puts everything back, no client notices"),)),
        ("Command", (line(_start_command(preview)),)),
    ]
    asked = [Asked(name, f"Type {name} to accept that this check fails") for name in accepted]
    asked.append(Asked(plan.to_version, f"Type the new version ({plan.to_version}) to start"))
    return Card(
        title=f"Start: {plan.name} {plan.from_version} → {plan.to_version}",
        rows=tuple((label, lines) for label, lines in rows if lines),
        warning="",
        asked=tuple(asked),
        revision=_start_revision(plan, (*overrides, *accepted)),
        blocked=_start_blocked(preview, view, failed),
        intent=lambda by: Start(plan, by, (*overrides, *accepted)),
    )


def _start_revision(plan: Plan, accepted: tuple[str, ...]) -> str:
    """What starting means. The operator's status writes move the resourceVersion and nothing else: left out."""
    return f"start@{fingerprint([repr(replace(plan, resource_version='')), plan.patch, accepted])}"


def renew_start(judged: EditPreview, overrides: tuple[str, ...] = ()) -> Renew:
    """The start card of an edit that was judged. A question that was on its way may still be answered: a newer answer
    renews the card, and it is another card when what would be started has become something else."""
    newest = judged

    def renew(view: View | None, preview: EditPreview | None) -> Card | None:
        nonlocal newest
        if preview is not None and preview.number >= newest.number:
            newest = preview
        return start_card(newest, view, overrides)

    return renew


def _start_blocked(preview: EditPreview, view: View | None, failed: list[CheckResult]) -> str:
    if problem := cannot_act(view):
        return problem
    if view and view.decision.phase not in FINAL:
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
    drains = [seconds for *_, seconds in forecast.nodes if seconds is not None]
    longest = f"{len(forecast.nodes)} × up to {units.span(max(drains))}" if drains else "drains of unknown length"
    steps = [f"green {units.span(forecast.green_s)}", f"wait {units.span(forecast.delay_s)}"]
    steps += [f"canary {units.span(forecast.canary_s)}"] if forecast.canary_s else []
    steps += [longest, f"finish {units.span(forecast.finish_s)}"]
    total = f" = about {units.span(forecast.total_s)}" if forecast.total_s is not None else ""
    rate = f"{units.per_s(plan.rates.conn_evict_rate_per_s)} a node, takeover wait {plan.rates.wait_takeover_s} s"
    return line(DOT.join(steps) + total), line(f"{rate}{DOT}waits at gates come on top")


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


def _policy_words(approval: Approval, parallel: int = 1) -> str:
    words = {
        Approval.EVERY_NODE: "you approve the cut-over and every node",
        Approval.CUT_OVER: "you approve the cut-over; the nodes follow by themselves",
        Approval.AUTO: "nothing more is asked: cut-over and nodes follow by themselves",
    }[approval]
    return words + (f"; {parallel} nodes drain at the same time" if parallel > 1 else "")


def _value(value: object) -> str:
    return "nothing" if value is None else clean(value)


def _start_command(preview: EditPreview) -> str:
    plan = preview.plan
    assert plan is not None
    target = Target(plan.namespace, plan.name, plan.uid, plan.resource_version)
    return ApplyTemplate(target, plan.patch, CLOSED_S, plan.rates).describe()


# --- abort ---


def abort_card(view: View) -> Card:
    """The card that goes back to blue."""
    cost, name = view.decision.abort, view.snapshot.name
    rows: list[tuple[str, tuple[Line, ...]]] = [
        ("Next", (line(_back_words(cost.disconnects)),)),
        (
            "Costs",
            (
                line(
                    f"{units.count(cost.disconnects)} disconnects",
                    (f"{DOT}about {units.span(cost.seconds)}", Tone.PLAIN),
                ),
            ),
        ),
        ("Since", _since(view)),
        ("Way back", (line("an abort is not undone: another release has to be started"),)),
    ]
    return Card(
        title=f"Abort: back to {view.journal.originals.blue_name if view.journal else 'blue'}",
        rows=tuple((label, lines) for label, lines in rows if lines),
        warning="",
        asked=(Asked(name, f"Type the cluster's name ({name}) to go back"),),
        revision=f"abort@{cost.revision}",
        blocked=cannot_act(view) or ("" if cost.possible else cost.why_not or "no way back"),
        intent=lambda by: Abort(by, cost.revision),
    )


def _back_words(disconnects: int | None) -> str:
    if disconnects == 0:
        return "green is taken away; every client stays where it is"
    return "clients that are on green go back to blue; then green goes"


def renew_abort(view: View | None, _: EditPreview | None) -> Card | None:
    """The abort card as long as a release runs."""
    return abort_card(view) if view and view.decision.phase not in FINAL else None


# --- policy ---

STRICTNESS = {Approval.EVERY_NODE: 2, Approval.CUT_OVER: 1, Approval.AUTO: 0}


def policy_words(approval: Approval) -> str:
    """What a policy means."""
    return _policy_words(approval)


def is_looser(wanted: Approval, now: Approval) -> bool:
    """True when `wanted` asks a person less often than `now`."""
    return STRICTNESS[wanted] < STRICTNESS[now]


def renew_policy(wanted: Approval) -> Renew:
    """The card that lets steps follow without being asked, as long as a release runs."""

    def renew(view: View | None, _: EditPreview | None) -> Card | None:
        if view is None or view.journal is None or view.decision.phase in FINAL:
            return None
        now = view.journal.approval
        rows = (
            ("Now", (line(_policy_words(now)),)),
            ("Then", (line((_policy_words(wanted), Tone.STRONG)),)),
            ("Still", (line(f"{DONE} checks and auto-holds stop it as before; h holds at any moment"),)),
        )
        return Card(
            title=f"Approve from now on: {wanted.value}",
            rows=rows,
            warning="Gates that wait now open at once when their checks pass.",
            asked=(Asked(wanted.value, f"Type {wanted.value} to be asked less"),),
            revision=f"policy@{now.value}",
            blocked=cannot_act(view),
            intent=lambda by: SetPolicy(by, wanted.value),
        )

    return renew
