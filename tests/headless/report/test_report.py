"""A release that was recorded is told by the report as it was: its figures, its approvals, what went wrong."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from emqx_tui.adapters.machine.flight_log import FlightLog
from emqx_tui.adapters.machine.flight_reading import read_recording
from emqx_tui.headless.lines.events import FIELDS, Event
from emqx_tui.headless.release.exit_status import Leaving
from emqx_tui.headless.release.summary import figures
from emqx_tui.headless.report.report import Report, report
from emqx_tui.headless.report.report_document import document
from emqx_tui.headless.report.report_forms import html, markdown
from emqx_tui.headless.report.report_page import page
from emqx_tui.headless.verbs.verb_answer import Verb
from emqx_tui.rollout.intent_handlers import fingerprint
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.telling.flight_records import Recording, journal_fields, journal_of
from emqx_tui.session.options import Ports
from emqx_tui.session.views import facts
from emqx_tui.session.views.lost_clients import SETTLED_S
from emqx_tui.session.views.publisher import Publisher
from emqx_tui.session.views.release_history import ReleaseHistory
from emqx_tui.session.views.view import Away
from tests.support import releases
from tests.support.desk import CLIENTS, Room, Terminal
from tests.support.fakes import FakeClock, FakeHost, FakeKube
from tests.support.recorded import Recorded
from tests.support.rehearsal.virtual_loop import run_in

NODES = [f"-{ordinal}" for ordinal in (2, 1, 0)]


TEXT = {"h1", "h2", "p", "table", "tr", "th", "td"}


def markup(web: str) -> tuple[set[str], set[str]]:
    """The tags of a page and their attributes, as a browser reads them."""
    tags, attributes = set[str](), set[str]()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.add(tag)
            attributes.update(name for name, _ in attrs)

    Reader().feed(web)
    return tags, attributes


def recorded(desk: Terminal, folder: Path, work: Any) -> Report:
    """What the report says of the release that `work` plays, from the recording of `desk`."""
    log = FlightLog(folder, "default", "emqx-ee")
    desk.recorder = log
    run_in(desk.room.world, work)
    log.close(10.0)
    found = report(read_recording(log.path))
    assert found is not None
    assert (found.unreadable, found.dropped, found.others) == (0, 0, 0)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Terminal, Report]:
    """A release from start to end, and its report."""
    desk = Room().terminal()
    return desk, recorded(desk, tmp_path_factory.mktemp("state"), desk.rollout())


def test_the_figures_are_those_of_the_last_line(whole: tuple[Terminal, Report]) -> None:
    desk, found = whole
    assert desk.last["result"] == "done"
    assert {"result": found.result, **found.figures} == {name: desk.last[name] for name in FIELDS[Event.FINISHED]}


def test_it_says_what_was_changed_by_whom_and_on_what_evidence(whole: tuple[Terminal, Report]) -> None:
    _, found = whole
    told = document(found, "1.2.3")
    path = "spec.template.spec.emqxContainer.image.version"
    assert told["changes"] == [{"path": path, "before": "4.4.14", "after": "4.4.15"}]
    assert (told["from_image"], told["to_image"]) == ("emqx/emqx-ee:4.4.14", "emqx/emqx-ee:4.4.15")
    assert told["started_by"] == "sim@host"
    assert [a["gate"] for a in told["approvals"]] == ["start", "cut-over", "node:2", "node:1", "node:0"]
    assert [a["by"] for a in told["approvals"]] == ["sim@host", *["policy auto"] * 4]
    for approval in told["approvals"][1:]:
        checks = [[check["check"], check["outcome"], check["evidence"]] for check in approval["checks"]]
        assert fingerprint(checks) == approval["fingerprint"], "the very checks that were approved"
        assert not {check[1] for check in checks} & {"wait", "fail"}
    assert told["approvals"][0]["checks"] is None, "the pre-flight was not seen by the session that began"
    assert told["versions"] == {
        "operator_image": found.journal and found.journal.originals.operator_image,
        "began_with": found.journal and found.journal.console_version,
        "recorded_with": found.recording.console,
        "reported_with": "1.2.3",
    }


def test_every_node_has_its_clients_and_its_time(whole: tuple[Terminal, Report]) -> None:
    desk, found = whole
    assert [node.node[-2:] for node in found.nodes] == NODES
    assert sum(node.clients or 0 for node in found.nodes) == pytest.approx(CLIENTS, rel=0.03)
    for node in found.nodes:
        assert node.duration_s is not None
        assert 3 <= node.duration_s <= desk.last["drain_s"]
    assert found.nodes[0].began_at is not None
    assert found.nodes[-1].ended_at is not None
    spent_s = (found.nodes[-1].ended_at - found.nodes[0].began_at).total_seconds()
    assert spent_s == pytest.approx(desk.last["drain_s"], abs=1.5)


def test_the_timeline_is_the_one_of_the_lines(whole: tuple[Terminal, Report]) -> None:
    desk, found = whole

    def told(event: Event) -> list[dict[str, Any]]:
        return [record.to_json() for record in found.timeline if record.event is event]

    assert [p["phase"] for p in told(Event.PHASE)] == [p["phase"] for p in desk.events("phase")]
    assert [a["gate"] for a in told(Event.APPROVED)] == [a["gate"] for a in desk.events("approved")]
    assert [c["command"] for c in told(Event.COMMAND)] == [c["command"] for c in desk.events("command")]
    assert [r for r in found.timeline if "done" in r.fields.values() or "is done" in str(r.fields)] == [
        next(r for r in found.timeline if r.fields.get("phase") == "done")
    ]
    instants = [record.at for record in found.timeline]
    assert instants == sorted(instants)
    assert found.trouble == ()
    sums = [sample.sum for sample in found.samples]
    assert len(sums) > 20
    assert all(sum_ is None or 0.8 * CLIENTS < sum_ <= CLIENTS for sum_ in sums)


def test_a_page_for_the_ticket_needs_nothing_else(whole: tuple[Terminal, Report]) -> None:
    _, found = whole
    text, web = markdown(page(found, "1.2.3")), html(page(found, "1.2.3"))
    for words in ("4.4.14", "4.4.15", "sim@host", "policy auto", "drain", "2,9"):
        assert words in text
        assert words in web
    assert web.count("<polyline") == 3
    tags, attributes = markup(web)
    assert tags <= {"html", "head", "meta", "title", "style", "body", "svg", "line", "text", "rect", "polyline"} | TEXT
    assert not attributes & {"src", "href", "style", "srcset", "data", "action"}
    assert not re.findall(r"url\(|@import", web.partition("</style>")[0])
    json.dumps(document(found, "1.2.3"))


def test_an_abort_and_a_hold_are_told_as_what_went_wrong(tmp_path: Path) -> None:
    room = Room()
    desk, other = room.terminal(), room.terminal()

    async def work() -> None:
        running = asyncio.create_task(desk.rollout(approval=Approval.EVERY_NODE))
        await other.until(lambda view: view.decision.phase is Phase.WAITING_DELAY)
        await other.verb(Verb.HOLD, reason="lunch | <b>now</b>")
        await other.until(lambda view: view.journal and view.journal.hold)
        await asyncio.sleep(20.0)
        await other.verb(Verb.RESUME)
        await other.until(lambda view: view.journal and not view.journal.hold)
        await other.verb(Verb.ABORT)
        await running

    found = recorded(desk, tmp_path, work())
    assert found.result == "aborted"
    assert [record.event for record in found.trouble] == [Event.HOLD, Event.ABORT]
    assert [r.event for r in found.timeline if r.event is Event.RESUMED] == [Event.RESUMED]
    assert found.figures["disconnects_per_client"] is None
    assert found.figures["drain_s"] is None
    assert found.nodes == ()
    text, web = markdown(page(found, "1")), html(page(found, "1"))
    assert r"held by sim@host: lunch \| \<b\>now\</b\>" in text
    assert "lunch | &lt;b&gt;now&lt;/b&gt;" in web
    assert "| Drains | unknown |" in text
    assert "no drain was recorded" in text


def test_a_recording_without_the_end_says_that_it_does_not_know_it(tmp_path: Path) -> None:
    desk = Room().terminal()
    found = recorded(desk, tmp_path, desk.rollout(approval=Approval.EVERY_NODE, leaving=Leaving(at_gate=True)))
    assert desk.last["result"] == "waiting"
    text = markdown(page(found, "1"))
    assert "unknown: the recording does not have the end of the release, last phase ready to cut over" in text
    assert "| Ended | unknown |" in text
    assert "| Clients lost | unknown (the release has not ended here) |" in text
    told = document(found, "1")
    assert (told["result"], told["ended_at"], told["figures"]["early_clients"]) == (None, None, None)
    assert told["figures"]["disconnects_at_least"] is True


def test_the_lost_clients_are_those_that_a_console_told_after_the_end(tmp_path: Path) -> None:
    room = Room()
    desk, onlooker = room.terminal(), room.terminal()

    async def work() -> None:
        looking = asyncio.create_task(onlooker.until(lambda view: view.away is not None))
        await desk.rollout()
        shown = await looking
        assert shown.away
        assert shown.away.is_settled
        assert (shown.now - shown.journal.totals.drained_at).total_seconds() >= SETTLED_S  # type: ignore[union-attr,operator]

    found = recorded(onlooker, tmp_path, work())
    assert found.away
    assert found.away.is_settled
    assert found.figures["clients_lost"] == found.away.clients


@pytest.mark.parametrize(("for_s", "lost"), [(59, None), (61, 33_000)])
def test_who_had_not_come_back_by_the_end_is_lost_when_that_is_settled(for_s: int, lost: int | None) -> None:
    log = Recorded()
    publisher = Publisher(Ports(FakeKube(), None, FakeClock(), FakeHost(), log), lambda _: None)  # type: ignore[arg-type]
    ended = releases.with_clients_away(30)
    publisher.journal(ended.journal)
    publisher.ended(ended.journal, "done")
    publisher.publish(ended)
    late = releases.with_clients_away(for_s)
    publisher.publish(replace(late, log=()))
    found = report(Recording("default", "emqx-ee", "1", tuple(log.records)))
    assert found
    assert (found.result, found.figures["clients_lost"]) == ("done", lost)
    text = markdown(page(found, "1"))
    unsettled = "unknown: 33,000 clients on their way, or lost, when the recording ended"
    assert f"| Clients lost | {'33,000' if lost else unsettled} |" in text


def test_clients_that_leave_when_a_release_is_long_over_were_not_lost_by_it() -> None:
    history, late = ReleaseHistory(), releases.with_clients_away(61)
    away = Away(33_000, is_settled=True)
    assert history.settled(releases.with_clients_away(59)).away is None
    assert history.settled(late).away == away
    emptied = tuple(replace(sample, green=0) for sample in late.samples)
    later = history.settled(replace(late, samples=emptied))
    assert figures(later, later.journal)["clients_lost"] == 33_000  # type: ignore[arg-type]
    assert history.settled(releases.draining()).away is None


@pytest.mark.parametrize(("after_s", "lost"), [(200, 3_000), (400, 33_000)])
def test_who_comes_back_late_was_not_lost_and_long_after_the_end_it_may_be_anybody(after_s: int, lost: int) -> None:
    history, settled = ReleaseHistory(), releases.with_clients_away(61)
    assert history.settled(settled).away == Away(33_000, is_settled=True)
    late = releases.with_clients_away(after_s)
    late = replace(late, snapshot=replace(late.snapshot, now=late.samples[-1].at))
    back = tuple(replace(sample, green=(sample.green or 0) + 30_000) for sample in late.samples)
    assert history.settled(replace(late, samples=back)).away == Away(lost, is_settled=True)
    assert history.settled(late).away == Away(lost, is_settled=True), "who leaves then was not lost by the release"


SCRIPT = "<script>alert(1)</script>"


def test_what_a_recording_holds_is_text_and_nothing_else() -> None:
    """Names, reasons and evidence come from people and clusters."""
    view = releases.draining()
    assert view.journal is not None
    told = json.loads(json.dumps(journal_fields(view.journal)))
    told["journal"]["created_by"] = f"{SCRIPT}\x1b[31m"
    told["journal"]["hold"] = {"by": SCRIPT, "at": "2026-01-01T00:00:00+00:00", "reason": "\u202e" + SCRIPT}
    told["changes"] = [[SCRIPT, SCRIPT, {"a": SCRIPT}]]
    at = view.journal.created_at.isoformat()
    records: list[dict[str, Any]] = [
        {"event": "release", "at": at, **told},
        *({"event": event, "at": at, "text": SCRIPT, "command": SCRIPT} for event in ("problem", "notice", "command")),
        {"event": "alarm", "at": at, "check": SCRIPT, "evidence": SCRIPT},
        {"event": "node-failed", "at": at, "pod": SCRIPT, "kind": SCRIPT, "clients": "many"},
        {"event": "phase", "at": at, "phase": SCRIPT},
        {"event": "closed", "at": at, "result": SCRIPT},
    ]
    found = report(Recording(SCRIPT, SCRIPT, SCRIPT, tuple(records)))
    assert found is not None
    for form in (html, markdown):
        text = form(page(found, "1"))
        assert "alert(1" in text.replace("\\", "")
        assert "<script" not in text.replace("\\<", "")
        assert not any(character in text for character in "\x1b\u202e")


def test_a_journal_comes_back_from_its_record_without_its_templates() -> None:
    """Nothing of it is lost on the way but what may hold secrets."""
    journal = releases.draining().journal
    assert journal is not None
    back = journal_of(json.loads(json.dumps(journal_fields(journal)))["journal"])
    assert back == replace(journal, patch={}, originals=replace(journal.originals, template={}))


def test_keys_and_silent_sources_are_in_the_timeline_and_nothing_of_them_went_wrong() -> None:
    journal = releases.draining().journal
    assert journal is not None
    at = journal.created_at.isoformat()
    records: list[dict[str, Any]] = [
        {"event": "release", "at": at, **json.loads(json.dumps(journal_fields(journal)))},
        {"event": "key", "at": at, "action": "full_log", "place": "rollout"},
        {"event": "source", "at": at, "source": "pods", "is_ok": False, "problem": "reset"},
    ]
    found = report(Recording("default", "emqx-ee", "1", tuple(records)))
    assert found is not None
    told = markdown(page(found, "1"))
    assert "key: full log (rollout)" in told.replace("\\", "")
    assert [r.to_json()["source"] for r in found.timeline if r.event is Event.SOURCE] == ["pods"]
    assert not [r for r in found.trouble if r.event in (Event.SOURCE, Event.NOTICE)]


class TestTheForecast:
    def test_what_came_lies_in_what_was_forecast(self, whole: tuple[Terminal, Report]) -> None:
        desk, found = whole
        told = document(found, "1")["forecast"]
        assert found.deviation is not None
        assert found.deviation.waited_s == pytest.approx(0.0, abs=1.0)
        assert told["total_s"]["came"] == pytest.approx(desk.last["duration_s"], abs=1.0)
        assert (told["total_s"]["deviation"], told["conn_evict_rate"]) == (0, 200)
        assert [node["node"][-2:] for node in told["drains_s"]] == NODES
        assert [node["came"] for node in told["drains_s"]] == [round(node.duration_s or 0, 1) for node in found.nodes]
        assert found.journal is not None
        assert told["disconnects"]["came"] == found.journal.totals.disconnects
        for text in (markdown(page(found, "1")), html(page(found, "1"))):
            assert "Total, without waits" in text
            assert "inside" in text

    def test_the_time_that_people_take_is_no_deviation(self, tmp_path: Path) -> None:
        room = Room()
        desk, other = room.terminal(), room.terminal()

        async def work() -> None:
            running = asyncio.create_task(desk.rollout(approval=Approval.CUT_OVER))
            await other.until(lambda view: view.decision.phase is Phase.WAITING_DELAY)
            await other.verb(Verb.HOLD)
            await asyncio.sleep(200.0)
            await other.verb(Verb.RESUME)
            await other.until(lambda view: view.decision.gate and view.decision.gate.is_open)
            await asyncio.sleep(300.0)
            await other.verb(Verb.APPROVE)
            await running

        found = recorded(desk, tmp_path, work())
        assert found.result == "done"
        assert found.deviation is not None
        assert 440 < (found.deviation.waited_s or 0) <= 505, "the delay ran on in the hold"
        assert desk.last["duration_s"] > found.deviation.total_s.high + 300
        assert found.deviation.total_s.deviation == pytest.approx(0.0, abs=60.0)

    def test_a_drain_that_was_frozen_is_told_with_that_time_and_judged_without_it(self, tmp_path: Path) -> None:
        room = Room()
        desk, other = room.terminal(), room.terminal()

        async def work() -> None:
            running = asyncio.create_task(desk.rollout())
            await other.until(lambda view: bool(facts.draining(view)))
            await other.verb(Verb.FREEZE)
            await asyncio.sleep(300.0)
            await other.verb(Verb.RESUME)
            await running

        found = recorded(desk, tmp_path, work())
        assert found.result == "done"
        first, *others = found.nodes
        assert first.frozen_s == pytest.approx(300.0, abs=10.0)
        assert [node.frozen_s for node in others] == [0.0, 0.0]
        assert "of it frozen" in markdown(page(found, "1"))
        assert found.deviation is not None
        _, drain = found.deviation.drains_s[0]
        assert drain.came == first.drained_s
        assert drain.came is not None
        assert drain.came < 60

    def test_a_journal_of_an_older_console_has_none(self) -> None:
        journal = releases.draining().journal
        assert journal is not None
        told = json.loads(json.dumps(journal_fields(journal)))
        del told["journal"]["forecast"]
        record = {"event": "release", "at": journal.created_at.isoformat(), **told}
        found = report(Recording("default", "emqx-ee", "1", (record,)))
        assert found is not None
        assert found.deviation is None
        assert document(found, "1")["forecast"] is None
        assert "unknown: the release keeps none" in markdown(page(found, "1"))
