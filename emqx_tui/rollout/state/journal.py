"""The cluster-side record of a release: originals, plan, approvals with their evidence, hold, abort, totals.

Stored in a Secret, because the original template can hold secrets. It never records the state of the cluster: that is
read from the cluster. Approvals are append-only. A newer schema is refused. The stored format is the dataclasses'
own: a field may be added with a default, and neither renamed nor given another meaning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from emqx_tui.model.records import decode, encode
from emqx_tui.model.wire import Fields, Malformed, Unparsable, read_json
from emqx_tui.rollout.change import ReleaseSpec
from emqx_tui.rollout.gate_id import CUT_OVER, LATE_CUT_OVER, GateId

SCHEMA = 1
START_NOTED_S = 15.0
"""The start of an evacuation is sent at most so long after it was noted."""


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
    gate: GateId
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
    """The state before the first patch: to restore, and to compare with."""

    template: Mapping[str, Any] = field(repr=False)
    blue_uid: str
    template_mark: str = ""
    delay_s: int = 0
    delay_was_absent: bool = False
    replicas: int = 0
    blue_name: str = ""
    blue_revision: str = ""
    service_ports: tuple[tuple[str, int, str, str, int], ...] = ()
    """(name, port, protocol, target, nodePort) of the listener Service."""
    endpoint_ports: tuple[tuple[str, int, str], ...] = ()
    operator_image: str = ""
    is_template_known: bool = True
    """False where nobody could say what the template of an adopted release was: then there is no way back."""


@dataclass(frozen=True)
class Uncounted:
    """A part of a release in which nobody counted all clients: no console drove, or EMQX did not answer."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class NodeDeath:
    """A broker that went away with clients on it."""

    pod: str
    instance: str
    """Which of the brokers that this pod has had."""
    clients: int
    at: datetime
    was_drained: bool = False
    """Its drain ran: whom it cut off the drain did not evict."""


@dataclass(frozen=True)
class Totals:
    """Counters that have to survive a change of driver. Counts of clients; instants in cluster time."""

    clients: int | None = None
    """Live on blue when the first drain was sent."""
    first_drain_at: datetime | None = None
    evicted_at: datetime | None = None
    """When a node was first seen to give clients away, in a drain of the release or not."""
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
    deaths: tuple[NodeDeath, ...] = ()
    """What `killed` consists of, whichever consoles have seen it."""
    cut_by_canary: int = 0
    """Clients whose connections the network ended when the canary's address left the Service."""
    is_lower_bound: bool = False
    """Something cut clients off that could not be counted."""
    sessions_left: Mapping[str, int] = field(default_factory=dict)
    """By blue pod: sessions that its drain left behind; they end with the node."""
    finished_at: datetime | None = None
    baseline: Mapping[str, int] = field(default_factory=dict)
    """By blue pod: live connections when the first drain began."""
    initial: Mapping[str, int] = field(default_factory=dict)
    """By blue pod: live connections when its own drain began."""
    left: Mapping[str, int] = field(default_factory=dict)
    """By pod of `initial`: fewest clients on it since; its drain may be stopped."""
    green_baseline: int = 0
    initial_back: Mapping[str, int] = field(default_factory=dict)
    """By green pod: live connections when its drain back began, in an abort."""
    early: int | None = None
    """Clients on green when the proxies followed the cut-over, or at the abort before it."""
    max_missing: int | None = None
    """Most that were missing at once since the first drain; None in journals of consoles that did not keep it."""
    uncounted: tuple[Uncounted, ...] = ()
    """In order. What happened in them is in none of these figures."""

    @property
    def disconnects(self) -> int:
        """Clients cut off by the release, without those that left by themselves."""
        return self.evicted + self.returned + self.killed + self.cut_by_canary


@dataclass(frozen=True, kw_only=True)
class Journal(ReleaseSpec):
    """The record of one release of one object."""

    release_id: str
    console_version: str
    created_at: datetime
    created_by: str
    originals: Originals
    approvals: tuple[ApprovalRecord, ...] = ()
    hold: HoldRecord | None = None
    abort: AbortRecord | None = None
    cut_over_at: datetime | None = None
    """When the proxies were first seen to use the cut-over's addresses; from then on they are repaired."""
    canary_passed_at: datetime | None = None
    canary_failed: str = ""
    """Evidence of a failed canary; empty when it passed or was not tried."""
    green_uid: str = ""
    rebuilt_blue_uid: str = ""
    """In an abort: of the StatefulSet that the operator has built in place of the blue one that somebody removed."""
    overrides: tuple[str, ...] = ()
    """Names of failed pre-flight checks that a person accepted."""
    totals: Totals = field(default_factory=Totals)
    drained: tuple[str, ...] = ()
    """Names of the blue nodes that have been drained."""
    starts: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: when the start of its evacuation was last noted. What was sent by a console that died may still land."""
    acknowledged: tuple[str, ...] = ()
    """Checks whose auto-hold a person has lifted: they alarm, and do not hold again."""
    acknowledged_by: Mapping[str, str] = field(default_factory=dict)
    """By check: who lifted its hold."""
    is_adopted: bool = False
    """Somebody else began the release: `created_at` and `created_by` tell when and by whom it was taken over."""

    @property
    def blue_uid(self) -> str:
        """Of the StatefulSet that is blue now."""
        return self.rebuilt_blue_uid or self.originals.blue_uid

    @property
    def cut_over_gate(self) -> GateId:
        """The gate before the cut-over, as it is done now."""
        return LATE_CUT_OVER if self.late_removal else CUT_OVER

    def is_approved(self, gate: GateId) -> bool:
        return any(record.gate == gate for record in self.approvals)

    @property
    def is_cut_over_approved(self) -> bool:
        return self.is_approved(self.cut_over_gate)

    def with_approval(self, gate: GateId, by: str, at: datetime, evidence: str) -> Journal:
        """The journal with one more approval; a gate that is open already is not opened twice."""
        if self.is_approved(gate):
            return self
        record = ApprovalRecord(len(self.approvals) + 1, gate, by, at, evidence)
        return replace(self, approvals=(*self.approvals, record))

    def to_json(self) -> dict[str, Any]:
        """The journal as JSON. It can hold secrets: for the Secret only."""
        return {"schema": SCHEMA, **encode(self)}

    @classmethod
    def from_json(cls, value: Any) -> Journal:
        """Read a journal. Raises Malformed, NewerSchema."""
        fields = Fields(value, "journal")
        schema = fields.integer("schema")
        if schema > SCHEMA:
            raise NewerSchema(schema)
        return decode(cls, fields)

    def dumps(self) -> str:
        return json.dumps(self.to_json(), separators=(",", ":"), sort_keys=True)

    @staticmethod
    @lru_cache(maxsize=4)
    def loads(text: str) -> Journal:
        """Read a journal from text. Raises Malformed, NewerSchema.

        Before every command the Secret is read anew, and mostly it is the one that the watch has brought.
        """
        try:
            value = read_json(text)
        except Unparsable as error:
            raise Malformed("journal", str(error)) from error
        return Journal.from_json(value)
