"""PURE: how checks are marked on the screens."""

from __future__ import annotations

from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import Line, Tone, line

CHECK_MARKS = {
    Outcome.PASS: ("✔", Tone.GOOD),
    Outcome.WAIT: ("◌", Tone.WAIT),
    Outcome.FAIL: ("▲", Tone.BAD),
    Outcome.SKIPPED: ("?", Tone.DIM),
}


ACCEPTED = ("▲", Tone.WARN)
"""It passes only because a person has accepted what it found."""


def check_line(check: CheckResult) -> Line:
    """One check: its glyph, its evidence, and what to do where it does not pass."""
    glyph, tone = ACCEPTED if check.is_accepted else CHECK_MARKS[check.outcome]
    is_passed = check.outcome is Outcome.PASS
    hint = "" if is_passed or not check.hint else f"  {clean(check.hint)}"
    return line((f"{glyph} ", tone), (clean(check.evidence), Tone.PLAIN if is_passed else tone), (hint, Tone.DIM))
