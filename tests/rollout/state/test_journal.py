"""The journal: what is written comes back, what is not ours is refused, and it is never guessed at."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.model.wire import Malformed
from emqx_tui.rollout.change import Rates
from emqx_tui.rollout.forecast.start_forecast import DrainForecast, StartForecast
from emqx_tui.rollout.gate_id import CUT_OVER, LATE_CUT_OVER, START, GateId
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.state.journal import (
    SCHEMA,
    AbortRecord,
    ApprovalRecord,
    HoldRecord,
    Journal,
    NewerSchema,
    Originals,
    Totals,
    Uncounted,
    journal_name,
)
from tests.support import scenes as build

_word = st.text(st.sampled_from("abcABC 012-:/@._äß"), max_size=12)
_count = st.integers(0, 2_000_000)
_instant = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
_maybe = st.none()
_counts = st.dictionaries(_word, _count, max_size=3)
_leaf = st.none() | st.booleans() | _count | _word
_template = st.dictionaries(_word, st.recursive(_leaf, lambda s: st.lists(s, max_size=2), max_leaves=4), max_size=3)

_gates = st.sampled_from([START, CUT_OVER, LATE_CUT_OVER]) | st.builds(GateId.node, _count)
_originals = st.builds(
    Originals,
    template=_template,
    template_mark=_word,
    delay_s=_count,
    delay_was_absent=st.booleans(),
    replicas=st.integers(1, 20),
    blue_uid=_word,
    blue_name=_word,
    blue_revision=_word,
    service_ports=st.lists(st.tuples(_word, _count, _word, _word, _count), max_size=3).map(tuple),
    endpoint_ports=st.lists(st.tuples(_word, _count, _word), max_size=3).map(tuple),
    operator_image=_word,
)
_totals = st.builds(
    Totals,
    clients=_maybe | _count,
    first_drain_at=_maybe | _instant,
    drained_at=_maybe | _instant,
    lowest_sum=_maybe | _count,
    start_sum=_maybe | _count,
    evicted=_count,
    killed=_count,
    finished_at=_maybe | _instant,
    baseline=_counts,
    initial=_counts,
    green_baseline=_count,
    early=_maybe | _count,
    max_missing=_maybe | _count,
    uncounted=st.lists(st.builds(Uncounted, _instant, _instant), max_size=2).map(tuple),
)
_forecasts = st.builds(
    StartForecast,
    total_low_s=_count,
    total_high_s=_count,
    clients=_count,
    disconnects=_count,
    offline_at_once=_count,
    conn_evict_rate_per_s=_count,
    drains=st.lists(st.builds(DrainForecast, _word, _count, _count, _count), max_size=3).map(tuple),
    curve=st.lists(st.tuples(_count, _count, _count), max_size=3).map(tuple),
)
_journals = st.builds(
    Journal,
    forecast=_maybe | _forecasts,
    release_id=_word,
    uid=_word,
    namespace=_word,
    name=_word,
    console_version=_word,
    created_at=_instant,
    created_by=_word,
    from_image=_word,
    to_image=_word,
    patch=_template,
    resource_version=_word,
    originals=_originals,
    rates=st.builds(Rates, st.integers(1, 9999), st.integers(1, 9999), st.integers(0, 999)),
    approval=st.sampled_from(Approval),
    parallel_drains=st.integers(1, 5),
    late_removal=st.booleans(),
    approvals=st.lists(st.builds(ApprovalRecord, _count, _gates, _word, _instant, _word), max_size=3).map(tuple),
    hold=_maybe | st.builds(HoldRecord, _word, _instant, _word, st.booleans(), st.booleans(), _word),
    abort=_maybe | st.builds(AbortRecord, _word, _instant, _word),
    cut_over_at=_maybe | _instant,
    canary_passed_at=_maybe | _instant,
    canary_failed=_word,
    green_uid=_word,
    rebuilt_blue_uid=_word,
    overrides=st.lists(_word, max_size=2).map(tuple),
    totals=_totals,
    drained=st.lists(_word, max_size=3).map(tuple),
    target_mark=_word,
    acknowledged=st.lists(_word, max_size=2).map(tuple),
    acknowledged_by=st.dictionaries(_word, _word, max_size=2),
    metadata_generation=_count,
)


@given(_journals)
def test_what_is_written_comes_back(journal: Journal) -> None:
    assert Journal.loads(journal.dumps()) == journal


@given(_journals)
def test_the_same_journal_is_written_the_same(journal: Journal) -> None:
    assert Journal.loads(journal.dumps()).dumps() == journal.dumps()


def test_in_which_order_pods_were_seen_makes_no_other_journal() -> None:
    starts = {f"{build.BLUE_NAME}-2": build.ago(9), f"{build.BLUE_NAME}-1": build.ago(5)}
    other = dict(reversed(starts.items()))
    assert build.journal(starts=starts).dumps() == build.journal(starts=other).dumps()


def test_a_newer_schema_is_refused_not_guessed_at() -> None:
    value = {**build.journal().to_json(), "schema": SCHEMA + 1, "approvals": "of another shape"}
    with pytest.raises(NewerSchema, match="use a newer emqx-tui"):
        Journal.from_json(value)


def spoilt(path: str, to: Any) -> Any:
    value = json.loads(build.journal().dumps())
    *parents, last = path.split(".")
    node = value
    for part in parents:
        node = node[int(part)] if isinstance(node, list) else node[part]
    if to is ...:
        del node[last]
    else:
        node[last] = to
    return value


MALFORMED: dict[str, tuple[str, Any, str]] = {
    "no schema": ("schema", ..., "journal.schema"),
    "schema as text": ("schema", "1", "journal.schema"),
    "no release": ("release_id", ..., "journal.release_id"),
    "no instant": ("created_at", ..., "journal.created_at"),
    "a wrong instant": ("created_at", "noon", "journal.created_at"),
    "an unknown policy": ("approval", "sometimes", "journal.approval"),
    "no rates": ("rates", ..., "journal.rates.conn_evict_rate_per_s"),
    "a rate of 0": ("rates.conn_evict_rate_per_s", 0, "journal.rates.conn_evict_rate_per_s"),
    "a negative session rate": ("rates.sess_evict_rate_per_s", -1, "journal.rates.sess_evict_rate_per_s"),
    "no blue": ("originals.blue_uid", ..., "journal.originals.blue_uid"),
    "originals as list": ("originals", [], "journal.originals"),
    "a template that is none": ("originals.template", "x", "journal.originals.template"),
    "no template": ("originals.template", ..., "journal.originals.template"),
    "no patch": ("patch", ..., "journal.patch"),
    "a patch that is none": ("patch", [1], "journal.patch"),
    "ports that are none": ("originals.service_ports", [5], "journal.originals.service_ports[0]"),
    "a port row too short": ("originals.service_ports", [["a", 1]], "journal.originals.service_ports[0]"),
    "an endpoint row too long": (
        "originals.endpoint_ports",
        [["a", 1, "TCP", 9]],
        "journal.originals.endpoint_ports[0]",
    ),
    "a port as text": ("originals.endpoint_ports", [["a", "1", "TCP"]], "journal.originals.endpoint_ports[0]"),
    "an approval without number": ("approvals.0.number", ..., "journal.approvals[0].number"),
    "an approval of no gate": ("approvals.0.gate", "node:top", "journal.approvals[0].gate"),
    "a hold without instant": ("hold", {"by": "x"}, "journal.hold.at"),
    "counts that are texts": ("totals.baseline", {"a": "x"}, "journal.totals.baseline.a"),
    "a flag as number": ("late_removal", 1, "journal.late_removal"),
}


@pytest.mark.parametrize(("at", "to", "path"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_journal_is_told_with_its_path(at: str, to: Any, path: str) -> None:
    with pytest.raises(Malformed) as caught:
        Journal.from_json(spoilt(at, to))
    assert caught.value.path == path


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "3", '"x"'])
def test_what_is_no_journal_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        Journal.loads(text)


def test_fields_that_came_later_have_their_defaults() -> None:
    value = json.loads(build.journal().dumps())
    for name in (
        "acknowledged",
        "acknowledged_by",
        "metadata_generation",
        "totals",
        "drained",
        "late_removal",
        "parallel_drains",
    ):
        value.pop(name)
    journal = Journal.from_json(value)
    assert journal.acknowledged_by == {}
    assert (journal.acknowledged, journal.parallel_drains, journal.totals) == ((), 1, Totals())


def test_a_journal_that_kept_neither_early_nor_missing_clients_has_them_unknown() -> None:
    value = json.loads(build.journal().dumps())
    for name in ("early", "max_missing", "uncounted"):
        value["totals"].pop(name)
    totals = Journal.from_json(value).totals
    assert (totals.early, totals.max_missing, totals.uncounted) == (None, None, ())


def test_fields_of_a_newer_console_are_ignored() -> None:
    journal = build.journal()
    value = {**journal.to_json(), "mood": "good"}
    value["totals"] = {**value["totals"], "mood": 3}
    assert Journal.from_json(value) == journal


def test_approvals_are_numbered_without_gaps_and_a_gate_is_opened_once() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    journal = build.journal()
    for gate in (CUT_OVER, GateId.node(2), CUT_OVER, GateId.node(1)):
        journal = journal.with_approval(gate, "ann@host", at, "e")
        at += timedelta(seconds=1)
    assert [(a.number, a.gate) for a in journal.approvals] == [
        (1, START),
        (2, CUT_OVER),
        (3, GateId.node(2)),
        (4, GateId.node(1)),
    ]
    assert journal.is_approved(GateId.node(2))
    assert not journal.is_approved(GateId.node(0))


def test_repr_holds_neither_template_nor_patch() -> None:
    secret = {"password": "hunter2"}
    journal = build.journal(patch=secret)
    journal = replace(journal, originals=replace(journal.originals, template=secret))
    assert "hunter2" not in repr(journal)
    assert "hunter2" not in repr(journal.originals)


def test_the_name_of_the_records() -> None:
    assert journal_name("emqx-ee") == "emqx-tui-emqx-ee"
