"""PURE: the words of the rollout screen around the headline: rail, checks, ledger, summary, and why a key does nothing.

It never guesses a result: what is not known is told as not known, missing data is never counted as zero.
"""

from __future__ import annotations

from rich.cells import cell_len

from emqx_tui.model.series import Ledger
from emqx_tui.rollout.decision import CheckResult, Outcome, Step, StepState
from emqx_tui.rollout.journal import HoldRecord, Journal
from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.policy import Approval, Policy
from emqx_tui.session.view import View
from emqx_tui.ui.rollout.readings import cannot_act, check_words, duration_s, evicting, has_ended, short_names
from emqx_tui.ui.text import units
from emqx_tui.ui.text.glyphs import ALARM, DONE, HELD, RUNNING, TODO, WAITING
from emqx_tui.ui.text.marks import check_line
from emqx_tui.ui.text.spans import EMPTY, Line, Span, Tone, line, pad, width

STEP_WORDS = {
    "create-green": "create green",
    "cut-over": "cut over",
    "drain": "drain",
    "finish": "finish",
    "restore": "restore blue",
    "remove-green": "remove green",
}


def rail(view: View) -> tuple[Line, Line]:
    """The steps, and at the right end the time gone and to go; without a release, what the next one would use."""
    if not view.decision.steps:
        return (EMPTY, _times(view)) if has_ended(view) else (_parameters(view), EMPTY)
    parts: list[Span] = [Span(" ")]
    for step in view.decision.steps:
        glyph, tone = _step_sign(step, is_busy=bool(evicting(view)))
        word = STEP_WORDS.get(step.id, step.id)
        if step.total and step.state not in (StepState.TODO, StepState.DONE):
            word += f" {min(step.done + 1, step.total)} of {step.total}"
        word += " held" if step.state is StepState.HELD else ""
        parts += [Span(f"{glyph} {word}", tone), Span("  ")]
    return tuple(parts[:-1]), _times(view)


def _parameters(view: View) -> Line:
    resource = view.snapshot.resource.value
    if resource is None:
        return EMPTY
    given = resource.blue_green
    if given is None:
        return line((" no blueGreenUpdate: a change would restart the pods one by one", Tone.WARN))
    parts = [f"delay {given.effective_delay_s} s", f"takeover {given.wait_takeover_s or 0} s"]
    parts += [
        f"{units.count(given.conn_evict_rate_per_s)} connections/s",
        f"{units.count(given.sess_evict_rate_per_s)} sessions/s",
    ]
    return line((f" next release: {' · '.join(parts)}", Tone.DIM))


def _step_sign(step: Step, *, is_busy: bool) -> tuple[str, Tone]:
    if step.state is StepState.WAITING and is_busy:
        return RUNNING, Tone.STRONG
    return {
        StepState.TODO: (TODO, Tone.DIM),
        StepState.ACTIVE: (RUNNING, Tone.STRONG),
        StepState.WAITING: (WAITING, Tone.WARN),
        StepState.DONE: (DONE, Tone.GOOD),
        StepState.HELD: (HELD, Tone.BAD),
    }[step.state]


def _times(view: View) -> Line:
    if view.journal is None:
        return EMPTY
    gone = f"{units.clock_span(duration_s(view))} gone"
    eta = view.decision.eta_s
    to_go = f" · {units.clock_span(eta)} to go" if eta is not None and view.decision.phase not in FINAL else ""
    return line(f"{gone}{to_go} ")


_ORDER = {Outcome.FAIL: 0, Outcome.WAIT: 1, Outcome.PASS: 2}


def checks_now(view: View) -> tuple[CheckResult, ...]:
    """The checks that matter now, worst first: those of the gate, else those of the step that runs."""
    checks = view.decision.gate.checks if view.decision.gate else view.decision.checks
    return tuple(sorted(checks, key=lambda check: _ORDER[check.outcome]))


def check_lines(view: View, room: int) -> list[Line]:
    """At most `room` lines; what does not fit is counted, and never a check that does not pass before one that does."""
    checks = checks_now(view)
    if not checks or room <= 0:
        return []
    if len(checks) <= room:
        return [short_names(check_line(check), view) for check in checks]
    if room == 1 and checks[0].outcome is not Outcome.PASS:
        return [short_names(check_line(checks[0]), view)]
    shown, rest = checks[: room - 1], checks[room - 1 :]
    bad = sum(check.outcome is not Outcome.PASS for check in rest)
    more = f"{len(rest)} more, {bad} not green" if bad else f"{DONE} {len(rest)} {'more ' if shown else 'checks '}pass"
    return [*(short_names(check_line(check), view) for check in shown), line((more, Tone.BAD if bad else Tone.DIM))]


def ledger_line(view: View, cells: int = 200) -> Line:
    """Where the disconnected clients are. Missing is in percent of the evicted, and never counted while unknown."""
    title = (" CLIENTS ", Tone.STRONG)
    ledger, journal = view.ledger, view.journal
    if journal is None:
        sessions = [member.sessions for member in view.snapshot.members if member.sessions is not None]
        kept = f" · {units.count(sum(sessions))} sessions" if sessions else ""
        return line(title, f"{units.count(view.snapshot.total_live)} connected{kept}")
    if not ledger.evicted and journal.totals.evicted and has_ended(view):
        return line(title, f"{units.count(journal.totals.evicted)} evicted{_lowest(journal)}")
    if not ledger.evicted:
        is_known = ledger.evicted == 0 or journal.totals.clients is None
        return line(title, f"{'none evicted yet' if is_known else units.UNKNOWN}{_lowest(journal)}")
    landed, missing, came = _settled(ledger)
    figures = f"evicted {units.count(ledger.evicted)} = green {units.count(landed)} + "
    on_way = ledger.on_their_way or 0
    share = "on their way" if missing and on_way >= missing else units.percent(_ratio(missing, ledger.evicted))
    tone = Tone.WARN if _is_too_many(ledger, view.policy) else Tone.PLAIN
    missing_words = (f"missing {units.count(missing)} ({share})", tone)
    bounced = f"{units.count(ledger.bounced)} + "
    shown = line(title, figures, f"back on blue {bounced}", missing_words)
    if width(shown) > cells:
        shown = line(title, figures, f"back {bounced}", missing_words)
    worst = f" · most missing at once {units.count(ledger.max_missing)}" if ledger.max_missing is not None else ""
    way = f" · {units.count(on_way)} on their way" if on_way and on_way < (missing or 0) else ""
    more = f" · {units.count(came)} came by themselves" if came else ""
    for extra in (f"{way}{worst}{more}{_lowest(journal)}", f"{way}{worst}", worst, way):
        if width(shown) + cell_len(extra) <= cells:
            return line(*shown, (extra, Tone.DIM))
    return shown


def _settled(ledger: Ledger) -> tuple[int | None, int | None, int]:
    """(landed, missing, came by themselves): blue clients that reconnect unasked land on green without an eviction."""
    if ledger.landed is None or ledger.missing is None or ledger.missing >= 0:
        return ledger.landed, ledger.missing, 0
    return ledger.landed + ledger.missing, 0, -ledger.missing


def _ratio(missing: int | None, evicted: int | None) -> float | None:
    return missing / evicted if missing is not None and evicted else None


def _is_too_many(ledger: Ledger, policy: Policy) -> bool:
    """More missing than the auto-hold allows, those on their way not counted."""
    beyond = (ledger.missing or 0) - (ledger.on_their_way or 0)
    return beyond > max(policy.missing_floor, policy.missing_budget * (ledger.evicted or 0))


def _lowest(journal: Journal) -> str:
    totals = journal.totals
    return f" · lowest sum {units.count(totals.lowest_sum)}" if totals.lowest_sum is not None else ""


def summary(view: View) -> tuple[tuple[str, str], ...]:
    """The figures of a release that has ended, as (name, value); empty while one runs."""
    journal = view.journal
    if journal is None or not has_ended(view):
        return ()
    totals = journal.totals
    rows = [("total", units.span(duration_s(view)))]
    if totals.clients is not None and totals.first_drain_at and totals.drained_at:
        drain_s = (totals.drained_at - totals.first_drain_at).total_seconds()
        rate = journal.rates.conn_evict_rate_per_s * max(1, journal.parallel_drains)
        limit_s = totals.clients / rate + journal.rates.effective_wait_takeover_s
        waits = " with waits for you" if journal.approval is Approval.EVERY_NODE else ""
        limit = f"{drain_s / limit_s:.2f} x the limit of {units.span(limit_s)}"
        rows.append(("drain", f"{units.span(drain_s)}{waits} ({limit})"))
    if totals.clients:
        per_client = totals.disconnects / totals.clients
        killed = f", {units.count(totals.killed)} of them cut off without a drain" if totals.killed else ""
        rows.append(("disconnects", f"{units.count(totals.disconnects)} = {per_client:.2f} per client{killed}"))
    _, missing, _ = _settled(view.ledger)
    if missing is not None:
        share = units.percent(_ratio(missing, view.ledger.evicted))
        rows.append(("missing", f"{units.count(missing)} of {units.count(view.ledger.evicted)} evicted ({share})"))
    if totals.lowest_sum is not None and totals.start_sum:
        ratio = totals.lowest_sum / totals.start_sum
        rows.append(("lowest sum", f"{units.count(totals.lowest_sum)} ({units.percent(ratio, 1)} of the start)"))
    rows.append(("approvals", f"{len(journal.approvals)}, policy {journal.approval.value}"))
    return tuple(rows)


def summary_lines(view: View, cells: int) -> list[Line]:
    """The summary in lines: two figures beside each other where there is room."""
    rows = summary(view)
    found = [line((f" {name} ".ljust(13), Tone.DIM), (value, Tone.STRONG)) for name, value in rows]
    if cells < 130:
        return found
    half = cells // 2
    pairs = [found[at : at + 2] for at in range(0, len(found), 2)]
    return [pad(pair[0], half) + (pair[1] if len(pair) > 1 else EMPTY) for pair in pairs]


SENDING = ("approve", "hold", "freeze", "resume", "abort", "speed", "policy")
"""Actions that ask the cluster for something."""


def key_reasons(view: View | None, is_read_only: bool = False) -> dict[str, str]:
    """For each action, why it does nothing now; empty = it works."""
    reason = cannot_act(view, is_read_only)
    if view is None or reason:
        return dict.fromkeys(SENDING, reason)
    phase, hold = view.decision.phase, view.journal.hold if view.journal else None
    running = "" if view.journal and phase not in FINAL else "no release is running"
    return {
        "approve": running or _approve_reason(view, hold),
        "hold": running or ("held already" if hold else ""),
        "freeze": running or ("frozen already" if hold and hold.freeze else ""),
        "resume": running or ("" if hold else "nothing is held"),
        "abort": running or ("" if view.decision.abort.possible else view.decision.abort.why_not or "no way back"),
        "speed": running or ("going back already" if phase is Phase.ABORTING else ""),
        "policy": running or ("going back already" if phase is Phase.ABORTING else ""),
        "change": "" if running else "a release is running",
    }


def _approve_reason(view: View, hold: HoldRecord | None) -> str:
    gate = view.decision.gate
    if hold:
        return "held: resume first (r)"
    if gate is None:
        return "no gate waits"
    age_s = view.snapshot.stats.age_s(view.now)
    limit_s = view.policy.max_broker_age_s
    if age_s is None or age_s > limit_s:
        return f"the brokers' figures are {units.age(age_s)} old (limit {units.age(limit_s)})"
    blocking = next((check for check in gate.checks if check.outcome is not Outcome.PASS), None)
    return f"{check_words(blocking.name)}: {blocking.evidence}" if blocking else ""


def stale_lines(view: View) -> list[Line]:
    """One line for each source that is silent or too old, for the place where the checks stand."""
    lines = []
    for source in view.health:
        if not source.is_ok:
            age_s = None if source.read_at is None else (view.now - source.read_at).total_seconds()
            last = "" if source.is_forbidden else f", last read {units.age(age_s)} ago"
            text = f"{ALARM} {source.name}: {source.problem or 'silent'}{last}"
            lines.append(line((text, Tone.WARN)))
    return lines


def is_live(view: View) -> bool:
    """True while the brokers' figures are young enough to be relied on."""
    return view.snapshot.stats.is_fresh(view.now, view.policy.max_broker_age_s)
