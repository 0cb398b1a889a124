"""PURE: what an approval policy means, and the card of a looser one."""

from __future__ import annotations

from emqx_tui.rollout.intents import SetPolicy
from emqx_tui.rollout.policy import Approval
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import EditPreview, View
from emqx_tui.ui.cards.card import Asked, Card, Renew
from emqx_tui.ui.rollout.names import blocked_words
from emqx_tui.ui.shell.keymap import Area, spelled
from emqx_tui.ui.text.glyphs import DONE
from emqx_tui.ui.text.spans import Tone, line

STRICTNESS = {Approval.EVERY_NODE: 2, Approval.CUT_OVER: 1, Approval.AUTO: 0}


def policy_words(approval: Approval, parallel: int = 1, *, is_cut_over_approved: bool = False) -> str:
    """What a policy means from here on."""
    before = {
        Approval.EVERY_NODE: "you approve the cut-over and every node",
        Approval.CUT_OVER: "you approve the cut-over; the nodes follow by themselves",
        Approval.AUTO: "nothing more is asked: cut-over and nodes follow by themselves",
    }
    after = {
        Approval.EVERY_NODE: "you approve every node",
        Approval.CUT_OVER: "the cut-over is approved; the nodes follow by themselves",
        Approval.AUTO: "nothing more is asked: the nodes follow by themselves",
    }
    words = (after if is_cut_over_approved else before)[approval]
    return words + (f"; {parallel} nodes drain at the same time" if parallel > 1 else "")


def is_looser(wanted: Approval, now: Approval) -> bool:
    """True when `wanted` asks a person less often than `now`."""
    return STRICTNESS[wanted] < STRICTNESS[now]


def renew_policy(wanted: Approval) -> Renew:
    """The card that lets steps follow without being asked, as long as a release runs."""

    def renew(view: View | None, _: EditPreview | None) -> Card | None:
        if view is None or view.journal is None or not facts.is_under_way(view):
            return None
        now, hold = view.journal.approval, spelled(Area.ROLLOUT, "hold")
        is_approved = view.journal.is_cut_over_approved
        rows = (
            ("Now", (line(policy_words(now, is_cut_over_approved=is_approved)),)),
            ("Then", (line((policy_words(wanted, is_cut_over_approved=is_approved), Tone.STRONG)),)),
            ("Still", (line(f"{DONE} checks and auto-holds stop it as before; {hold} holds at any moment"),)),
        )
        return Card(
            title=f"Approve from now on: {wanted.value}",
            rows=rows,
            warning="A gate that this policy opens, opens at once when its checks pass.",
            asked=(Asked(wanted.value, f"Type {wanted.value} to be asked less"),),
            revision=f"policy@{now.value}",
            blocked=blocked_words(facts.why_no_intent(view)),
            intent=lambda by: SetPolicy(by, wanted.value),
        )

    return renew
