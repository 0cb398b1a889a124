"""What whoever comes to a release under way reads first: what happened before, in one to three lines."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from emqx_tui.rollout.gate_id import CUT_OVER, START, GateId
from emqx_tui.rollout.state.journal import ApprovalRecord, HoldRecord
from emqx_tui.session.views.view import Arrival, View
from emqx_tui.ui.rollout.missed import missed_lines
from emqx_tui.ui.text.spans import plain, width
from tests.support import releases
from tests.support.releases import BLUE, NOW

STARTED = NOW - timedelta(hours=1)


def at(minutes: float) -> datetime:
    return STARTED + timedelta(minutes=minutes)


LAST_DRIVEN = at(21)


def come_late(*, arrived: datetime = NOW, driven_until: datetime | None = LAST_DRIVEN, **fields) -> View:
    base = releases.draining()
    assert base.journal
    records = ((START, "ann@bastion", 0), (CUT_OVER, "ann@bastion", 4), (GateId.node(2), "bob@laptop", 8))
    found = replace(
        base.journal,
        created_at=STARTED,
        created_by="ann@bastion",
        approvals=tuple(ApprovalRecord(n, gate, by, at(m), "e") for n, (gate, by, m) in enumerate(records, 1)),
        drained=(f"{BLUE}-2",),
        hold=HoldRecord("console", at(20), "909 missing", auto=True, check="clients-missing"),
    )
    return replace(base, journal=replace(found, **fields), arrival=Arrival(arrived, driven_until))


def said(view: View, cells: int = 400, rows: int = 3) -> str:
    return " ".join(plain(found).strip() for found in missed_lines(view, cells, rows))


def test_who_approved_what_when_what_holds_and_since_when_nobody_drove() -> None:
    assert said(come_late()) == (
        "earlier: held 11:26 by check clients missing · nobody drove from 11:27 to 12:06 · 1 of 3 nodes "
        "drained · approved: cut-over 11:10 by ann@bastion; node 2 11:14 by bob@laptop · begun 11:06 by ann@bastion"
    )


def test_where_there_is_little_room_the_most_pressing_stands_and_a_cut_is_marked() -> None:
    rows = missed_lines(come_late(), 80, 2)
    assert len(rows) == 2
    assert all(width(row) <= 80 for row in rows)
    assert "held 11:26 by check clients missing · nobody drove from 11:27" in said(come_late(), 80, 2)
    assert said(come_late(), 80, 2).endswith("…")
    assert missed_lines(come_late(), 80, 0) == []


def test_what_is_ordered_here_makes_it_history() -> None:
    later = come_late(arrived=NOW - timedelta(minutes=1))
    assert later.journal
    assert said(later)
    hold = replace(later.journal.hold, at=NOW)  # type: ignore[type-var]
    assert said(replace(later, journal=replace(later.journal, hold=hold))) == ""
    opened = later.journal.with_approval(GateId.node(1), "ann@bastion", NOW, "e")
    assert said(replace(later, journal=opened)) == ""


def test_who_was_there_from_the_beginning_has_missed_nothing() -> None:
    assert said(releases.draining()) == ""
    assert said(come_late(arrived=STARTED + timedelta(seconds=2))) == ""


def test_a_driver_that_still_drives_leaves_no_gap() -> None:
    assert "nobody drove" not in said(come_late(driven_until=NOW - timedelta(seconds=3)))
    in_a_sandbox = come_late(driven_until=NOW - timedelta(seconds=100))
    assert "nobody drove" in said(in_a_sandbox)
    ten_times = replace(in_a_sandbox, policy=in_a_sandbox.policy.at_rate(10.0))
    assert "nobody drove" not in said(ten_times), "a lease is renewed every ten seconds of this machine's time"


def test_warnings_and_losses_are_counted() -> None:
    base = come_late()
    assert base.journal
    alarms = tuple(replace(line, at=at(n), is_alarm=True) for n, line in enumerate(releases.LOG[:2], 5))
    view = replace(base, log=alarms, journal=replace(base.journal, acknowledged=("drain-stalled",)))
    assert "accepted: drain stalled · 2 warnings (l) · begun" in said(view)


def test_who_adopted_a_release_has_not_begun_it() -> None:
    assert said(come_late(is_adopted=True)).endswith(" · adopted 11:06 by ann@bastion")
