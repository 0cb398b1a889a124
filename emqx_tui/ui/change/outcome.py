"""PURE: what an edit will do, as lines: verdict, the server's answer, plan, expectation, checks; and the head line."""

from __future__ import annotations

from collections.abc import Iterable

from emqx_tui.model import units
from emqx_tui.rollout.change import Verdict
from emqx_tui.rollout.decision import WORST_FIRST, CheckResult
from emqx_tui.rollout.forecast.forecast import Band
from emqx_tui.session.views.view import EditPreview
from emqx_tui.ui.change.differences import place, problem_lines, short_difference
from emqx_tui.ui.change.edit import Edit
from emqx_tui.ui.change.readiness import HELD, is_acceptable
from emqx_tui.ui.shell.keymap import Area, spelled
from emqx_tui.ui.text import glyphs, spans
from emqx_tui.ui.text.check_marks import check_line
from emqx_tui.ui.text.marks import Mark, clean, joined
from emqx_tui.ui.text.owners import owned_lines
from emqx_tui.ui.text.spans import EMPTY, Line, Span, Tone, line

LABEL_WIDTH = 10

VERDICTS = {
    Verdict.STARTS_RELEASE: Mark("▶", "starts a release", Tone.CALL),
    Verdict.NEXT_RELEASE: Mark("·", "used by the next release", Tone.STRONG),
    Verdict.THIS_RELEASE: Mark("▲", "used at once by the release that the operator runs", Tone.CALL),
    Verdict.NO_EFFECT: Mark("·", "no effect on pods", Tone.STRONG),
    Verdict.UNCHANGED: Mark("○", "nothing changed", Tone.DIM),
    Verdict.REFUSED: Mark("✘", "refused", Tone.BAD),
}


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
    lines += labelled("Owner", owned_lines(edit.change.owned), width)
    if starts and answer:
        lines += labelled("Plan", _plan(answer), width) + labelled("Expect", _expect(answer), width)
    return lines


def check_rows(answer: EditPreview | None, width: int) -> list[Line]:
    """The checks that need no answer: those that fail for good, those that wait, then those that pass."""
    if answer is None or not answer.checks:
        return []
    shown = [check for check in answer.checks if not is_acceptable(check)]
    ordered = sorted(shown, key=lambda check: WORST_FIRST.index(check.outcome))
    return labelled("Checks", [check_line(check) for check in ordered], width)


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
        return [line(mark.span), *problem_lines(edit.problems, width)]
    lines = [line(VERDICTS[edit.change.verdict].span)]
    shown = edit.change.differences[:6]
    lines += [part for difference in shown for part in spans.wrap(short_difference(difference), width)]
    if len(edit.change.differences) > len(shown):
        lines.append(
            line(
                (
                    f"  and {len(edit.change.differences) - len(shown)} more: {spelled(Area.CHANGE, 'show_diff')}",
                    Tone.DIM,
                )
            )
        )
    return lines + problem_lines(edit.problems, width)


def _server(answer: EditPreview | None, *, is_wanted: bool) -> list[Line]:
    if answer is None or answer.dry_run_ok is None:
        return [line(("◌ asking…", Tone.WAIT), " the card opens when it has answered" if is_wanted else "")]
    if not answer.dry_run_ok:
        return [line((f"✘ refused: {clean(answer.dry_run) or 'no reason given'}", Tone.BAD))]
    warned = f", with a warning: {clean(answer.dry_run)}" if answer.dry_run else ""
    told = [line(("✔ ", Tone.GOOD), f"dry-run accepted{warned}")]
    return told + [line(("it adds", Tone.DIM), *short_difference(found)) for found in answer.server_differences[:4]]


def _plan(answer: EditPreview) -> list[Line]:
    forecast = answer.forecast
    if forecast is None:
        return [line(("no estimate: the nodes were not counted", Tone.WAIT))]
    known = [node.drain_s.middle for node in forecast.nodes if node.drain_s is not None]
    each = f"{len(forecast.nodes)} × up to {units.span(max(known))}" if known else f"{len(forecast.nodes)} drains"
    steps = [f"green {units.span(forecast.green_s.middle)}", f"wait {units.span(forecast.shape.delay_s)}"]
    steps += [f"canary {units.span(forecast.shape.canary_s)}"] if forecast.shape.canary_s else []
    steps += [each, f"finish {units.span(forecast.finish_s.middle)}"]
    if forecast.total_s is None:
        return [line(" · ".join(steps))]
    return [line((_band(forecast.total_s), Tone.STRONG), ", time at gates not counted"), line(" · ".join(steps))]


def _expect(answer: EditPreview) -> list[Line]:
    forecast = answer.forecast
    if forecast is None or forecast.disconnects is None:
        return []
    each = f", {forecast.disconnects / forecast.clients:.1f} per client" if forecast.clients else ""
    parts = [
        line(f"{units.count(forecast.disconnects)} disconnects{each}"),
        line(f"offline at once ≤ {units.count(forecast.offline_at_once)}"),
        line(f"lowest sum {units.percent(forecast.lowest_ratio, 1)}"),
        line(f"onto green ≤ {units.per_s(forecast.accept_per_s or 0)}"),
    ]
    return [joined(parts)]


def _band(seconds: Band) -> str:
    return f"≈ {units.span(seconds.middle)} ± {units.percent(seconds.deviation, 0)}"


def head_line(shown: str, edit: Edit | None, *, is_wide: bool, is_stale: bool, is_typing: bool, width: int) -> Line:
    """The panes and which one is shown, and how much is unsaved. `is_typing`: letters are text, no keys.

    The panes keep their places without their keys.
    """
    panes: list[Span] = [Span(" ")]
    for name, words in _PANES[1:] if is_wide else _PANES:
        is_shown = name == shown or (is_wide and name == "template" and shown == "form")
        with_key = f"{spelled(Area.CHANGE, f'show_{name}')} {words}"
        told = words if is_typing else with_key
        told = (f"[{told}]" if is_shown else f" {told} ").ljust(len(with_key) + 2)
        panes += [Span(told, Tone.STRONG if is_shown else Tone.DIM), Span(" ")]
    return spans.spread(tuple(panes), (*_unsaved(edit, is_stale=is_stale, is_typing=is_typing), Span(" ")), width)


_PANES = (("form", "plan"), ("template", "template"), ("diff", "diff"))


def _unsaved(edit: Edit | None, *, is_stale: bool, is_typing: bool) -> Line:
    if edit is None:
        return EMPTY
    stale = line(("▲ changed by others too", Tone.WARN)) if is_stale else EMPTY
    if not edit.is_readable:
        return joined([stale, line((f"✘ {place(edit.problems[0]) or 'not valid YAML'}", Tone.BAD))])
    if not edit.is_changed:
        return joined([stale, line(("no changes", Tone.DIM))])
    number = len(edit.change.differences) if edit.change else 0
    counted = units.plural(number, "change") if number else "changes"
    unsaved = line((counted if is_stale else f"unsaved · {counted}", Tone.WARN))
    undo = EMPTY if is_typing else line((f"{spelled(Area.CHANGE, 'undo')} undo", Tone.DIM))
    return joined([stale, unsaved, undo])
