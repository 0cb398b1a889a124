"""Where a release stands: what the conditions of the table in `phases.py` mean, and the phase that follows from them.

The engine is level-triggered: each condition looks at the cluster and the journal, never at what was sent. Followed
from the first phase the table gives the phase; followed from the phase that was known it has to give the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial

from emqx_tui.model.snapshot import Generation
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decision import Alarm
from emqx_tui.rollout.phases import BEFORE_CUT_OVER, FINAL, Phase, When
from emqx_tui.rollout.phases import settle as settle_by
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.rollout.steps import finish
from emqx_tui.rollout.telling.advice import Advice, Verb


def settle(phase: Phase, context: RolloutContext) -> Phase:
    """The phase that follows from `phase` in this context."""
    return settle_by(phase, _judge(context))


def locate(context: RolloutContext) -> tuple[Phase, tuple[Alarm, ...]]:
    """The phase as it is seen, and an alarm when no release comes there from the phase that was known.

    Then somebody changed the cluster under us, or we are wrong: a reason to hold either way. Not while a watch is known
    to be broken: half of what is seen may be from before the other half, and the known way is followed.
    """
    known, holds = context.memory.phase, _judge(context)
    followed = settle_by(known, holds)
    if not context.is_read:
        return followed, ()
    seen = settle_by(Phase.IDLE, holds)
    if not _is_continued(context.memory.journal, context.journal):
        return seen, ()
    if context.stale_kube and known not in FINAL:
        return followed, ()
    if followed is seen or known in FINAL or (seen is Phase.STARTING and _is_undone(context, known)):
        return seen, ()
    evidence = f"the cluster went from '{known}' to '{seen}', which no release does"
    blue = context.snapshot.blue_set
    if known is not Phase.FINISHING or blue is None or not blue.replicas:
        return seen, (Alarm("impossible-phase", evidence),)
    evidence += f": somebody scaled {blue.name} to {blue.replicas} again"
    back = Advice(Verb.FIX, "scale it back to 0 while it has no clients")
    return seen, (Alarm("impossible-phase", evidence, advice=(back,)),)


def _is_undone(context: RolloutContext, known: Phase) -> bool:
    """Others have put the template back before the cut-over, and no green stands: `cannot-start` holds."""
    resource, planned = context.resource, context.journal.metadata_generation
    return known in BEFORE_CUT_OVER and resource is not None and resource.meta.metadata_generation != planned


def _is_continued(before: Journal | None, now: Journal) -> bool:
    """Nothing of `before` is missing in `now`: what was written down is taken back when its write loses a race."""
    if before is None:
        return True
    is_kept = all(is_set or not was_set for was_set, is_set in zip(_marks(before), _marks(now), strict=True))
    return is_kept and now.approvals[: len(before.approvals)] == before.approvals


def _marks(journal: Journal) -> tuple[bool, ...]:
    return (
        journal.abort is not None,
        journal.cut_over_at is not None,
        journal.canary_passed_at is not None,
        journal.late_removal,
    )


def _judge(context: RolloutContext) -> Callable[[When], bool]:
    """What holds in `context`; each condition is looked at once."""
    return cache(partial(_holds, context=context))


def _holds(when: When, context: RolloutContext) -> bool:
    """Before the cluster is read only what the journal says is known."""
    return (context.is_read or when in _OF_JOURNAL) and CONDITIONS[when](context)


def _is_blue_rebuilt(context: RolloutContext) -> bool:
    is_there = context.resource is not None and context.snapshot.blue_set is not None
    return is_there and bool(context.journal.rebuilt_blue_uid)


def _is_template_applied(context: RolloutContext) -> bool:
    green = context.green
    is_blue_again = green is not None and context.is_blue_again(green.stateful_set)
    if context.journal.cut_over_at is not None and not is_blue_again:
        # After the cut-over a template that is put back is a change by others, not a new start.
        return True
    is_untouched = context.is_template_original and not context.is_template_applied
    return not is_untouched or (green is not None and not is_blue_again)


def _is_green_complete(context: RolloutContext) -> bool:
    return context.green is not None and context.green.is_complete and context.started_at is not None


def _is_delay_over(context: RolloutContext) -> bool:
    return context.delay_over_at is not None and context.now >= context.delay_over_at


def _may_skip_canary(context: RolloutContext) -> bool:
    return context.journal.late_removal or context.journal.canary_passed_at is not None


def _is_canary_due(context: RolloutContext) -> bool:
    is_open = not _may_skip_canary(context) and not context.journal.canary_failed
    return is_open and context.is_cut_over_approved


def _is_blue_empty(context: RolloutContext) -> bool:
    return context.blue is None or context.blue.replicas == 0


def _is_closed_out(context: RolloutContext) -> bool:
    return finish.is_gone(context.blue) and _passes_close_out(context, context.green)


def _is_restored(context: RolloutContext) -> bool:
    blue, resource = context.blue, context.resource
    if blue is None or resource is None or blue.replicas != resource.replicas:
        return False
    return context.is_template_original and finish.is_gone(context.green) and _passes_close_out(context, blue)


def _passes_close_out(context: RolloutContext, staying: Generation | None) -> bool:
    if staying is None or context.resource is None:
        return False
    return not any(result.outcome.is_blocking for result in finish.close_out(context, staying))


CONDITIONS: Mapping[When, Callable[[RolloutContext], bool]] = {
    When.JOURNAL_WRITTEN: lambda context: True,
    When.JOURNAL_REMOVED: lambda context: False,
    When.OBJECT_GONE: lambda context: context.resource is None,
    When.SETS_GONE: lambda context: context.snapshot.blue_set is None and context.green is None,
    When.BLUE_GONE: lambda context: context.snapshot.blue_set is None,
    When.BLUE_REBUILT: _is_blue_rebuilt,
    When.ABORT_ASKED: lambda context: context.journal.abort is not None,
    When.TEMPLATE_APPLIED: _is_template_applied,
    When.CUT_OVER_SEEN: lambda context: context.journal.cut_over_at is not None or context.snapshot.blue_set is None,
    When.GREEN_COMPLETE: _is_green_complete,
    When.GREEN_INCOMPLETE: lambda context: not _is_green_complete(context),
    When.DELAY_OVER: _is_delay_over,
    When.DELAY_RUNNING: lambda context: not _is_delay_over(context),
    When.CANARY_DUE: _is_canary_due,
    When.CANARY_FAILED: lambda context: bool(context.journal.canary_failed),
    When.CUT_OVER_DUE: lambda context: context.is_cut_over_approved and _may_skip_canary(context),
    When.BLUE_EMPTY: _is_blue_empty,
    When.CLOSED_OUT: _is_closed_out,
    When.RESTORED: _is_restored,
}
"""A context has a journal: how it begins and ends is `decide`'s to say."""

_OF_JOURNAL = frozenset({When.JOURNAL_WRITTEN, When.ABORT_ASKED})
