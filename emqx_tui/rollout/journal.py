"""The cluster-side record of a release: what was there, what was planned, who approved what, when, on what evidence.

It is a Secret, because the original template can hold secrets. It never says what the cluster's state is: that is
read from the cluster. Approvals are append-only. A newer schema than ours is refused, not guessed at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from emqx_tui.model.wire import Fields, Malformed, Unparsable, read_json
from emqx_tui.rollout.change import Rates
from emqx_tui.rollout.policy import Approval

SCHEMA = 1


def journal_name(cluster: str) -> str:
    """Name of the journal Secret and of the driver's Lease."""
    return f"emqx-tui-{cluster}"


class NewerSchema(Exception):
    """The journal was written by a newer console."""

    def __init__(self, found: int) -> None:
        super().__init__(f"the journal has schema {found}, this console knows up to {SCHEMA}: use a newer emqx-tui")


@dataclass(frozen=True)
class ApprovalRecord:
    """One approval. Numbers count from 1 without gaps."""

    number: int
    gate: str
    by: str
    at: datetime
    evidence: str
    """Fingerprint of the checks as they stood."""


@dataclass(frozen=True)
class HoldRecord:
    """Why no advancing command is sent."""

    by: str
    at: datetime
    reason: str
    freeze: bool = False
    auto: bool = False
    """Raised by a check, not by a person."""
    check: str = ""
    """Name of the check that raised it; a person who freezes on top of it leaves it."""


@dataclass(frozen=True)
class AbortRecord:
    """A confirmed abort."""

    by: str
    at: datetime
    evidence: str


@dataclass(frozen=True)
class Originals:
    """What stood there before the first patch: to restore, and to compare with."""

    template: Mapping[str, Any] = field(repr=False)
    template_mark: str = ""
    delay_s: int = 0
    delay_was_absent: bool = False
    replicas: int = 0
    blue_uid: str = ""
    blue_name: str = ""
    blue_revision: str = ""
    service_ports: tuple[tuple[str, int, str, str, int], ...] = ()
    """(name, port, protocol, target, nodePort) of the listener Service."""
    endpoint_ports: tuple[tuple[str, int, str], ...] = ()
    operator_image: str = ""


@dataclass(frozen=True)
class Totals:
    """Counters that have to survive a change of driver. Counts of clients; instants in cluster time."""

    clients: int | None = None
    """Live on blue when the first drain was sent."""
    first_drain_at: datetime | None = None
    drained_at: datetime | None = None
    """When the last blue node was prohibiting with no live client."""
    lowest_sum: int | None = None
    start_sum: int | None = None
    evicted: int = 0
    """Clients disconnected by drains of blue."""
    returned: int = 0
    """Clients disconnected by drains of green, in an abort."""
    killed: int = 0
    """Clients cut off without an evacuation: on nodes that went away undrained."""
    finished_at: datetime | None = None
    baseline: Mapping[str, int] = field(default_factory=dict)
    """By blue pod: live connections when the first drain began."""
    initial: Mapping[str, int] = field(default_factory=dict)
    """By blue pod: live connections when its own drain began."""
    green_baseline: int = 0
    initial_back: Mapping[str, int] = field(default_factory=dict)
    """By green pod: live connections when its drain back began, in an abort."""

    @property
    def disconnects(self) -> int:
        """Clients cut off by the release, without those that left by themselves."""
        return self.evicted + self.returned + self.killed


@dataclass(frozen=True)
class Journal:
    """The record of one release of one object."""

    release_id: str
    uid: str
    """Of the EmqxEnterprise: a re-created object is another release."""
    namespace: str
    name: str
    console_version: str
    created_at: datetime
    created_by: str
    from_image: str
    to_image: str
    patch: Mapping[str, Any] = field(repr=False)
    """Merge patch of `spec.template`."""
    resource_version: str
    originals: Originals
    rates: Rates
    approval: Approval
    parallel_drains: int = 1
    late_removal: bool = False
    approvals: tuple[ApprovalRecord, ...] = ()
    hold: HoldRecord | None = None
    abort: AbortRecord | None = None
    cut_over_at: datetime | None = None
    """When the proxies were first seen to use the cut-over's addresses; afterwards they are repaired, not switched."""
    canary_passed_at: datetime | None = None
    canary_failed: str = ""
    """Evidence of a failed canary; empty when it passed or was not tried."""
    green_uid: str = ""
    overrides: tuple[str, ...] = ()
    totals: Totals = field(default_factory=Totals)
    drained: tuple[str, ...] = ()
    """Names of blue nodes whose drain came to its end."""
    target_mark: str = ""
    """Fingerprint of the admitted target template."""
    acknowledged: tuple[str, ...] = ()
    """Checks whose auto-hold a person has lifted: they alarm, and do not hold again."""
    acknowledged_by: Mapping[str, str] = field(default_factory=dict)
    """By check: who lifted its hold."""
    metadata_generation: int = 0
    """Of the object that was planned with: the first patch goes to no other."""

    def is_approved(self, gate: str) -> bool:
        return any(record.gate == gate for record in self.approvals)

    def with_approval(self, gate: str, by: str, at: datetime, evidence: str) -> Journal:
        """The journal with one more approval; a gate that is open already is not opened twice."""
        if self.is_approved(gate):
            return self
        record = ApprovalRecord(len(self.approvals) + 1, gate, by, at, evidence)
        return replace(self, approvals=(*self.approvals, record))

    def to_json(self) -> dict[str, Any]:
        """The journal as JSON. It can hold secrets: for the Secret only."""
        return {"schema": SCHEMA, **_encode(self)}

    @classmethod
    def from_json(cls, value: Any) -> Journal:
        """Read a journal. Raises Malformed, NewerSchema."""
        fields = Fields(value, "journal")
        schema = fields.integer("schema")
        if schema > SCHEMA:
            raise NewerSchema(schema)
        return _decode(fields)

    def dumps(self) -> str:
        return json.dumps(self.to_json(), separators=(",", ":"), sort_keys=True)

    @classmethod
    def loads(cls, text: str) -> Journal:
        """Read a journal from text. Raises Malformed, NewerSchema."""
        try:
            value = read_json(text)
        except Unparsable as error:
            raise Malformed("journal", str(error)) from error
        return cls.from_json(value)


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _encode(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(entry) for entry in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _encode(getattr(value, name)) for name in value.__dataclass_fields__}
    return value


def _required_instant(fields: Fields, key: str) -> datetime:
    instant = fields.instant(key)
    if instant is None:
        raise Malformed(f"{fields.path}.{key}", "missing")
    return instant


def _rate(fields: Fields, key: str) -> int:
    rate = fields.integer(key)
    if rate < 1:
        raise Malformed(f"{fields.path}.{key}", f"expected at least 1, found {rate}")
    return rate


def _approval(fields: Fields) -> Approval:
    word = fields.text("approval")
    if word not in set(Approval):
        raise Malformed(f"{fields.path}.approval", f"expected one of {', '.join(Approval)}, found {word!r}")
    return Approval(word)


def _json_object(fields: Fields, key: str) -> Mapping[str, Any]:
    """Word for word: it goes back into the cluster."""
    return dict(fields.child(key).items())


def _rows(fields: Fields, key: str, types: tuple[type, ...]) -> tuple[Any, ...]:
    """The array under `key` as rows of values of `types`."""
    found = []
    for index, row in enumerate(fields.array(key)):
        if not isinstance(row, list) or [type(entry) for entry in row] != list(types):
            names = ", ".join(kind.__name__ for kind in types)
            raise Malformed(f"{fields.path}.{key}[{index}]", f"expected a row of {names}")
        found.append(tuple(row))
    return tuple(found)


def _decode(fields: Fields) -> Journal:
    rates = fields.child("rates")
    return Journal(
        release_id=fields.text("release_id"),
        uid=fields.text("uid"),
        namespace=fields.text("namespace"),
        name=fields.text("name"),
        console_version=fields.text("console_version", ""),
        created_at=_required_instant(fields, "created_at"),
        created_by=fields.text("created_by", ""),
        from_image=fields.text("from_image", ""),
        to_image=fields.text("to_image", ""),
        patch=_json_object(fields, "patch"),
        resource_version=fields.text("resource_version", ""),
        originals=_decode_originals(fields.child("originals")),
        rates=Rates(
            _rate(rates, "conn_evict_rate_per_s"),
            _rate(rates, "sess_evict_rate_per_s"),
            rates.integer("wait_takeover_s"),
        ),
        approval=_approval(fields),
        parallel_drains=fields.integer("parallel_drains", 1),
        late_removal=fields.flag("late_removal"),
        approvals=tuple(
            ApprovalRecord(
                number=item.integer("number"),
                gate=item.text("gate"),
                by=item.text("by", ""),
                at=_required_instant(item, "at"),
                evidence=item.text("evidence", ""),
            )
            for item in fields.children("approvals")
        ),
        hold=_decode_hold(fields.child("hold")) if "hold" in fields else None,
        abort=_decode_abort(fields.child("abort")) if "abort" in fields else None,
        cut_over_at=fields.instant("cut_over_at"),
        canary_passed_at=fields.instant("canary_passed_at"),
        canary_failed=fields.text("canary_failed", ""),
        green_uid=fields.text("green_uid", ""),
        overrides=fields.texts("overrides"),
        totals=_decode_totals(fields.child("totals")),
        drained=fields.texts("drained"),
        target_mark=fields.text("target_mark", ""),
        acknowledged=fields.texts("acknowledged"),
        acknowledged_by=_texts(fields.child("acknowledged_by")),
        metadata_generation=fields.integer("metadata_generation", 0),
    )


def _decode_originals(fields: Fields) -> Originals:
    return Originals(
        template=_json_object(fields, "template"),
        template_mark=fields.text("template_mark", ""),
        delay_s=fields.integer("delay_s", 0),
        delay_was_absent=fields.flag("delay_was_absent"),
        replicas=fields.integer("replicas", 0),
        blue_uid=fields.text("blue_uid"),
        blue_name=fields.text("blue_name", ""),
        blue_revision=fields.text("blue_revision", ""),
        service_ports=_rows(fields, "service_ports", (str, int, str, str, int)),
        endpoint_ports=_rows(fields, "endpoint_ports", (str, int, str)),
        operator_image=fields.text("operator_image", ""),
    )


def _decode_hold(fields: Fields) -> HoldRecord:
    return HoldRecord(
        by=fields.text("by", ""),
        at=_required_instant(fields, "at"),
        reason=fields.text("reason", ""),
        freeze=fields.flag("freeze"),
        auto=fields.flag("auto"),
        check=fields.text("check", ""),
    )


def _decode_abort(fields: Fields) -> AbortRecord:
    return AbortRecord(fields.text("by", ""), _required_instant(fields, "at"), fields.text("evidence", ""))


def _counts(fields: Fields) -> dict[str, int]:
    return {name: fields.integer(name) for name in fields.names()}


def _texts(fields: Fields) -> dict[str, str]:
    return {name: fields.text(name) for name in fields.names()}


def _decode_totals(fields: Fields) -> Totals:
    return Totals(
        clients=fields.optional_integer("clients"),
        first_drain_at=fields.instant("first_drain_at"),
        drained_at=fields.instant("drained_at"),
        lowest_sum=fields.optional_integer("lowest_sum"),
        start_sum=fields.optional_integer("start_sum"),
        evicted=fields.integer("evicted", 0),
        returned=fields.integer("returned", 0),
        killed=fields.integer("killed", 0),
        finished_at=fields.instant("finished_at"),
        baseline=_counts(fields.child("baseline")),
        initial=_counts(fields.child("initial")),
        green_baseline=fields.integer("green_baseline", 0),
        initial_back=_counts(fields.child("initial_back")),
    )
