"""What the sources have told so far, and the snapshot that it makes. Pure: fold(store, input) -> store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.errors import Forbidden
from emqx_tui.model.evacuation import EvictionStatus, GlobalStatus
from emqx_tui.model.kinds import Kind
from emqx_tui.model.nodes import EmqxNode, NodeStats
from emqx_tui.model.reading import MISSING, Reading
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.model.wire import Unreadable
from emqx_tui.model.workloads import Lease, Secret
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


_UNREAD = Collection()


@dataclass(frozen=True)
class BrokerAnswer:
    """One round of questions to EMQX. A part that failed is None and told in `problem`."""

    nodes: tuple[EmqxNode, ...] | None
    stats: Mapping[str, NodeStats] | None
    evacuations: GlobalStatus | None
    asked: str
    """Pod that answered, empty when none did."""
    problem: str = ""
    is_forbidden: bool = False
    """A right is missing: to read the credentials."""


@dataclass(frozen=True)
class OwnAnswer:
    """A node's own eviction status, or why there is none."""

    pod: str
    status: EvictionStatus | None
    problem: str = ""


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


StoreInput = WatchInput | BrokerAnswer | OwnAnswer | OperatorImage | OperatorAnswer


@dataclass(frozen=True)
class Store:
    """Everything seen of one cluster."""

    namespace: str
    name: str
    collections: Mapping[Kind, Collection] = field(default_factory=dict)
    nodes: Reading[tuple[EmqxNode, ...]] = MISSING
    stats: Reading[Mapping[str, NodeStats]] = MISSING
    evacuations: Reading[GlobalStatus] = MISSING
    own: Mapping[str, Reading[EvictionStatus]] = field(default_factory=dict)
    operator_image: Reading[str] = MISSING
    operator_answers: Reading[bool] = MISSING
    asked: str = ""
    is_emqx_forbidden: bool = False
    """EMQX was not asked the last time, for want of a right."""

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
        case Changed(kind=kind, key=key, object=changed):
            before = store.collection(kind)
            if _is_older(changed, before.objects.get(key)):
                return store
            return _with(store, kind, Collection({**before.objects, key: changed}, now, "", _but(before, key)))
        case Removed(kind=kind, key=key):
            before = store.collection(kind)
            left = {k: v for k, v in before.objects.items() if k != key}
            return _with(store, kind, Collection(left, now, "", _but(before, key)))
        case Alive(kind=kind):
            before = store.collection(kind)
            if before.read_at is None:
                return store
            return _with(store, kind, replace(before, read_at=now, problem=""))
        case Lost(kind=kind, error=error):
            before = store.collection(kind)
            is_forbidden = before.read_at is None and isinstance(error, Forbidden)
            return _with(store, kind, replace(before, problem=error.message, is_forbidden=is_forbidden))
        case BrokerAnswer():
            return _with_brokers(store, found, now)
        case OwnAnswer(pod=pod, status=status, problem=problem):
            before_own = store.own.get(pod, MISSING)
            reading = Reading(status, now) if status else replace(before_own, problem=problem)
            return replace(store, own={**store.own, pod: reading})
        case OperatorImage(image=image, problem=problem):
            return replace(store, operator_image=Reading(image, now, problem))
        case OperatorAnswer(is_up=is_up, problem=problem):
            return replace(store, operator_answers=Reading(is_up, now, problem))


def _but(collection: Collection, key: tuple[str, str]) -> Mapping[tuple[str, str], Unreadable]:
    return {other: why for other, why in collection.unreadable.items() if other != key}


def _with(store: Store, kind: Kind, collection: Collection) -> Store:
    return replace(store, collections={**store.collections, kind: collection})


def _is_older(changed: Any, known: Any) -> bool:
    """True when `changed` is an older state of the very object that is known (a write's answer overtook the watch)."""
    if known is None or changed.meta.uid != known.meta.uid:
        return False
    new, old = changed.meta.resource_version, known.meta.resource_version
    return new.isdigit() and old.isdigit() and int(new) < int(old)


def _with_brokers(store: Store, answer: BrokerAnswer, now: datetime) -> Store:
    def reading(before: Reading, value: Any) -> Reading:
        return replace(before, problem=answer.problem or "no answer") if value is None else Reading(value, now)

    present = {node.pod_name for node in answer.nodes} if answer.nodes is not None else set(store.own)
    return replace(
        store,
        nodes=reading(store.nodes, answer.nodes),
        stats=reading(store.stats, answer.stats),
        evacuations=reading(store.evacuations, answer.evacuations),
        own={pod: own for pod, own in store.own.items() if pod in present},
        asked=answer.asked,
        is_emqx_forbidden=answer.is_forbidden,
    )


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

    def many(kind: Kind) -> Reading:
        found = store.collection(kind)
        return _reading(found, tuple(found.objects.values()))

    return Snapshot(
        now=now,
        namespace=store.namespace,
        name=store.name,
        resource=_resource(store),
        stateful_sets=many(Kind.STATEFUL_SET),
        pods=many(Kind.POD),
        services=many(Kind.SERVICE),
        endpoints=many(Kind.ENDPOINTS),
        slices=many(Kind.ENDPOINT_SLICE),
        nodes=store.nodes,
        stats=store.stats,
        evacuations=store.evacuations,
        own=store.own,
        blue_uid=blue_uid,
        green_uid=green_uid,
        operator_image=store.operator_image,
        operator_answers=store.operator_answers,
    )
