"""PURE: what a person may do next, as commands that can be pasted into a shell. Every command advised is made here."""

from __future__ import annotations

from typing import assert_never

from emqx_tui.rollout.advice import Advice, Verb


def command(verb: str, namespace: str, name: str, *operands: str) -> str:
    """`emqx-tui VERB NAME -n NAMESPACE`, with what the verb needs besides."""
    confirm = ("--confirm", name) if verb == Verb.ABORT else ()
    return " ".join(("emqx-tui", verb, name, *operands, "-n", namespace, *confirm))


def advise(advice: tuple[Advice, ...], namespace: str, name: str) -> str:
    """All of it in one sentence; empty without any."""
    return "; ".join(_said(each, namespace, name) for each in advice)


def _said(advice: Advice, namespace: str, name: str) -> str:
    match advice.verb:
        case Verb.FIX:
            return advice.reason
        case Verb.INSPECT_POD:
            what = f"kubectl describe pod {advice.target} -n {namespace}"
        case Verb.RESUME | Verb.FREEZE | Verb.ABORT | Verb.HOLD:
            what = command(advice.verb, namespace, name)
        case _:
            assert_never(advice.verb)
    return f"{what} ({advice.reason})" if advice.reason else what
