"""PURE: what a card consists of, and the rows that several cards have.

A card tells consequences in plain words and units, what is checked, the way back, and the very commands that will be
sent (redacted where they were made). It names one revision: an approval is of what was read, or it is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from emqx_tui.model import units
from emqx_tui.rollout.decision import WORST_FIRST, CheckResult, Outcome
from emqx_tui.rollout.intents import Intent
from emqx_tui.runbook import Gate as RunbookGate
from emqx_tui.runbook import Runbook
from emqx_tui.session.views import facts
from emqx_tui.session.views.facts import Driving
from emqx_tui.session.views.view import EditPreview, View
from emqx_tui.ui.rollout.advice import DOT
from emqx_tui.ui.rollout.headline import meanwhile
from emqx_tui.ui.text.check_marks import check_line
from emqx_tui.ui.text.gates import gate_name
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import TIE, Line, Span, Tone, line

Rows = tuple[tuple[str, tuple[Line, ...]], ...]
"""(label, lines)."""


@dataclass(frozen=True)
class Asked:
    """One word that has to be typed, and what typing it means."""

    token: str
    prompt: str


@dataclass(frozen=True)
class Way:
    """Another word, and what typing it sends."""

    token: str
    intent: Callable[[str], Intent] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Card:
    """What is read before something is approved."""

    title: str
    rows: Rows
    warning: str
    asked: tuple[Asked, ...]
    """Typed one after another; the last one sends."""
    revision: str
    """Another one means that the person has read something else."""
    blocked: str
    """Why it cannot be approved now; empty when it can."""
    intent: Callable[[str], Intent] = field(compare=False, repr=False)
    """Who approves -> what is sent."""
    other: Way | None = None
    """Something else that may be typed in place of the last word."""


Renew = Callable[[View | None, EditPreview | None], Card | None]
"""The card as it would be opened now; None when it is not on offer any more."""


def filled(rows: Iterable[tuple[str, tuple[Line, ...]]]) -> Rows:
    """The rows that say something."""
    return tuple((label, lines) for label, lines in rows if lines)


def check_rows(checks: tuple[CheckResult, ...]) -> tuple[Line, ...]:
    """Checks that do not simply pass, one per line; then those that pass, on one line."""
    notable = (check for check in checks if check.outcome is not Outcome.PASS or check.is_accepted)
    apart = sorted(notable, key=lambda check: WORST_FIRST.index(check.outcome))
    passing: list[Span] = []
    for check in checks:
        if check not in apart:
            unbroken = (Span(span.text.replace(" ", TIE), span.tone) for span in check_line(check))
            passing += [*unbroken, Span("   ")]
    return (*(check_line(check) for check in apart), *([tuple(passing[:-1])] if passing else []))


def runbook_row(runbook: Runbook, gate: RunbookGate) -> tuple[Line, ...]:
    """What a person is to do at a gate, and why it is not what the settings say."""
    problem = (line((f"▲ {clean(runbook.problem)}", Tone.WARN)),) if runbook.problem else ()
    return (*problem, *(line(words) for words in runbook.texts.get(gate, ())))


def driver_row(view: View) -> tuple[Line, ...]:
    """Who carries it out, where this console does not drive: one that submits an intent takes a free lease."""
    found = facts.driver(view)
    if found is None or found.kind is Driving.THIS_CONSOLE:
        return ()
    if found.kind is Driving.NOBODY:
        return (line(("this console becomes the driver: nobody drives this release", Tone.STRONG)),)
    return (
        line(f"{clean(found.name.partition('/')[0])} drives and carries it out; this console takes over if it stops"),
    )


def since(view: View) -> tuple[Line, ...]:
    """What has happened since the last approval."""
    journal = view.journal
    if journal is None or not journal.approvals:
        return ()
    last, most = journal.approvals[-1], facts.max_missing(view)
    ago = units.span((view.now - last.at).total_seconds())
    parts = [f"{gate_name(last.gate)} approved by {last.by} {ago} ago"]
    if journal.drained:
        parts.append(f"{len(journal.drained)} of {units.plural(journal.originals.replicas, 'node')} drained")
    if most is not None:
        parts.append(f"at {'least' if most.is_at_least else 'most'} {units.count(most.clients)} missing at once")
    if journal.totals.killed:
        parts.append(f"{units.count(journal.totals.killed)} cut off without a drain")
    if running := meanwhile(view):
        parts.append(running)
    return (line(clean(DOT.join(parts))),)
