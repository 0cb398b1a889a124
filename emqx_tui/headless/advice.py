"""PURE: what a person may do next, as commands that can be pasted into a shell. Every command advised is made here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from emqx_tui.rollout.advice import Advice, Verb
from emqx_tui.rollout.commands import in_context
from emqx_tui.session.views.facts import Unjournaled
from emqx_tui.session.views.view import View


@dataclass(frozen=True)
class Cluster:
    """Which cluster a command is for."""

    namespace: str
    name: str
    context: str = ""
    """Said with `--context`; empty for the kubeconfig's current one."""

    @classmethod
    def of(cls, view: View) -> Cluster:
        return cls(view.snapshot.namespace, view.snapshot.name, view.context)


def command(verb: str, cluster: Cluster, *operands: str) -> str:
    """`emqx-tui VERB NAME -n NAMESPACE`, with what the verb and the context need besides."""
    confirm = ("--confirm", cluster.name) if verb == Verb.ABORT else ()
    words = ("emqx-tui", verb, cluster.name, *operands, "-n", cluster.namespace, *confirm)
    return in_context(" ".join(words), cluster.context)


def list_clusters(cluster: Cluster) -> str:
    """What lists the clusters of the same namespace."""
    return in_context(f"emqx-tui get -n {cluster.namespace}", cluster.context)


BRAKE_S = 86_400
"""A delay that stops a release of the operator's own before its next step, and that nobody takes for a console's."""


def without_journal(found: Unjournaled, cluster: Cluster) -> str:
    """What a release without a journal means, and what can be done about it."""
    match found:
        case Unjournaled.OPERATOR:
            delay = f'{{"spec":{{"blueGreenUpdate":{{"initialDelaySeconds":{BRAKE_S}}}}}}}'
            patch = f"kubectl patch emqxenterprise {cluster.name} -n {cluster.namespace} --type=merge -p '{delay}'"
            patch = in_context(patch, cluster.context)
            return f"the operator releases by itself, no console can hold it; to stop it before its next step: {patch}"
        case Unjournaled.ORPHAN:
            return (
                "a release stands half-way, its journal is gone: the operator is held and must stay so, with another "
                "delay it would cut clients off: see 'Without a journal' in the README"
            )
        case _:
            assert_never(found)


def advise(advice: tuple[Advice, ...], cluster: Cluster) -> str:
    """All of it in one sentence; empty without any."""
    return "; ".join(_said(each, cluster) for each in advice)


def _said(advice: Advice, cluster: Cluster) -> str:
    match advice.verb:
        case Verb.FIX:
            return advice.reason
        case Verb.INSPECT_POD:
            what = in_context(f"kubectl describe pod {advice.target} -n {cluster.namespace}", cluster.context)
        case Verb.RESUME | Verb.FREEZE | Verb.ABORT | Verb.HOLD:
            what = command(advice.verb, cluster)
        case _:
            assert_never(advice.verb)
    return f"{what} ({advice.reason})" if advice.reason else what
