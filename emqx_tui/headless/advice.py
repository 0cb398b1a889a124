"""PURE: what a person may do next, as commands that can be pasted into a shell. Every command advised is made here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from emqx_tui.rollout.commands import in_context
from emqx_tui.rollout.telling import wording
from emqx_tui.rollout.telling.advice import Advice, Verb
from emqx_tui.rollout.ungated.adoption import why_not_aborted, why_not_adopted
from emqx_tui.rollout.ungated.ungated import UngatedRelease
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


_CONFIRMED = ("abort", "adopt")


def command(verb: str, cluster: Cluster, *operands: str) -> str:
    """`emqx-tui VERB NAME -n NAMESPACE`, with what the verb and the context need besides."""
    confirm = ("--confirm", cluster.name) if verb in _CONFIRMED else ()
    words = ("emqx-tui", verb, cluster.name, *operands, "-n", cluster.namespace, *confirm)
    return in_context(" ".join(words), cluster.context)


def list_clusters(cluster: Cluster) -> str:
    """What lists the clusters of the same namespace."""
    return in_context(f"emqx-tui get -n {cluster.namespace}", cluster.context)


def set_delay(cluster: Cluster) -> str:
    """What gives the object a delay, where no release stands."""
    patch = '{"spec":{"blueGreenUpdate":{"initialDelaySeconds":SECONDS}}}'
    what = f"kubectl patch emqxenterprise {cluster.name} -n {cluster.namespace} --type merge -p '{patch}'"
    return in_context(what, cluster.context)


def without_journal(found: UngatedRelease, cluster: Cluster) -> str:
    """What a release without a journal does, and what can be done about it."""
    where = wording.ungated(found)
    if not found.is_stopped:
        stop = command("hold", cluster)
        return f"the operator releases by itself, ungated: {where}; to stop it before its next step: {stop}"
    return (
        f"a release stands half-way without a journal: {where}; the operator is held and must stay so, with another "
        f"delay it would cut clients off; {ways_on(found, cluster)}"
    )


def ways_on(found: UngatedRelease, cluster: Cluster) -> str:
    """How a stopped release goes on or back, or what stands in the way."""
    ways = (("to go on with gates", "adopt", why_not_adopted(found)), ("to go back", "abort", why_not_aborted(found)))
    return "; ".join(f"{what}: {command(verb, cluster)}{_unless(why)}" for what, verb, why in ways)


def _unless(why_not: str) -> str:
    return f" (not now: {why_not})" if why_not else ""


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
