"""PURE: the checks of the gate that waits or of the step that runs, and the sources that are silent, as lines."""

from __future__ import annotations

from emqx_tui.model import units
from emqx_tui.rollout.decision import WORST_FIRST, CheckResult, Outcome
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout.names import short_names
from emqx_tui.ui.text.check_marks import check_line
from emqx_tui.ui.text.glyphs import ALARM, DONE
from emqx_tui.ui.text.spans import Line, Tone, line


def checks_now(view: View) -> tuple[CheckResult, ...]:
    """The checks that matter now, worst first; one that passes because a person accepted it comes before the others."""
    checks = view.decision.gate.checks if view.decision.gate else view.decision.checks

    def rank(check: CheckResult) -> tuple[bool, int]:
        return not (check.outcome.is_blocking or check.is_accepted), WORST_FIRST.index(check.outcome)

    return tuple(sorted(checks, key=rank))


def check_lines(view: View, room: int) -> list[Line]:
    """At most `room` lines; what does not fit is counted, and never a check that does not pass before one that does."""
    checks = checks_now(view)
    if not checks or room <= 0:
        return []
    if len(checks) <= room:
        return [short_names(check_line(check), view) for check in checks]
    if room == 1 and checks[0].outcome.is_blocking:
        return [short_names(check_line(checks[0]), view)]
    shown, rest = checks[: room - 1], checks[room - 1 :]
    bad = sum(check.outcome.is_blocking for check in rest)
    more = f"{len(rest)} more, {bad} not passing" if bad else _passing(rest, "more" if shown else "checks")
    return [*(short_names(check_line(check), view) for check in shown), line((more, Tone.BAD if bad else Tone.DIM))]


def _passing(checks: tuple[CheckResult, ...], what: str) -> str:
    """`✔ 5 more pass, 1 skipped`."""
    skipped = sum(check.outcome is Outcome.SKIPPED for check in checks)
    return f"{DONE} {len(checks) - skipped} {what} pass" + (f", {skipped} skipped" if skipped else "")


def stale_lines(view: View) -> list[Line]:
    """One line for each source that is silent or too old, and one for a missing listener Service."""
    lines = []
    for source in view.health:
        if not source.is_ok:
            age_s = None if source.read_at is None else (view.now - source.read_at).total_seconds()
            last = "" if source.is_forbidden else f", last read {units.age(age_s)} ago"
            text = f"{ALARM} {source.name}: {source.problem or 'silent'}{last}"
            lines.append(line((text, Tone.WARN)))
    if problem := view.snapshot.listener_problem:
        lines.append(line((f"{ALARM} {problem}", Tone.BAD)))
    return lines
