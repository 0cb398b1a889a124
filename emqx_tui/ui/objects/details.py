"""PURE: what is told below the tree of the row under the cursor, most telling line first."""

from __future__ import annotations

from collections.abc import Iterator

from emqx_tui.model import units
from emqx_tui.model.claims import Claim
from emqx_tui.model.containers import Container, PodCondition
from emqx_tui.model.nodes import Vitals
from emqx_tui.model.reading import MISSING
from emqx_tui.model.snapshot import Member
from emqx_tui.model.workloads import Pod, StatefulSet
from emqx_tui.rollout.redaction import redact_text
from emqx_tui.session.views import node_facts
from emqx_tui.session.views.view import View
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import Line, Tone, line


def safe(text: str) -> str:
    """Text of the cluster as it may be shown."""
    return redact_text(clean(text))


def of_resource(view: View) -> tuple[Line, ...]:
    """The custom resource: its newest condition, its listener Service, what keeps it from being read."""
    resource = view.snapshot.resource.value
    if resource is None:
        return ()
    lines = [line((f"EmqxEnterprise {safe(resource.name)}", Tone.STRONG), f"  image {safe(str(resource.image))}")]
    if found := resource.condition:
        said = f"{found.type} {'True' if found.status else 'False'}"
        message = f": {found.message}" if found.message else ""
        lines.append(line(safe(f"condition {said}{message}")))
    problem = view.snapshot.listener_problem or view.snapshot.resource.problem
    lines.append(line((safe(problem), Tone.WARN)) if problem else line(safe(f"Service {resource.service_name}")))
    return tuple(lines)


def of_set(found: StatefulSet) -> tuple[Line, ...]:
    """A StatefulSet: replicas, revision, image."""
    revision = found.update_revision or found.current_revision
    settled = "" if found.is_settled else ", its controller is still at work"
    head = line((f"StatefulSet {safe(found.name)}", Tone.STRONG), f"  revision {safe(revision)}" if revision else "")
    counts = (
        f"{units.plural(found.replicas, 'replica')} wanted, {found.status_replicas} there, {found.ready_replicas} Ready"
    )
    lines = [head, line(f"{counts}{settled}"), line(f"image {safe(found.image)}")]
    if found.replicas == 0 and found.status_replicas == 0:
        lines.insert(1, line(("left over from an earlier generation: it wants no pods", Tone.WARN)))
    return tuple(lines)


def of_pod(member: Member) -> tuple[Line, ...]:
    """A pod: why it is not Ready, its gates and conditions, restarts with their reason, place and image."""
    pod = member.pod
    lines = [_place(pod)]
    if found := node_facts.why_not_ready(member):
        message = f": {safe(found.message)}" if found.message else ""
        lines.append(line((f"not Ready: {safe(found.reason)}{message}", Tone.BAD)))
    lines += [*_restarts(pod), _gates(pod), _conditions(pod)]
    lines += [line(f"container {safe(each.name)}  {safe(each.image)}{_state(each)}") for each in pod.containers]
    return tuple(lines)


def _place(pod: Pod) -> Line:
    node = f" on {safe(pod.node_name)}" if pod.node_name else ""
    return line((f"pod {safe(pod.name)}", Tone.STRONG), f"  {safe(pod.phase)}{node}, {pod.ip or 'no address'}")


def _restarts(pod: Pod) -> Iterator[Line]:
    for each in pod.containers:
        if each.restarts or each.last:
            at = f" at {units.clock(each.last.finished_at)}" if each.last and each.last.finished_at else ""
            why = f", last {each.last}{at}" if each.last else ""
            message = f": {each.last.message}" if each.last and each.last.message else ""
            yield line((safe(f"{each.name}: {units.plural(each.restarts, 'restart')}{why}{message}"), Tone.WARN))


def _gates(pod: Pod) -> Line:
    if not pod.readiness_gates:
        return line(("no readiness gate", Tone.DIM))
    known = {condition.type: condition for condition in pod.conditions}
    parts = [_gate(name, known.get(name)) for name in pod.readiness_gates]
    return line("readiness gates  ", *(span for part in parts for span in part))


def _gate(name: str, condition: PodCondition | None) -> Line:
    word = condition.status if condition else "not set"
    return line((f"{safe(name)} {word}  ", Tone.PLAIN if word == "True" else Tone.WARN))


def _conditions(pod: Pod) -> Line:
    """Those that are not True, with their reason; the names of the others."""
    shown = [each for each in pod.conditions if each.type not in pod.readiness_gates]
    wrong = [each for each in shown if each.status != "True"]
    right = " ".join(safe(each.type) for each in shown if each.status == "True")
    spans = [(f"{safe(each.type)} {each.status} {safe(each.reason)}  ", Tone.WARN) for each in wrong]
    return line("conditions  ", *spans, (f"{right} True" if right else "", Tone.DIM))


def _state(container: Container) -> str:
    if container.waiting:
        return f"  waits: {safe(container.waiting)}" + (f": {safe(container.message)}" if container.message else "")
    return "" if container.is_ready else "  not ready"


def of_node(member: Member) -> tuple[Line, ...]:
    """The EMQX node: version, clients and sessions, then what it tells of its process; why it is silent."""
    node = member.node
    if node is None:
        why = safe(member.own.problem) if member.own.problem else "the pod holds no broker that has told its name"
        return (line(("no EMQX node is known here", Tone.WARN)), line(why))
    counts = f"{units.count(member.live_connections)} clients connected, {units.count(member.sessions)} sessions"
    lines = [
        line((safe(node.name), Tone.STRONG)),
        line(f"EMQX {safe(node.version)}, {'in' if member.is_joined else 'not in'} the EMQX cluster"),
        line(counts),
    ]
    if words := vitals_words(node.vitals):
        lines.append(line(f"up {node.vitals.uptime}, {words}" if node.vitals.uptime else words))
    if evacuation := member.evacuation:
        lines.append(line((f"evacuation {evacuation.state}", Tone.STRONG)))
    if member.own.problem and member.own != MISSING:
        lines.insert(1, line((f"does not answer: {safe(member.own.problem)}", Tone.WARN)))
    return tuple(lines)


def vitals_words(vitals: Vitals) -> str:
    """`load 0.32, memory 854.13M of 23.54G`, in EMQX's own units."""
    parts = [f"load {vitals.load1}"] if vitals.load1 else []
    if vitals.memory_used:
        parts.append(f"memory {vitals.memory_used}" + (f" of {vitals.memory_total}" if vitals.memory_total else ""))
    return ", ".join(parts)


def of_leftovers(count: int, problem: str) -> tuple[Line, ...]:
    """Why they are listed."""
    lines = [line((f"{units.plural(count, 'object')} of earlier generations", Tone.STRONG))]
    lines.append(line("StatefulSets at zero, claims that no pod uses, EMQX nodes that are listed and do not run"))
    return (*lines, line((f"claims: {safe(problem)}", Tone.WARN))) if problem else tuple(lines)


def of_claim(found: Claim) -> tuple[Line, ...]:
    """A claim that no pod uses."""
    storage = f" of {safe(found.storage_class)}" if found.storage_class else ""
    return (
        line((f"PersistentVolumeClaim {safe(found.name)}", Tone.STRONG)),
        line(f"{safe(found.phase)}, {safe(found.capacity) or 'size not told'}{storage}"),
        line(("its pod is neither there nor wanted; its volume is kept, and paid for", Tone.WARN)),
    )


def of_stopped_node(name: str) -> tuple[Line, ...]:
    """A member of the EMQX cluster that does not run."""
    return (
        line((safe(name), Tone.STRONG)),
        line(("the EMQX cluster lists it, and it does not run: emqx_ctl cluster force-leave removes it", Tone.WARN)),
    )
