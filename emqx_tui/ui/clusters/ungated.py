"""PURE: an ungated release in the list. It takes what judges a release, for which the first screen does not wait."""

from __future__ import annotations

from emqx_tui.rollout.telling import wording
from emqx_tui.rollout.ungated.ungated import Stage, UngatedRelease
from emqx_tui.ui.text.marks import clean

_STEPS = {
    Stage.CREATING_GREEN: "green",
    Stage.WAITING_DELAY: "delay",
    Stage.EVACUATING: "evacuation",
    Stage.TAKING_BLUE: "drain",
    Stage.FINISHING: "finish",
}


def ungated_words(found: UngatedRelease) -> str:
    """What the operator does in it, or where it stands while it is held."""
    return clean(wording.ungated(found))


def ungated_step(found: UngatedRelease) -> str:
    """Where it stands, in a word."""
    return _STEPS[found.stage]
