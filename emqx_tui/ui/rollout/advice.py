"""PURE: what a person may do next, as the keys of the rollout screen."""

from __future__ import annotations

from typing import assert_never

from emqx_tui.rollout.telling.advice import Advice, Verb
from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.keymap import Area

DOT = " · "


def advise(advice: tuple[Advice, ...]) -> str:
    """All of it on one line; empty without any."""
    return DOT.join(_said(each) for each in advice)


def _said(advice: Advice) -> str:
    match advice.verb:
        case Verb.FIX:
            return advice.reason
        case Verb.INSPECT_POD:
            what = f"enter on {advice.target}: its containers, events and log"
        case Verb.RESUME | Verb.FREEZE | Verb.ABORT | Verb.HOLD:
            what = key_words(advice.verb)
        case _:
            assert_never(advice.verb)
    return f"{what}: {advice.reason}" if advice.reason else what


def key_words(verb: Verb) -> str:
    """`f freeze`: the key of a verb and what the key line calls it."""
    key = keymap.find(Area.ROLLOUT, verb.value)
    assert key is not None, verb
    return f"{keymap.spell(key.key)} {key.label}"
