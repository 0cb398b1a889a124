"""PURE: what a node does, and why it is not Ready, worked out once; both front ends word it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from emqx_tui.model.containers import Container
from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.model.snapshot import Colour, Member
from emqx_tui.session.views.view import View


class NodeState(StrEnum):
    """What a node does, in the words of every front end."""

    STOPPING = "stopping"
    TROUBLE = "in trouble"
    """Its container cannot run: the pod says why."""
    NOT_READ = "not read"
    SILENT = "not answering"
    """For Kubernetes its containers run, and it does not answer for itself: it may hang."""
    NOT_IN_EMQX = "not in EMQX"
    STARTING = "starting"
    HEALTH_CHECK = "health check"
    EVICTING = "evicting"
    TAKEOVER_WAIT = "takeover wait"
    MOVING_SESSIONS = "sessions"
    DRAINED = "drained"
    NOT_EMPTY = "not empty"
    """Evacuated, and clients are on it."""
    UNKNOWN = "unknown state"
    RUNNING = "running"
    """In EMQX; which addresses the Service has is not known."""
    SERVING = "serving"
    """In EMQX, and new connections come to it."""
    NOT_READY = "not Ready"
    OUT_OF_SERVICE = "out of Service"
    """In EMQX with its clients; new connections do not come to it."""


_EVACUATION = {
    EvacuationState.WAITING_HEALTH_CHECK: NodeState.HEALTH_CHECK,
    EvacuationState.EVICTING_CONNS: NodeState.EVICTING,
    EvacuationState.WAITING_TAKEOVER: NodeState.TAKEOVER_WAIT,
    EvacuationState.EVICTING_SESSIONS: NodeState.MOVING_SESSIONS,
    EvacuationState.UNKNOWN: NodeState.UNKNOWN,
}


def node_state(view: View, member: Member) -> NodeState:
    """What a node does: the pod first, then EMQX's word, then whether proxies send clients to it."""
    pod, addresses = member.pod, view.snapshot.slice_ips
    if pod.meta.deleting:
        return NodeState.STOPPING
    if pod.trouble:
        return NodeState.TROUBLE
    if member.is_suspect:
        return NodeState.SILENT
    if member.node is None or not member.is_joined:
        if view.snapshot.nodes.value is None:
            return NodeState.NOT_READ
        return NodeState.NOT_IN_EMQX if pod.is_ready else NodeState.STARTING
    if member.evacuation:
        done = NodeState.DRAINED if member.live_connections == 0 else NodeState.NOT_EMPTY
        return _EVACUATION.get(member.evacuation.state, done)
    if addresses is None:
        return NodeState.RUNNING
    if pod.ip in addresses:
        return NodeState.SERVING
    return NodeState.NOT_READY if not pod.is_ready and member.colour is Colour.GREEN else NodeState.OUT_OF_SERVICE


@dataclass(frozen=True)
class NotReady:
    """Why a pod is not Ready, in Kubernetes' words; parts that it does not tell are empty."""

    reason: str
    message: str = ""
    image: str = ""
    """Of the container that cannot run."""


def why_not_ready(member: Member) -> NotReady | None:
    """What the pod itself says; None when it is Ready, goes away, or says nothing."""
    pod = member.pod
    if pod.is_ready or pod.meta.deleting:
        return None
    if container := pod.blocked:
        ended = container.ended
        return NotReady(str(ended) if ended else container.waiting, _message(container), container.image)
    failing = [c for c in pod.conditions if c.status != "True" and c.reason]
    order = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    failing.sort(key=lambda c: order.index(c.type) if c.type in order else len(order))
    return NotReady(failing[0].reason, failing[0].message) if failing else None


def _message(container: Container) -> str:
    """Of a container in a crash loop, how it ended says more than that it is being restarted."""
    if container.last is not None:
        return f"ended before: {container.last}" + (f", {container.last.message}" if container.last.message else "")
    return container.message or (container.ended.message if container.ended else "")
