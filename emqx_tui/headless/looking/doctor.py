"""PURE: what `emqx-tui doctor` has found, as lines or as a document.

Each finding is a check like those of a release: a name, an outcome, the evidence, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from emqx_tui.headless.lines.events import SCHEMA, spell
from emqx_tui.headless.lines.view_diff import check_fields
from emqx_tui.model.wire import clean
from emqx_tui.rollout.decision import CheckResult, Outcome

MAX_SKEW_S = 30.0
"""Beyond it certificates and tokens may be taken for expired, or for not valid yet."""
LEAST_COLUMNS, LEAST_LINES = 60, 20
PLOT_COLUMNS, PLOT_LINES = 80, 24
EMQX_API = "emqx-api"
"""The pre-flight check of the way to EMQX."""


@dataclass(frozen=True)
class Terminal:
    """What the process was started on."""

    is_terminal: bool
    columns: int
    lines: int
    encoding: str
    term: str
    is_ascii: bool = False
    """The console was asked to draw with ASCII characters only."""


def terminal(found: Terminal) -> CheckResult:
    """Can the console be drawn here?"""
    if not found.is_terminal:
        return CheckResult("terminal", Outcome.SKIPPED, "standard output is not a terminal: commands work, no console")
    shown = f"{found.columns}x{found.lines}, {found.encoding or 'no encoding'}, TERM={found.term or 'not set'}"
    if found.term in ("", "dumb"):
        return CheckResult("terminal", Outcome.FAIL, shown, "set TERM to what the terminal is, such as xterm-256color")
    if not found.is_ascii and "utf" not in found.encoding.lower():
        return CheckResult("terminal", Outcome.FAIL, shown, "use --ascii, or a UTF-8 locale such as LC_ALL=C.UTF-8")
    if found.columns < LEAST_COLUMNS or found.lines < LEAST_LINES:
        hint = f"make it {LEAST_COLUMNS}x{LEAST_LINES} or larger"
        return CheckResult("terminal", Outcome.FAIL, shown, hint)
    if found.columns < PLOT_COLUMNS or found.lines < PLOT_LINES:
        shown += f"; text only: the plot is drawn from {PLOT_COLUMNS}x{PLOT_LINES} on"
    return CheckResult("terminal", Outcome.PASS, shown)


FAST = 1.5
"""No real clock gains so much: the time of a sandbox."""


def clock(skew_s: float | None, uncertainty_s: float | None, *, pace: float | None, rate: float) -> CheckResult:
    """This machine's clock against the API server's.

    `pace`: how many times faster the server's time was seen to run, at least; `rate`: how many times it is told to.
    """
    if pace is not None and pace > FAST * rate:
        words = f"the API server's time runs {pace:.1f} times as fast as this machine's, or faster"
        return CheckResult("clock", Outcome.FAIL, words, "a sandbox: give its --speed to every command as --clock-rate")
    if rate != 1:
        return CheckResult("clock", Outcome.SKIPPED, f"not compared: the cluster's time runs {rate:g} times as fast")
    if skew_s is None or uncertainty_s is None:
        return CheckResult("clock", Outcome.SKIPPED, "not compared: the API server has told no time of its own")
    # The server tells whole seconds: less than what is not known is no difference.
    apart = abs(skew_s) if abs(skew_s) > uncertainty_s else 0.0
    side = "ahead of" if skew_s > 0 else "behind"
    words = f"{apart:.1f} s {side} the API server" if apart else "the same as the API server's"
    if apart > MAX_SKEW_S:
        hint = "set this machine's clock: tokens and certificates go by it (a sandbox: see --clock-rate)"
        return CheckResult("clock", Outcome.FAIL, words, hint)
    return CheckResult("clock", Outcome.PASS, words)


def with_cures(checks: Iterable[CheckResult]) -> list[CheckResult]:
    """What still waits for an answer waits for that of another check, or for nobody."""
    found = list(checks)
    is_mute = any(check.name == EMQX_API and check.outcome is Outcome.FAIL for check in found)
    hint = f"see {EMQX_API}" if is_mute else "nothing was read in time: try again"
    return [replace(c, hint=c.hint or hint) if c.outcome is Outcome.WAIT else c for c in found]


def lines(sections: Mapping[str, Iterable[CheckResult]]) -> list[str]:
    """For people: a heading and a line for each check, its cure below it."""
    out: list[str] = []
    for heading, checks in sections.items():
        out += [*([""] if out else []), f"{heading}:"]
        for check in checks:
            out.append(clean(f"  {check.outcome:<7}  {check.name:<15}  {check.evidence}"))
            if check.outcome.is_blocking and check.hint:
                out.append(clean(f"  {'':<7}  {'':<15}  -> {check.hint}"))
    return out


def document(sections: Mapping[str, Iterable[CheckResult]], now: datetime) -> dict[str, Any]:
    """For programs."""
    checks = [{"about": heading, **check_fields(check)} for heading, found in sections.items() for check in found]
    return {"schema": SCHEMA, "at": spell(now), "checks": checks}


def is_well(sections: Mapping[str, Iterable[CheckResult]]) -> bool:
    """No check fails, and none still waits for an answer."""
    return not any(check.outcome.is_blocking for found in sections.values() for check in found)
