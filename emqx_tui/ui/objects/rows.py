"""PURE: the tree of one cluster: EmqxEnterprise, StatefulSets, pods, EMQX nodes, and what is left over.

A row that did not change is equal to what it was, so that the tree draws changed rows only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from emqx_tui.model import units
from emqx_tui.model.claims import Claim, orphaned
from emqx_tui.model.kinds import Kind
from emqx_tui.model.kube_object import KubeObject
from emqx_tui.model.snapshot import Colour, Generation, Member
from emqx_tui.model.workloads import StatefulSet
from emqx_tui.session.inspection.questions import Inventory, Target
from emqx_tui.session.views.fleet_view import ClusterRow
from emqx_tui.session.views.view import View
from emqx_tui.ui.clusters.states import state
from emqx_tui.ui.objects import details
from emqx_tui.ui.rollout.nodes import node_mark
from emqx_tui.ui.text import glyphs
from emqx_tui.ui.text.marks import Mark, clean, elapsed_s
from emqx_tui.ui.text.spans import Line, Tone, line


@dataclass(frozen=True)
class Row:
    """One line of the tree. Figures that make no sense for it are empty."""

    key: str
    name: str
    mark: Mark
    ready: str = ""
    clients: str = ""
    sessions: str = ""
    restarts: str = ""
    age: str = ""
    copied: str = ""
    """What is copied of it, where that is not its name."""
    info: Line = ()
    """What a wide screen shows beside it."""
    detail: tuple[Line, ...] = ()
    """Shown below the tree while the cursor is on it."""
    target: Target | None = None
    """What YAML and description are of; None where there is no object."""
    pod: str = ""
    """Whose log is read; empty where there is none."""
    containers: tuple[str, ...] = ()
    children: tuple[Row, ...] = ()

    def targets(self) -> Iterator[Target]:
        """The objects of this row and below, whose Events are shown together."""
        if self.target is not None and self.target.kind is not None:
            yield self.target
        for child in self.children:
            yield from child.targets()


def tree(view: View, listed: ClusterRow | None, inventory: Inventory | None) -> Row | None:
    """The whole tree; None while the custom resource is not known."""
    snapshot = view.snapshot
    resource = snapshot.resource.value
    if resource is None:
        return None
    known = inventory if inventory and (inventory.namespace, inventory.name) == _key(view) else None
    alive = [*snapshot.generations]
    shown = {generation.stateful_set.name for generation in alive}
    sets = [_set(view, generation) for generation in alive]
    left = _leftovers(view, known, [each for each in snapshot.sets if each.name not in shown])
    ready = sum(generation.ready for generation in alive) if snapshot.pods.value is not None else None
    return Row(
        key="resource",
        name=resource.name,
        mark=state(listed) if listed else Mark(glyphs.STARTING, "reading…", Tone.WAIT),
        ready=f"{units.count(ready)}/{sum(generation.replicas for generation in alive)}",
        clients=units.count(snapshot.total_live),
        sessions=units.count(snapshot.total_sessions),
        age=_age(resource.meta.created_at, view.now),
        info=line((clean(resource.image), Tone.DIM)),
        detail=details.of_resource(view),
        target=Target(Kind.EMQX_ENTERPRISE, resource.namespace, resource.name, resource.meta.uid),
        children=(*sets, *([left] if left else [])),
    )


def find(row: Row | None, key: str) -> Row | None:
    """The row with this key, at or below `row`."""
    if row is None or row.key == key:
        return row
    return next((found for child in row.children if (found := find(child, key))), None)


def _key(view: View) -> tuple[str, str]:
    return view.snapshot.namespace, view.snapshot.name


def _target(kind: Kind, found: KubeObject) -> Target:
    return Target(kind, found.namespace, found.name, found.meta.uid)


def _age(created_at: datetime | None, now: datetime) -> str:
    return units.object_age(elapsed_s(created_at, now))


_COLOURS = {Colour.BLUE: ("blue", Tone.BLUE), Colour.GREEN: ("green", Tone.GREEN)}


def _set(view: View, generation: Generation) -> Row:
    found = generation.stateful_set
    is_complete = generation.ready == generation.replicas
    glyph = glyphs.SERVING if is_complete else glyphs.STARTING
    word, tone = _COLOURS.get(generation.colour, ("running", Tone.GOOD) if is_complete else ("not ready", Tone.WARN))
    return Row(
        key=f"set {found.name}",
        name=found.name,
        mark=Mark(glyph, word, tone),
        ready=f"{generation.ready if generation.are_members_known else units.UNKNOWN}/{generation.replicas}",
        clients=units.count(generation.live_connections),
        sessions=units.count(_sessions(generation)),
        age=_age(found.meta.created_at, view.now),
        info=line((clean(found.image), Tone.DIM)),
        detail=details.of_set(found),
        target=_target(Kind.STATEFUL_SET, found),
        children=tuple(_pod(view, member) for member in generation.members),
    )


def _sessions(generation: Generation) -> int | None:
    known = [member.sessions for member in generation.members]
    return None if generation.live_connections is None else sum(count or 0 for count in known)


def _pod(view: View, member: Member) -> Row:
    pod = member.pod
    ready = sum(container.is_ready for container in pod.containers)
    return Row(
        key=f"pod {pod.name} {pod.meta.uid}",
        name=pod.name,
        mark=_pod_mark(member),
        ready=f"{ready}/{len(pod.containers)}",
        restarts=units.count(pod.restarts),
        age=_age(pod.meta.created_at, view.now),
        info=line((clean(pod.node_name), Tone.DIM)),
        detail=details.of_pod(member),
        target=_target(Kind.POD, pod),
        pod=pod.name,
        containers=tuple(container.name for container in pod.containers),
        children=(_node(view, member),),
    )


def _pod_mark(member: Member) -> Mark:
    pod = member.pod
    if pod.meta.deleting:
        return Mark(glyphs.STARTING, "Terminating", Tone.DIM)
    if pod.trouble:
        return Mark(glyphs.ALARM, clean(pod.trouble), Tone.BAD)
    if pod.is_ready:
        return Mark(glyphs.SERVING, clean(pod.phase), Tone.GOOD)
    word = "not Ready" if pod.phase == "Running" else clean(pod.phase)
    return Mark(glyphs.STARTING, word, Tone.WAIT)


def _node(view: View, member: Member) -> Row:
    pod, node = member.pod, member.node
    mark, _ = node_mark(view, member)
    return Row(
        key=f"node {pod.name} {pod.meta.uid}",
        name=f"EMQX {clean(node.version)}" if node else "EMQX",
        copied=node.name if node else "",
        mark=mark,
        clients=units.count(member.live_connections),
        sessions=units.count(member.sessions),
        age=units.object_age(node.vitals.uptime_s) if node and node.vitals.uptime_s is not None else "",
        info=line((details.vitals_words(node.vitals), Tone.DIM)) if node else (),
        detail=details.of_node(member),
        target=Target(None, pod.namespace, pod.name, pod.meta.uid),
        pod=pod.name,
        containers=tuple(container.name for container in pod.containers),
    )


# --- what is left over ---


def _leftovers(view: View, inventory: Inventory | None, at_zero: list[StatefulSet]) -> Row | None:
    """StatefulSets at zero, claims that no pod uses, EMQX nodes that are listed and do not run."""
    snapshot = view.snapshot
    claims = inventory.claims if inventory else ()
    rows = [
        *(_set_at_zero(view, each) for each in at_zero),
        *(_claim(view, each) for each in orphaned(claims, snapshot.sets, snapshot.pods.value or ())),
        *(_stopped_node(each) for each in snapshot.stopped_nodes),
    ]
    problem = inventory.claims_problem if inventory else ""
    if not rows and not problem:
        return None
    return Row(
        key="leftovers",
        name="leftovers",
        mark=Mark(glyphs.TODO, str(len(rows)), Tone.DIM),
        detail=details.of_leftovers(len(rows), problem),
        children=tuple(rows),
    )


def _set_at_zero(view: View, found: StatefulSet) -> Row:
    return Row(
        key=f"set {found.name}",
        name=found.name,
        mark=Mark(glyphs.TODO, "at zero", Tone.DIM),
        ready="0/0",
        age=_age(found.meta.created_at, view.now),
        info=line((clean(found.image), Tone.DIM)),
        detail=details.of_set(found),
        target=_target(Kind.STATEFUL_SET, found),
    )


def _claim(view: View, found: Claim) -> Row:
    return Row(
        key=f"claim {found.name}",
        name=found.name,
        mark=Mark(glyphs.TODO, "orphaned claim", Tone.WARN),
        age=_age(found.meta.created_at, view.now),
        info=line((clean(f"{found.phase} {found.capacity}"), Tone.DIM)),
        detail=details.of_claim(found),
        target=_target(Kind.CLAIM, found),
    )


def _stopped_node(name: str) -> Row:
    return Row(
        key=f"stopped {name}",
        name=clean(name),
        mark=Mark(glyphs.FAILED, "stopped node", Tone.WARN),
        detail=details.of_stopped_node(name),
    )
