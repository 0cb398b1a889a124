"""PURE: an edit as words: notes beside the form, what the edit will do, its differences, and why it cannot start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from emqx_tui.rollout.change import Difference, Verdict
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.rollout.policy import Approval
from emqx_tui.session.view import ClusterRow, EditPreview
from emqx_tui.ui.change.edit import NUMBERS, PATHS, Edit, Located
from emqx_tui.ui.text import glyphs, spans, units
from emqx_tui.ui.text.marks import Mark, check_line, clean, joined
from emqx_tui.ui.text.spans import EMPTY, Line, Span, Tone, line

LABEL_WIDTH = 10

VERDICTS = {
    Verdict.STARTS_RELEASE: Mark("▶", "starts a release", Tone.CALL),
    Verdict.NEXT_RELEASE: Mark("·", "used by the next release", Tone.STRONG),
    Verdict.NO_EFFECT: Mark("·", "no effect on pods", Tone.STRONG),
    Verdict.UNCHANGED: Mark("○", "nothing changed", Tone.DIM),
    Verdict.REFUSED: Mark("✘", "refused", Tone.BAD),
}

APPROVALS = {
    Approval.EVERY_NODE: "you approve start, cut-over, every node",
    Approval.CUT_OVER: "you approve start and cut-over",
    Approval.AUTO: "you approve the start, nothing after it",
}


@dataclass(frozen=True)
class Options:
    """How a release is run; no part of the object."""

    approval: Approval = Approval.EVERY_NODE
    late_removal: bool = False
    parallel_drains: int = 1


@dataclass(frozen=True)
class FormRow:
    """One row of the form: what it is called, its unit, and how wide its field is."""

    name: str
    label: str
    unit: str = ""
    width: int = 10
    hint: str = ""


FORM = (
    FormRow("repository", "Image", "", 28),
    FormRow("version", "Version", "", 16),
    FormRow("initial_delay_s", "Initial delay", "s", 10, "green complete → cut-over, 0 or more"),
    FormRow("wait_takeover_s", "Wait takeover", "s", 10, "after a node's last connection; 0 = EMQX's 60 s"),
    FormRow("conn_evict_rate_per_s", "Connections", "/s", 10, "evicted per node, 1 or more"),
    FormRow("sess_evict_rate_per_s", "Sessions", "/s", 10, "evicted per node, 1 or more"),
)
OPTIONS = (
    FormRow("approval", "Approval", "", 16),
    FormRow("late_removal", "Late removal", "", 16),
    FormRow("parallel_drains", "Drains at once", "", 10),
)


HELD = "a release is under way: an edit can be sent when it has ended"

# --- the form ----------------------------------------------------------------------------------------------------


def field_note(row: FormRow, edit: Edit, fleet_versions: Iterable[str]) -> Line:
    """What stands right of a field: its problem, what it was, or what it means."""
    if row.name == "initial_delay_s" and edit.is_held:
        return line(("held by the release; yours comes back after it", Tone.DIM))
    path = ".".join(PATHS[row.name])
    problem = next((found for found in edit.problems if found.path == path), None)
    if problem:
        return line((f"✘ {clean(problem.sentence)}", Tone.BAD))
    was = original_value(row.name, edit)
    if edit.fields.get(row.name, "") != was:
        return line((f"was {clean(was) or 'not given'}", Tone.WARN))
    if row.name == "version":
        seen = ", ".join(clean(version) for version in fleet_versions)
        return line((f"in the fleet: {seen}", Tone.DIM)) if seen else EMPTY
    return line((row.hint, Tone.DIM))


def original_value(name: str, edit: Edit) -> str:
    """What a field held before the edit."""
    resource = edit.original
    if name == "repository":
        return resource.image.repository
    if name == "version":
        return resource.image.version
    value = getattr(resource.blue_green, name) if resource.blue_green else None
    return "" if value is None else str(value)


def option_note(name: str, options: Options, edit: Edit | None) -> Line:
    """What an option means, with the total rate where several nodes drain at once."""
    if name == "approval":
        return line((APPROVALS[options.approval], Tone.DIM))
    if name == "late_removal":
        on = "a blue address leaves the Service when its node is empty"
        return line((on if options.late_removal else "blue leaves the Service at the cut-over", Tone.DIM))
    rate = edit.fields.get("conn_evict_rate_per_s", "") if edit else ""
    total = f", {int(rate) * options.parallel_drains:,}/s in all" if rate.isdigit() and len(rate) < 12 else ""
    return line((f"{units.plural(options.parallel_drains, 'blue node')}{total}", Tone.DIM))


def fleet_versions(rows: Iterable[ClusterRow], but: str) -> tuple[str, ...]:
    """Versions that other clusters run, newest last."""
    found = {row.resource.image.version for row in rows if row.resource.is_running} - {but, ""}
    return tuple(sorted(found))[-4:]


# --- the lines above ---------------------------------------------------------------------------------------------


def head_line(shown: str, edit: Edit | None, *, is_wide: bool, is_stale: bool, width: int) -> Line:
    """The panes and which one is shown, and how much is unsaved."""
    names = (("template", "t template"), ("diff", "d diff")) if is_wide else _PANES
    panes: list[Span] = [Span(" ")]
    for name, words in names:
        is_shown = name == shown or (is_wide and name == "template" and shown == "form")
        panes += [Span(f"[{words}]" if is_shown else f" {words} ", Tone.STRONG if is_shown else Tone.DIM), Span(" ")]
    return spans.spread(tuple(panes), (*_unsaved(edit, is_stale), Span(" ")), width)


_PANES = (("form", "p plan"), ("template", "t template"), ("diff", "d diff"))


def _unsaved(edit: Edit | None, is_stale: bool) -> Line:
    if edit is None:
        return EMPTY
    stale = line(("▲ changed by others too", Tone.WARN)) if is_stale else EMPTY
    if not edit.is_readable:
        problem = edit.problems[0]
        return joined([stale, line((f"✘ line {problem.line}, column {problem.column}", Tone.BAD))])
    if not edit.is_changed:
        return joined([stale, line(("no changes", Tone.DIM))])
    number = len(edit.change.differences) if edit.change else 0
    counted = units.plural(number, "change") if number else "changes"
    unsaved = line((counted if is_stale else f"unsaved · {counted}", Tone.WARN))
    return joined([stale, unsaved, line(("u undo all", Tone.DIM))])


# --- what will happen --------------------------------------------------------------------------------------------


def outcome(edit: Edit, answer: EditPreview | None, width: int, *, is_wanted: bool = False) -> list[Line]:
    """What the edit will do, without its failed checks that can be accepted (they are rows of their own).

    `is_wanted`: somebody has asked for the card already, and waits for the server.
    """
    if edit.is_held:
        return spans.wrap(line((f"{glyphs.RUNNING} {HELD}", Tone.WARN)), width)
    lines = _verdict(edit, width)
    if edit.change is None or edit.change.verdict in (Verdict.UNCHANGED, Verdict.REFUSED):
        return lines
    starts = edit.change.verdict is Verdict.STARTS_RELEASE
    lines += labelled("Server", _server(answer, is_wanted=is_wanted), width)
    owners = edit.original.version_owners
    if starts and owners:
        lines += labelled("Owner", [line(f"of the version: {', '.join(clean(owner) for owner in owners)}")], width)
    if starts and answer:
        lines += labelled("Plan", _plan(answer), width) + labelled("Expect", _expect(answer), width)
    return lines


def check_rows(answer: EditPreview | None, width: int) -> list[Line]:
    """The checks that need no answer: those that fail for good, those that wait, then those that pass."""
    if answer is None or not answer.checks:
        return []
    order = {Outcome.FAIL: 0, Outcome.WAIT: 1, Outcome.PASS: 2}
    shown = [check for check in answer.checks if not is_acceptable(check)]
    ordered = sorted(shown, key=lambda check: order[check.outcome])
    return labelled("Checks", [check_line(check) for check in ordered], width)


def is_acceptable(check: CheckResult) -> bool:
    """It fails, and a person may start all the same."""
    return check.outcome is Outcome.FAIL and check.can_override


def acceptable(answer: EditPreview | None) -> tuple[CheckResult, ...]:
    return tuple(check for check in answer.checks if is_acceptable(check)) if answer else ()


def accept_line(check: CheckResult, *, is_accepted: bool) -> Line:
    """A failed check that can be accepted, with its box."""
    box = ("[x] ", Tone.WARN) if is_accepted else ("[ ] ", Tone.BAD)
    tone = Tone.WARN if is_accepted else Tone.BAD
    hint = f"  {clean(check.hint)}" if check.hint else ""
    return line(box, (f"▲ {clean(check.name)}: {clean(check.evidence)}", tone), (hint, Tone.DIM))


def labelled(label: str, lines: Iterable[Line], width: int) -> list[Line]:
    """Lines behind a label, wrapped; the label stands once."""
    rows = [part for spoken in lines for part in spans.wrap(spoken, max(20, width - LABEL_WIDTH))]
    return [
        (Span((label if number == 0 else "").ljust(LABEL_WIDTH), Tone.DIM), *row) for number, row in enumerate(rows)
    ]


def _verdict(edit: Edit, width: int) -> list[Line]:
    if edit.change is None:
        mark = VERDICTS[Verdict.REFUSED] if edit.is_readable else Mark("✘", "the template cannot be read", Tone.BAD)
        return [line(mark.span), *_problems(edit.problems, width)]
    lines = [line(VERDICTS[edit.change.verdict].span)]
    shown = edit.change.differences[:6]
    lines += [part for difference in shown for part in spans.wrap(_short_difference(difference), width)]
    if len(edit.change.differences) > len(shown):
        lines.append(line((f"  and {len(edit.change.differences) - len(shown)} more: d", Tone.DIM)))
    return lines + _problems(edit.problems, width)


def _problems(problems: Iterable[Located], width: int) -> list[Line]:
    return [part for problem in problems for part in spans.wrap(problem_line(problem), width)]


def problem_line(problem: Located) -> Line:
    """What is wrong, with line and field."""
    where = f"line {problem.line}" if problem.line else ""
    where += f", column {problem.column}" if problem.line and problem.column else ""
    path = f"{clean(problem.path)} " if problem.path else ""
    return line(("✘ ", Tone.BAD), path, (clean(problem.sentence), Tone.BAD), (f"  {where}" if where else "", Tone.DIM))


def _short_difference(difference: Difference) -> Line:
    path = clean(difference.path).removeprefix("spec.").removeprefix("template.spec.")
    values = f"{_value(difference.before)} → {_value(difference.after)}"
    return line(("· ", Tone.DIM), (path, Tone.DIM), "  ", (values, Tone.STRONG))


def _server(answer: EditPreview | None, *, is_wanted: bool) -> list[Line]:
    if answer is None or answer.dry_run_ok is None:
        return [line(("◌ asking…", Tone.WAIT), " the card opens when it has answered" if is_wanted else "")]
    if not answer.dry_run_ok:
        return [line((f"✘ refused: {clean(answer.dry_run) or 'no reason given'}", Tone.BAD))]
    warned = f", with a warning: {clean(answer.dry_run)}" if answer.dry_run else ""
    told = [line(("✔ ", Tone.GOOD), f"dry-run accepted{warned}")]
    return told + [line(("it adds", Tone.DIM), *_short_difference(found)) for found in answer.server_differences[:4]]


def _plan(answer: EditPreview) -> list[Line]:
    forecast = answer.forecast
    if forecast is None:
        return [line(("no estimate: the nodes were not counted", Tone.WAIT))]
    drains = [seconds for *_, seconds in forecast.nodes]
    known = [seconds for seconds in drains if seconds is not None]
    each = f"{len(drains)} × {units.span(max(known))}" if known else f"{len(drains)} drains"
    steps = [f"green ~{units.span(forecast.green_s)}", f"wait {units.span(forecast.delay_s)}"]
    steps += [f"canary {units.span(forecast.canary_s)}"] if forecast.canary_s else []
    steps += [each, f"finish {units.span(forecast.finish_s)}"]
    total = f"   ≈ {units.span(forecast.total_s)}" if forecast.total_s is not None else ""
    return [line(" · ".join(steps), (total, Tone.STRONG))]


def _expect(answer: EditPreview) -> list[Line]:
    forecast = answer.forecast
    if forecast is None or forecast.disconnects is None:
        return []
    counted = sum(clients or 0 for _, clients, _ in forecast.nodes)
    each = f", {forecast.disconnects / counted:.1f} per client" if counted else ""
    parts = [
        line(f"{units.count(forecast.disconnects)} disconnects{each}"),
        line(f"offline at once ≤ {units.count(forecast.offline_at_once)}"),
        line(f"lowest sum {units.percent(forecast.lowest_ratio, 1)}"),
    ]
    return [joined(parts)]


# --- differences -------------------------------------------------------------------------------------------------


def difference_lines(edit: Edit, answer: EditPreview | None, width: int) -> list[Line]:
    """Every value that the edit changes, secrets redacted."""
    if edit.change is None:
        return [
            line(("The differences show when the template can be sent:", Tone.DIM)),
            *_problems(edit.problems, width),
        ]
    lines: list[Line] = []
    for difference in edit.change.differences:
        lines += _long_difference(difference, width)
    if not lines:
        only_text = edit.text != edit.begun_as
        lines.append(line((COMMENTS_ONLY if only_text else "Nothing is changed.", Tone.DIM)))
    if answer and answer.server_differences:
        lines += [EMPTY, line(("What the server would change by itself:", Tone.DIM))]
        lines += [part for found in answer.server_differences for part in _long_difference(found, width)]
    return lines


COMMENTS_ONLY = "Only comments and layout differ: the cluster keeps neither, so nothing is sent."


def _long_difference(difference: Difference, width: int) -> list[Line]:
    lines = [line((clean(difference.path), Tone.STRONG))]
    for sign, value, tone in (("-", difference.before, Tone.WARN), ("+", difference.after, Tone.GOOD)):
        lines += spans.wrap(line((f"  {sign} {_value(value)}", tone)), width)
    return lines


def _value(value: object) -> str:
    return "(absent)" if value is None else clean(value)


# --- starting ----------------------------------------------------------------------------------------------------


UNANSWERED = "the server has not answered yet"


def why_not(edit: Edit | None, answer: EditPreview | None, accepted: frozenset[str]) -> str:
    """Why the edit can neither start a release nor be saved now; empty when it can."""
    if edit is None:
        return "the cluster has not been read yet"
    if edit.is_held:
        return HELD
    if not edit.is_readable:
        return f"the template cannot be read: {_where(edit.problems[0])}"
    if edit.problems or edit.change is None:
        return _where(edit.problems[0]) if edit.problems else "the edit is refused"
    if edit.change.verdict is Verdict.UNCHANGED:
        return "nothing is changed"
    if answer is None or answer.dry_run_ok is None:
        return UNANSWERED
    if not answer.dry_run_ok:
        return f"the server refused it: {clean(answer.dry_run)}"
    return _why_not_start(edit, answer, accepted) if edit.change.verdict is Verdict.STARTS_RELEASE else ""


def _why_not_start(edit: Edit, answer: EditPreview, accepted: frozenset[str]) -> str:
    if answer.plan is None:
        missing = [name for name in NUMBERS if "rate" in name and not edit.fields.get(name)]
        return "both rates must be given" if missing else "no plan can be made of it"
    for check in answer.checks:
        if check.outcome is Outcome.WAIT:
            return f"a check is not done: {clean(check.evidence)}"
        if check.outcome is Outcome.FAIL and not check.can_override:
            return f"a check fails: {clean(check.evidence)}"
        if is_acceptable(check) and check.name not in accepted:
            return f"a check fails: {clean(check.evidence)} (accept it with space on its row)"
    return ""


def _where(problem: Located) -> str:
    where = f"line {problem.line}: " if problem.line else ""
    return f"{where}{clean(problem.path)} {clean(problem.sentence)}".strip()
