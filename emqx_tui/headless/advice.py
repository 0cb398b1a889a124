"""PURE: what a person may do next, as commands that can be pasted into a shell. Every command advised is made here."""

from __future__ import annotations

from typing import assert_never

from emqx_tui.rollout.advice import Advice, Verb
from emqx_tui.session.facts import Unjournaled


def command(verb: str, namespace: str, name: str, *operands: str) -> str:
    """`emqx-tui VERB NAME -n NAMESPACE`, with what the verb needs besides."""
    confirm = ("--confirm", name) if verb == Verb.ABORT else ()
    return " ".join(("emqx-tui", verb, name, *operands, "-n", namespace, *confirm))


BRAKE_S = 86_400
"""A delay that stops a release of the operator's own before its next step, and that nobody takes for a console's."""


def without_journal(found: Unjournaled, namespace: str, name: str) -> str:
    """What a release without a journal means, and what can be done about it."""
    match found:
        case Unjournaled.OPERATOR:
            delay = f'{{"spec":{{"blueGreenUpdate":{{"initialDelaySeconds":{BRAKE_S}}}}}}}'
            patch = f"kubectl patch emqxenterprise {name} -n {namespace} --type=merge -p '{delay}'"
            return f"the operator releases by itself, no console can hold it; to stop it before its next step: {patch}"
        case Unjournaled.ORPHAN:
            return (
                "a release stands half-way, its journal is gone: the operator is held and must stay so, with another "
                "delay it would cut clients off: see 'Without a journal' in the README"
            )
        case _:
            assert_never(found)


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
