"""PURE: the card of a release that nobody drives: take over, or watch."""

from __future__ import annotations

from collections.abc import Iterator

from emqx_tui.rollout.intents import TakeOver
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import EditPreview, View
from emqx_tui.ui.cards.card import Asked, Card, filled, since
from emqx_tui.ui.cards.policy_card import policy_words
from emqx_tui.ui.rollout.names import begun_word, blocked_words
from emqx_tui.ui.text.spans import Line, Tone, line

TOKEN = "drive"


def renew_take_over(view: View | None, _: EditPreview | None) -> Card | None:
    """The card as long as nobody drives."""
    return _card(view) if view is not None and view.is_undriven else None


def _card(view: View) -> Card:
    journal = view.journal
    assert journal is not None
    found, begun = facts.versions(journal), begun_word(journal)
    release = f"{found.before} to {found.after}, {begun} by {journal.created_by}; {view.decision.phase}"
    rows = (
        ("Release", (line(release),)),
        ("Since", since(view)),
        ("Then", tuple(_what_follows(view))),
        ("Else", (line("esc watches only: nothing is sent, and no further step begins"),)),
    )
    return Card(
        title="Nobody drives this release",
        rows=filled(rows),
        warning="",
        asked=(Asked(TOKEN, f"Type {TOKEN} to take over"),),
        revision=f"take-over@{journal.release_id}",
        blocked=blocked_words(facts.why_no_intent(view)),
        intent=TakeOver,
    )


def _what_follows(view: View) -> Iterator[Line]:
    journal = view.journal
    assert journal is not None
    yield line(("this console takes the lease and carries on with what was approved", Tone.STRONG))
    if journal.hold is not None:
        yield line(f"it stays held by {journal.hold.by}: {journal.hold.reason}")
    elif journal.abort is not None:
        yield line("it goes back to blue, as was asked for")
    else:
        is_approved = journal.is_cut_over_approved
        yield line(policy_words(journal.approval, journal.parallel_drains, is_cut_over_approved=is_approved))
