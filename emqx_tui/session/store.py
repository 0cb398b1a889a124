"""What the sources have told so far, and the snapshot that it makes. Pure: fold(store, input) -> store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.errors import Forbidden, Unreachable
from emqx_tui.model.evacuation import EvictionStatus, GlobalStatus
from emqx_tui.model.frozen import changed
from emqx_tui.model.kinds import Kind
from emqx_tui.model.nodes import EmqxNode, NodeReport, NodeStats
from emqx_tui.model.reading import MISSING, Reading
from emqx_tui.model.secret import Secret
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.model.wire import Unreadable
from emqx_tui.model.workloads import ClusterEvent, Lease, OwnDelay
from emqx_tui.session.ports import Alive, Changed, Listed, Lost, Removed, WatchInput


@dataclass(frozen=True)
class Collection:
    """One watched collection."""

    objects: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    read_at: datetime | None = None
    """None: not listed yet."""
    problem: str = ""
    """Why the watch is silent; empty while it answers, and before its first word."""
    unreadable: Mapping[tuple[str, str], Unreadable] = field(default_factory=dict)
    """Such an object is in `objects` as it was read last, if it ever was."""
    is_forbidden: bool = False
    """It was never read, for want of a right."""
    is_unreachable: bool = False
    """It was never read, because the server does not answer."""

    @cached_property
    def reading(self) -> Reading[tuple[Any, ...]]:
        """Every object; the same value as long as the collection is the same."""
        return _reading(self, tuple(self.objects.values()))


_UNREAD = Collection()


PodKey = tuple[str, str]
"""Name and UID: what is known of a pod is not known of its successor."""


@dataclass(frozen=True)
class OwnAnswer:
    """What a node says of itself, or why it says nothing."""

    key: PodKey
    report: NodeReport | None
    problem: str = ""


@dataclass(frozen=True)
class NodeReports:
    """The answers of one round, or why nobody was asked. Whoever was asked and is not here has not answered yet."""

    answers: tuple[OwnAnswer, ...]
    problem: str = ""
    is_forbidden: bool = False
    """A right is missing: to read the credentials."""
    asked: frozenset[PodKey] = frozenset()


@dataclass(frozen=True)
class ClusterAnswer:
    """One node's view of the cluster. A part that failed is None and told in `problem`."""

    pod: str
    nodes: tuple[EmqxNode, ...] | None
    evacuations: GlobalStatus | None
    problem: str = ""
    stopped: tuple[str, ...] = ()
    """Names of the members that it lists, and not as Running."""


@dataclass(frozen=True)
class OperatorImage:
    """The operator's image, as far as it may be read."""

    image: str | None
    problem: str = ""


@dataclass(frozen=True)
class OperatorAnswer:
    """Whether the operator's webhook answered; None when that could not be found out."""

    is_up: bool | None
    problem: str = ""


StoreInput = WatchInput | NodeReports | ClusterAnswer | OperatorImage | OperatorAnswer


@dataclass(frozen=True)
class Store:
    """Everything seen of one cluster."""

    namespace: str
    name: str
    collections: Mapping[Kind, Collection] = field(default_factory=dict)
    nodes: Reading[tuple[EmqxNode, ...]] = MISSING
    """Members of the EMQX cluster, in the view of its majority."""
    stopped_nodes: tuple[str, ...] = ()
    """Members that the cluster lists, and not as Running."""
    evacuations: Reading[GlobalStatus] = MISSING
    reports: Mapping[PodKey, Reading[NodeReport]] = field(default_factory=dict)
    """What each node said of itself last, and why it says nothing now."""
    emqx_problem: str = ""
    """Why no node was asked; empty while they are."""
    operator_image: Reading[str] = MISSING
    operator_answers: Reading[bool] = MISSING
    is_emqx_forbidden: bool = False
    """EMQX was not asked the last time, for want of a right."""
    replaced_delay: OwnDelay | None = None
    """What this console has replaced by a closed valve: should it not be allowed to write the Event that says so."""

    def collection(self, kind: Kind) -> Collection:
        return self.collections.get(kind, _UNREAD)

    def resource(self) -> EmqxEnterprise | None:
        """The custom resource as it was read last."""
        return self.collection(Kind.EMQX_ENTERPRISE).objects.get((self.namespace, self.name))

    def lease(self) -> Lease | None:
        return next(iter(self.collection(Kind.LEASE).objects.values()), None)

    def secret(self) -> Secret | None:
        return next(iter(self.collection(Kind.SECRET).objects.values()), None)


def fold(store: Store, found: StoreInput, now: datetime) -> Store:
    """Take in one input that arrived at `now` (cluster time)."""
    match found:
        case Listed(kind=kind, objects=objects, unreadable=unreadable):
            before = store.collection(kind)
            last = {key: before.objects[key] for key in unreadable if key in before.objects}
            return _with(store, kind, Collection({**last, **objects}, now, "", unreadable))
        case Changed(kind=kind, key=key, object=newest):
            before = store.collection(kind)
            if _is_older(newest, before.objects.get(key)):
                return store
            return _with(store, kind, Collection({**before.objects, key: newest}, now, "", _but(before, key)))
        case Removed(kind=kind, key=key, uid=uid):
            before = store.collection(kind)
            known = before.objects.get(key)
            is_another = known is not None and uid not in ("", known.meta.uid)
            left = {k: v for k, v in before.objects.items() if k != key or is_another}
            return _with(store, kind, Collection(left, now, "", _but(before, key)))
        case Alive(kind=kind):
            before = store.collection(kind)
            if before.read_at is None:
                return store
            return _with(store, kind, replace(before, read_at=now, problem=""))
        case Lost(kind=kind, error=error):
            before = store.collection(kind)
            is_unread = before.read_at is None
            lost = replace(
                before,
                problem=error.message,
                is_forbidden=is_unread and isinstance(error, Forbidden),
                is_unreachable=is_unread and isinstance(error, Unreachable),
            )
            return _with(store, kind, lost)
        case NodeReports():
            return _with_reports(store, found, now)
        case ClusterAnswer():
            return _with_view(store, found, now)
        case OperatorImage(image=image, problem=problem):
            return replace(store, operator_image=Reading(image, now, problem))
        case OperatorAnswer(is_up=is_up, problem=problem):
            return replace(store, operator_answers=Reading(is_up, now, problem))


def _but(collection: Collection, key: tuple[str, str]) -> Mapping[tuple[str, str], Unreadable]:
    return {other: why for other, why in collection.unreadable.items() if other != key}


def _with(store: Store, kind: Kind, collection: Collection) -> Store:
    return changed(store, collections={**store.collections, kind: collection})


def _is_older(new: Any, known: Any) -> bool:
    """True when `new` is an older state of what is known, or of what stood in its place before.

    A write's answer overtakes the watch, also where the object was removed and created anew.
    """
    if known is None:
        return False
    if new.meta.uid != known.meta.uid:
        created_at, since = new.meta.created_at, known.meta.created_at
        return created_at is not None and since is not None and created_at < since
    version, before = new.meta.resource_version, known.meta.resource_version
    return version.isdigit() and before.isdigit() and int(version) < int(before)


def _with_reports(store: Store, found: NodeReports, now: datetime) -> Store:
    if found.problem:
        return replace(store, emqx_problem=found.problem, is_emqx_forbidden=found.is_forbidden)
    kept = {key: reading for key, reading in store.reports.items() if key in found.asked}
    for answer in found.answers:
        before = kept.get(answer.key, MISSING)
        kept[answer.key] = Reading(answer.report, now) if answer.report else replace(before, problem=answer.problem)
    return changed(store, reports=kept, emqx_problem="", is_emqx_forbidden=False)


def _with_view(store: Store, found: ClusterAnswer, now: datetime) -> Store:
    """Take in one node's view, unless it lacks half of the nodes that answer for themselves: then it is split off.

    A node tells what it sees: after a split, itself. Its view is no reason to take others for gone.
    """
    if found.nodes is None or found.evacuations is None:
        problem = found.problem or "no answer"
        return replace(
            store, nodes=replace(store.nodes, problem=problem), evacuations=replace(store.evacuations, problem=problem)
        )
    answering = {reading.value.node.name for reading in store.reports.values() if reading.value and not reading.problem}
    seen = {node.name for node in found.nodes}
    known = ({node.name for node in store.nodes.value or ()} | seen) & answering
    if known and len(seen & answering) * 2 <= len(known):
        problem = f"{found.pod} sees {len(seen & answering)} of {len(known)} nodes that answer: the cluster is split"
        return replace(store, nodes=replace(store.nodes, problem=problem))
    return replace(
        store,
        nodes=Reading(found.nodes, now),
        stopped_nodes=found.stopped,
        evacuations=Reading(found.evacuations, now),
    )


def _stats(store: Store) -> Reading[Mapping[str, NodeStats]]:
    """The counts of the nodes that answer, as old as the oldest of them; of all as they were last when none answers."""
    known = [reading for reading in store.reports.values() if reading.value is not None and reading.read_at is not None]
    fresh = [] if store.emqx_problem else [reading for reading in known if not reading.problem]
    if fresh:
        return _counted(fresh, min(reading.read_at for reading in fresh if reading.read_at), "")
    silent = [reading.problem for reading in store.reports.values() if reading.problem]
    problem = store.emqx_problem or (f"none of {len(silent)} nodes answers: {silent[0]}" if silent else "")
    if not known:
        return replace(MISSING, problem=problem or MISSING.problem)
    return _counted(known, max(reading.read_at for reading in known if reading.read_at), problem)


def _counted(readings: list[Reading[NodeReport]], at: datetime, problem: str) -> Reading[Mapping[str, NodeStats]]:
    reports = [reading.value for reading in readings if reading.value is not None]
    return Reading({report.node.name: report.stats for report in reports}, at, problem)


def own(reading: Reading[NodeReport], problem: str) -> Reading[EvictionStatus]:
    """What a node said of its eviction last; `problem`: why no node was asked."""
    report = reading.value
    if report is None:
        return Reading(None, reading.read_at, reading.problem or problem)
    return Reading(report.eviction, report.eviction_at or reading.read_at, reading.problem or problem)


def _resource(store: Store) -> Reading[EmqxEnterprise]:
    """One that cannot be read is neither gone nor what it was: its last state, unconfirmed, so that no step begins."""
    collection, known = store.collection(Kind.EMQX_ENTERPRISE), store.resource()
    if (unreadable := collection.unreadable.get((store.namespace, store.name))) is not None:
        return Reading(known, None, f"cannot be read: {unreadable}", unreadable)
    return _reading(collection, known)


def _reading(collection: Collection, value: Any) -> Reading:
    if collection.read_at is None:
        return replace(MISSING, problem=collection.problem or MISSING.problem)
    return Reading(value, collection.read_at, collection.problem)


def snapshot(store: Store, now: datetime, blue_uid: str, green_uid: str = "") -> Snapshot:
    """Everything seen, as of `now`."""
    pods = store.collection(Kind.POD).reading
    current = {
        pod.name: reading
        for pod in pods.value or ()
        if (reading := store.reports.get((pod.name, pod.meta.uid))) is not None
    }
    return Snapshot(
        now=now,
        namespace=store.namespace,
        name=store.name,
        resource=_resource(store),
        stateful_sets=store.collection(Kind.STATEFUL_SET).reading,
        pods=pods,
        services=store.collection(Kind.SERVICE).reading,
        endpoints=store.collection(Kind.ENDPOINTS).reading,
        slices=store.collection(Kind.ENDPOINT_SLICE).reading,
        nodes=store.nodes,
        stopped_nodes=store.stopped_nodes,
        stats=_stats(store),
        evacuations=store.evacuations,
        own={pod: own(reading, store.emqx_problem) for pod, reading in current.items()},
        brokers={pod: reading.value.node for pod, reading in current.items() if reading.value},
        blue_uid=blue_uid,
        green_uid=green_uid,
        operator_image=store.operator_image,
        operator_answers=store.operator_answers,
        replaced_delay=_replaced_delay(store),
    )


def _replaced_delay(store: Store) -> OwnDelay | None:
    resource = store.resource()
    events: list[ClusterEvent] = [e for e in store.collection(Kind.EVENT).objects.values() if e.replaced_delay]
    about = [e for e in events if resource and e.about_uid == resource.meta.uid and e.last_at]
    newest = max(about, key=_last_at, default=None)
    return newest.replaced_delay if newest else store.replaced_delay


def _last_at(event: ClusterEvent) -> datetime:
    assert event.last_at is not None
    return event.last_at
