"""PURE: the steps of a release on one line, and the time gone and to go."""

from __future__ import annotations

from emqx_tui.model import units
from emqx_tui.rollout.decision import Step, StepState
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import View
from emqx_tui.ui.text.glyphs import DONE, HELD, RUNNING, TODO, WAITING
from emqx_tui.ui.text.spans import EMPTY, Line, Span, Tone, line, width

STEP_WORDS = {
    "create-green": "create green",
    "cut-over": "cut over",
    "drain": "drain",
    "finish": "finish",
    "restore": "restore blue",
    "remove-green": "remove green",
}


def rail(view: View, cells: int = 200) -> tuple[Line, Line]:
    """The steps, and at the right end the time gone and to go; without a release, what the next one would use.

    Where not all words have room, those of the steps that are done, then of those to come, are left out.
    """
    if not view.decision.steps:
        return (EMPTY, _times(view)) if facts.has_ended(view) else (_parameters(view), EMPTY)
    times, room = _times(view), cells - width(_times(view)) - 1
    without = (frozenset[StepState](), frozenset({StepState.DONE}), frozenset({StepState.DONE, StepState.TODO}))
    tried = [_steps(view, wordless) for wordless in without]
    return next((found for found in tried if width(found) <= room), tried[-1]), times


def _steps(view: View, wordless: frozenset[StepState]) -> Line:
    parts: list[Span] = [Span(" ")]
    for step in view.decision.steps:
        glyph, tone = _step_sign(step, is_busy=facts.is_draining(view))
        word = STEP_WORDS.get(step.id, step.id)
        if step.total and step.state not in (StepState.TODO, StepState.DONE):
            word += f" {min(step.done + 1, step.total)} of {step.total}"
        parts += [Span(glyph if step.state in wordless else f"{glyph} {word}", tone), Span("  ")]
    return tuple(parts[:-1])


def _parameters(view: View) -> Line:
    resource = view.snapshot.resource.value
    if resource is None:
        return EMPTY
    given = resource.blue_green
    if given is None:
        return line((" no blueGreenUpdate: a change would restart the pods one by one", Tone.WARN))
    found = facts.unjournaled(view)
    is_closed = found in (facts.Unjournaled.ORPHAN, facts.Unjournaled.LEFT)
    what = "this release" if found and found is not facts.Unjournaled.LEFT else "next release"
    delay = "delay closed" if is_closed else f"delay {given.effective_delay_s:,} s"
    parts = [delay, f"takeover {given.wait_takeover_s or 0} s"]
    parts += [
        f"{units.count(given.conn_evict_rate_per_s)} connections/s",
        f"{units.count(given.sess_evict_rate_per_s)} sessions/s",
    ]
    return line((f" {what}: {' · '.join(parts)}", Tone.DIM))


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
    """`6:12 gone · 5:41 to go`, or since when it is held: how long it takes then nobody knows. What has ended took its
    time.
    """
    if view.journal is None:
        return EMPTY
    spent = units.clock_span(facts.duration_s(view))
    if facts.has_ended(view):
        return line(f"took {spent} ")
    if hold := view.journal.hold:
        return line(f"{spent} gone · held {units.clock_span(facts.held_s(view, hold))} ")
    remaining_s = facts.remaining_s(view)
    return line(f"{spent} gone{f' · {units.clock_span(remaining_s)} to go' if remaining_s is not None else ''} ")
