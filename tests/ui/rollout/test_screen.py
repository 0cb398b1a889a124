"""The rollout screen under keys, news and resizes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from textual.pilot import Pilot
from textual.strip import Strip

from emqx_tui.model.reading import Reading
from emqx_tui.rollout.decision import AbortCost
from emqx_tui.rollout.intents import Freeze, Hold, Resume, SetPolicy, SetRates, TakeOver
from emqx_tui.rollout.policy import Approval
from emqx_tui.session.views.fleet_view import Role, SourceHealth
from emqx_tui.session.views.notice import Notice, NoticeKind
from emqx_tui.session.views.view import LogLine, LogSource, View
from emqx_tui.ui.app import ConsoleApp
from emqx_tui.ui.cards.approval import ApprovalCard
from emqx_tui.ui.cards.take_over_card import renew_take_over
from emqx_tui.ui.change.screen import ChangeScreen
from emqx_tui.ui.clusters.screen import ClustersScreen
from emqx_tui.ui.objects.screen import ObjectsScreen
from emqx_tui.ui.rollout import connection_plot
from emqx_tui.ui.rollout.connection_plot import ConnectionPlot
from emqx_tui.ui.rollout.event_log import EventLog
from emqx_tui.ui.rollout.lines import NodeTable
from emqx_tui.ui.rollout.screen import RolloutScreen
from emqx_tui.ui.text.line_box import LineBox
from emqx_tui.ui.text.spans import plain
from tests.support import releases
from tests.support.releases import NOW
from tests.support.screen_text import lines, said, text, until, until_said, until_shown
from tests.support.scripted import ScriptedBackend, resource
from tests.support.scripted import view as bare_view

SMALL, LARGE = (80, 24), (200, 50)


class Session:
    """The app on this screen, and the engine that it believes in."""

    def __init__(self, pilot: Pilot, backend: ScriptedBackend) -> None:
        self.pilot, self.backend = pilot, backend
        assert isinstance(pilot.app, ConsoleApp)
        self.app: ConsoleApp = pilot.app

    @property
    def shown(self) -> str:
        return text(self.app)

    @property
    def said(self) -> str:
        """The message that stands on the screen for a while; it may be wrapped there."""
        return said(self.app)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def publish(self, view: View) -> None:
        self.backend.publish(view=view)
        await until(self.pilot, lambda: self.app.published.view is view)
        await self.pilot.pause()


@asynccontextmanager
async def session(view: View, size: tuple[int, int] = SMALL, **fields) -> AsyncIterator[Session]:
    backend = ScriptedBackend(shown_view=view, is_read_only=fields.pop("is_read_only", False))
    app = ConsoleApp(backend, opened=("mqtt", "emqx-ee"), **fields)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until_shown(pilot, "CLIENTS")
        yield Session(pilot, backend)


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_all_that_is_needed_to_decide_stands_on_one_screen_in_one_order(size):
    async with session(releases.at_gate(), size) as console:
        wanted = [
            "prod-eu ▸ mqtt ▸ emqx-ee",
            "drain 3 of 3",
            "WAITING FOR YOU",
            "press a to read and approve",
            "all 8 checks pass",
            "100k┤",
            "12:05",
            "NODE",
            "out of Service",
            "745858464d-2",
            "CLIENTS evicted 66,663",
            "12:05:29 you",
            "a approve",
        ]

        def in_one_order() -> bool:
            places = [console.shown.find(words) for words in wanted]
            return -1 not in places and places == sorted(places)

        await until(console.pilot, in_one_order)


async def test_hold_freeze_and_resume_are_sent_at_once_and_without_a_dialog():
    async with session(releases.draining()) as console:
        await console.press("h")
        await until(console.pilot, lambda: console.backend.intents == [Hold("ann@bastion")])
        await console.press("f")
        await until(console.pilot, lambda: console.backend.intents[1:] == [Freeze("ann@bastion")])
        assert isinstance(console.app.screen, RolloutScreen)
        await console.publish(releases.held())
        assert "HELD by bob@laptop" in console.shown
        await console.press("r")
        await until(console.pilot, lambda: console.backend.intents[2:] == [Resume("ann@bastion")])


async def test_a_checks_hold_is_lifted_by_a_card_that_says_what_that_accepts_and_by_no_stray_key():
    async with session(releases.auto_held()) as console:
        await console.press("r")
        await until(console.pilot, lambda: isinstance(console.app.screen, ApprovalCard))
        await until_shown(console.pilot, "accepts what the check")
        await console.press("enter", "r", "escape")
        assert console.backend.intents == []


def undriven(**fields) -> View:
    return releases.draining(role=Role.IDLE, driver="", is_undriven=True, **fields)


async def test_a_release_that_nobody_drives_asks_once_and_looks_on_after_esc():
    async with session(undriven()) as console:
        await until(console.pilot, lambda: isinstance(console.app.screen, ApprovalCard))
        await until_shown(console.pilot, "Nobody drives this release", "Type drive to take over")
        await console.press("escape")
        await until(console.pilot, lambda: isinstance(console.app.screen, RolloutScreen))
        await console.publish(undriven(sequence=9))
        assert isinstance(console.app.screen, RolloutScreen)
        await console.press("t")
        await until(console.pilot, lambda: isinstance(console.app.screen, ApprovalCard))
        assert console.backend.intents == []


async def test_what_the_question_sends_once_its_word_was_typed():
    card = renew_take_over(undriven(), None)
    assert card is not None
    assert ([asked.token for asked in card.asked], card.intent("ann@bastion")) == (["drive"], TakeOver("ann@bastion"))
    follows = [plain(told) for label, lines in card.rows if label == "Then" for told in lines]
    assert follows[-1] == "you approve every node", "the cut-over is approved already"
    assert renew_take_over(releases.draining(), None) is None


def test_the_question_says_of_an_adopted_release_who_adopted_it():
    view = undriven()
    assert view.journal
    card = renew_take_over(replace(view, journal=replace(view.journal, is_adopted=True)), None)
    assert card is not None
    assert ", adopted by ann@bastion; " in plain(dict(card.rows)["Release"][0])


async def test_a_release_of_the_operators_own_is_stopped_by_a_card_and_no_other_key_sends_anything():
    async with session(releases.ungated(), LARGE) as console:
        await until_shown(console.pilot, "UNGATED: THE OPERATOR RELEASES BY ITSELF", "blue", "green")
        for key in ("t", "x", "a", "f", "r"):
            await console.press(key)
            assert console.said.endswith("ungated: h stops the operator")
        await console.press("h")
        await until(console.pilot, lambda: isinstance(console.app.screen, ApprovalCard))
        await until_shown(
            console.pilot,
            "it stops the next node, not the running one",
            '"initialDelaySeconds":1000000000',
            "Type hold to close the valve",
        )
        await console.press("enter", "h", "escape")
        assert console.backend.intents == []


async def test_one_that_is_stopped_asks_once_whether_to_adopt_or_to_abort_it():
    stopped = releases.ungated(is_stopped=True)
    async with session(releases.ungated(), LARGE) as console:
        await console.publish(stopped)
        await until(console.pilot, lambda: isinstance(console.app.screen, ApprovalCard))
        await until_shown(console.pilot, "A release without a journal", "Type adopt or abort")
        await console.press("escape")
        await console.publish(replace(stopped, sequence=9))
        assert isinstance(console.app.screen, RolloutScreen)
        await console.press("h")
        assert console.said.endswith("the operator is held already")
        for key in ("x", "t"):
            await console.press(key)
            await until(console.pilot, lambda: isinstance(console.app.screen, ApprovalCard))
            await console.press("escape")
        assert console.backend.intents == []


async def test_a_key_that_does_nothing_now_says_why_and_sends_nothing():
    gone = AbortCost(False, "blue is gone: the way back is a new release")
    view = releases.draining()
    async with session(replace(view, decision=replace(view.decision, abort=gone))) as console:
        await console.press("a")
        assert console.said.endswith("still evicts connections")
        await console.press("x")
        assert console.said == "abort: blue is gone: the way back is a new release"
        await console.press("r")
        assert console.said == "resume: nothing is held"
        assert console.backend.intents == []
        assert isinstance(console.app.screen, RolloutScreen)


async def test_a_opens_the_card_of_the_gate_that_waits_and_x_the_one_of_the_way_back():
    async with session(releases.before_cut_over()) as console:
        await console.press("a")
        await until_shown(console.pilot, "Approve: cut over to green")
        await console.press("escape")
        await console.press("x")
        await until_shown(console.pilot, "Abort: back to emqx-ee-86d7758868")
        assert console.backend.intents == []


async def test_a_card_learns_of_news_through_the_app():
    async with session(releases.at_gate()) as console:
        await console.press("a")
        await until(console.pilot, lambda: isinstance(console.app.screen, ApprovalCard))
        await console.publish(releases.done())
        assert "no longer on offer" in console.shown


async def test_read_only_greys_every_key_that_sends_and_says_why():
    async with session(releases.at_gate(), is_read_only=True) as console:
        assert "READ-ONLY" in lines(console.app)[0]
        for key in "ahfrxsp":
            await console.press(key)
            assert console.said.endswith("started with --read-only"), key
        assert console.backend.intents == []
        assert isinstance(console.app.screen, RolloutScreen)


async def test_watch_only_says_why_on_the_bar():
    view = releases.at_gate(role=Role.WATCH_ONLY, role_reason="no right to patch endpoints")
    async with session(view) as console:
        assert "watch only: no right to patch endpoints" in console.shown
        await console.press("a", "h")
        assert console.backend.intents == []


async def test_a_spectator_sees_who_drives_and_may_hold():
    async with session(releases.draining(role=Role.SPECTATOR, driver="bob@laptop/77")) as console:
        assert "driver: bob@laptop " in lines(console.app)[0]
        await console.press("h")
        await until(console.pilot, lambda: console.backend.intents == [Hold("ann@bastion")])


async def test_a_driver_that_fell_silent_is_told():
    silent = releases.draining(role=Role.SPECTATOR, driver="bob@laptop/77", driver_seen_s=25.0)
    async with session(silent, LARGE) as console:
        assert "driver: bob@laptop, silent for 25 s" in lines(console.app)[0]


async def test_n_plots_one_line_per_node_and_back():
    async with session(releases.draining(), LARGE) as console:
        plot = console.app.screen.query_one(ConnectionPlot)
        await console.press("n")
        assert len(plot.traces()) == 7
        assert "emqx-ee-745858464d-1" in console.shown.split("NODE")[0]
        assert "b1" in console.shown
        await console.press("n")
        assert len(plot.traces()) == 3


async def test_l_enlarges_the_log_and_what_is_read_stays_still():
    entries = tuple(
        LogLine(NOW - timedelta(seconds=200 - n), LogSource.OPERATOR, f"event number {n}") for n in range(100)
    )
    async with session(releases.draining(log=entries)) as console:
        assert "event number 99" in console.shown
        await console.press("l")
        assert "LOG line 100 of 100" in console.shown
        assert "NODE" not in console.shown
        assert "DRAINING" in console.shown, "the bar stays"
        await console.press("home")
        assert "event number 0" in console.shown
        await console.press("pagedown")
        assert "event number 0 " not in f"{console.shown} "
        await console.press("pageup")
        assert "event number 0" in console.shown
        await console.press("pagedown")
        before = console.shown
        more = (*entries, LogLine(NOW, LogSource.EMQX, "the newest"))
        await console.publish(releases.draining(log=more))
        assert "the newest" not in console.shown
        assert [row for row in before.splitlines() if "event number" in row] == [
            row for row in console.shown.splitlines() if "event number" in row
        ]
        await console.press("end")
        assert "the newest" in console.shown
        await console.press("escape")
        assert "NODE" in console.shown
        assert isinstance(console.app.screen, RolloutScreen)


REPAIR = LogLine(NOW, LogSource.YOU, "Service repaired", '{"subsets": [1]}', count=17, first_at=NOW)
MIXED = (
    LogLine(NOW - timedelta(seconds=9), LogSource.OPERATOR, "event one"),
    LogLine(NOW - timedelta(seconds=8), LogSource.KUBERNETES, "Failed: no image", is_alarm=True),
    LogLine(NOW - timedelta(seconds=7), LogSource.OPERATOR, "event two"),
    REPAIR,
)


async def test_v_shows_the_command_of_the_marked_line_and_hides_it_again():
    async with session(releases.draining(log=MIXED)) as console:
        await console.press("l")
        assert "Service repaired  x 17 since" in console.shown
        assert "subsets" not in console.shown
        await console.press("v")
        assert '$ {"subsets": [1]}' in console.shown
        await console.publish(releases.draining(log=(*MIXED, LogLine(NOW, LogSource.EMQX, "the newest"))))
        assert '$ {"subsets": [1]}' in console.shown, "what is read stands still"
        assert "newer lines: end" in console.shown
        await console.press("v")
        assert "subsets" not in console.shown


async def test_slash_searches_in_the_log_and_esc_ends_the_search_first():
    async with session(releases.draining(log=MIXED)) as console:
        await console.press("slash", *"event !one", "enter")
        assert "event two" in console.shown
        assert "event one" not in console.shown
        assert "LOG line 1 of 1 · event !one" in console.shown
        assert console.backend.intents == [], "letters of the search are no keys"
        await console.press("escape")
        assert "event one" in console.shown
        await console.press("escape")
        assert "NODE" in console.shown
        assert isinstance(console.app.screen, RolloutScreen)


async def test_w_shows_the_warnings_only_and_all_again():
    async with session(releases.draining(log=MIXED)) as console:
        await console.press("w")
        assert "warnings only" in console.shown
        assert "Failed: no image" in console.shown
        assert "event one" not in console.shown
        await console.press("w")
        assert "event one" in console.shown


async def test_esc_goes_back_to_the_list():
    async with session(releases.draining()) as console:
        await console.press("escape")
        assert isinstance(console.app.screen, ClustersScreen)
        assert console.backend.closed == 1


async def test_e_changes_an_idle_cluster_and_not_one_in_release():
    async with session(releases.draining()) as console:
        await console.press("e")
        assert console.said == "change: a release is running"
        await console.publish(releases.idle())
        await console.press("e")
        await until(console.pilot, lambda: isinstance(console.app.screen, ChangeScreen))


async def test_an_idle_cluster_is_shown_live():
    async with session(releases.idle()) as console:
        shown = console.shown
        for words in (
            "RUNNING 4.4.14 · 3/3 ready · 100,002 clients",
            "e changes something",
            "next release: delay 60 s",
        ):
            assert words in shown
        assert "approve" not in lines(console.app)[-1]


async def test_resizing_keeps_everything_and_changes_no_order():
    async with session(releases.draining()) as console:
        await console.pilot.resize_terminal(*LARGE)
        await until_shown(console.pilot, "SESSIONS")
        wide = console.shown
        assert "emqx-ee-86d7758868-1" in wide
        assert "curl -X POST" in wide
        await console.pilot.resize_terminal(*SMALL)
        await until(console.pilot, lambda: "SESSIONS" not in console.shown)
        assert "…86d7758868-1 blue" in console.shown
        assert "CLIENTS evicted" in console.shown
        await console.pilot.resize_terminal(60, 20)
        await until_shown(console.pilot, "sum 99,701")
        assert "DRAINING" in console.shown
        assert [row for row in console.shown.splitlines() if row.strip() and not row.startswith((" ", "›"))] == []


async def test_old_readings_are_dim_marked_and_shut_the_gate():
    view = releases.at_gate()
    stale = Reading(view.snapshot.stats.value, NOW - timedelta(seconds=14), "connection refused")
    health = (SourceHealth(None, False, NOW - timedelta(seconds=14), "connection refused"),)
    view = replace(view, snapshot=replace(view.snapshot, stats=stale), health=health)
    async with session(view) as console:
        assert "?33,120" in console.shown
        assert "99.9k?" in console.shown
        assert "EMQX: connection refused" in console.shown
        assert "LIVE" not in lines(console.app)[0]
        await console.press("a")
        assert console.said.endswith("figures are 14 s old (limit 10 s)")
        assert not isinstance(console.app.screen, ApprovalCard)


async def test_a_lost_source_leaves_a_gap_in_the_curve():
    holed = releases.samples(gap=(220, 300))
    async with session(releases.draining(samples=holed), LARGE) as console:
        rows = [row[6:120] for row in console.shown.splitlines() if "sum" in row and "━" in row]
        row = rows[0].rstrip()
        assert "━" * 10 in row
        inner = row[row.index("━") : row.rindex("━")]
        assert " " * 10 in inner


async def test_without_plotext_the_figures_remain(monkeypatch):
    def missing() -> None:
        raise connection_plot.PlotUnavailable("no wheel")

    monkeypatch.setattr(connection_plot, "Plotter", missing)
    async with session(releases.draining(), LARGE) as console:
        assert "plot unavailable: no wheel" in console.shown
        assert "99.9k" in console.shown


async def test_a_terminal_that_is_behind_gets_no_new_drawing(monkeypatch):
    async with session(releases.draining()) as console:
        plot = console.app.screen.query_one(ConnectionPlot)
        queue = SimpleNamespace(qsize=lambda: 5)
        stalled = SimpleNamespace(_driver=SimpleNamespace(_writer_thread=SimpleNamespace(_queue=queue)))
        assert connection_plot.is_behind(stalled)  # type: ignore[arg-type]
        assert not connection_plot.is_behind(console.app)
        monkeypatch.setattr(connection_plot, "is_behind", lambda _app: True)
        await console.publish(releases.at_gate())
        assert plot.skipped == 1
        assert "WAITING FOR YOU" in console.shown, "words go on"


def test_the_drivers_queue_is_where_it_is_looked_for():
    """`is_behind` reads private attributes: a Textual without them must fail here, not in silence."""
    from textual.drivers._writer_thread import WriterThread

    thread = WriterThread(SimpleNamespace())  # type: ignore[arg-type]
    assert thread._queue.qsize() == 0


async def test_only_lines_that_changed_are_repainted(monkeypatch):
    async with session(releases.draining()) as console:
        table = console.app.screen.query_one(NodeTable)
        painted: list[tuple[int, ...]] = []
        monkeypatch.setattr(table, "refresh", lambda *regions, **_: painted.append(tuple(r.y for r in regions)))
        view = releases.draining()
        stats = dict(view.snapshot.stats.value or {})
        name = next(name for name in stats if f"{releases.BLUE}-1" in name)
        stats[name] = replace(stats[name], live_connections=27_000)
        await console.publish(replace(view, snapshot=replace(view.snapshot, stats=Reading(stats, NOW))))
        assert painted == [(2,)]


async def test_a_line_box_shows_what_it_was_given_last():
    async with session(releases.draining()) as console:
        box = console.app.screen.query_one(EventLog)
        assert isinstance(box, LineBox)
        assert all(isinstance(box.render_line(y), Strip) for y in range(box.size.height + 2))


async def test_other_rates_are_asked_for_and_sent():
    async with session(releases.draining()) as console:
        await console.press("s")
        await until_shown(console.pilot, "These rates are in force.")
        await console.press("enter")
        assert console.backend.intents == []
        await console.press("end", "backspace", "backspace", "backspace", "0")
        await until_shown(console.pilot, "Both have to be whole numbers")
        await console.press("enter")
        assert console.backend.intents == []
        await console.press("backspace", "5", "0")
        await until_shown(console.pilot, "A drain that runs is stopped and started anew")
        await console.press("enter")
        assert console.backend.intents == [SetRates("ann@bastion", 50, 200)]


async def test_a_stricter_policy_is_taken_at_once_a_looser_one_needs_its_name():
    view = releases.at_gate(journal=releases.journal(approval=Approval.CUT_OVER))
    async with session(view) as console:
        await console.press("p")
        await until_shown(console.pilot, "you approve every node")
        assert "you approve the cut-over" not in console.shown, "it is approved already"
        await console.press("1")
        assert console.backend.intents == [SetPolicy("ann@bastion", "every-node")]
        await console.press("p", "3")
        await until_shown(console.pilot, "Approve from now on: auto")
        assert len(console.backend.intents) == 1


async def test_before_the_cut_over_a_policy_tells_who_approves_that():
    async with session(releases.before_cut_over()) as console:
        await console.press("p")
        await until_shown(console.pilot, "you approve the cut-over and every node")


async def test_the_summary_of_a_release_that_ended_stands_above_the_plot():
    async with session(releases.done()) as console:
        shown = console.shown
        assert "1.02 x the limit of 8 min 25 s" in shown
        assert shown.index("DONE") < shown.index("disconnects") < shown.index("100k┤")
        assert "e change" in shown


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)], ids=["text", "least with a plot", "wide"])
@pytest.mark.parametrize("for_s", [5, 90], ids=["away", "lost"])
async def test_the_whole_summary_has_room(size, for_s):
    async with session(releases.with_clients_away(for_s), size=size) as console:
        told = ("4 approvals, policy", "1.00 per client", "33,000 of 100,000", "lowest sum", "21 clients on green")
        assert [words for words in told if words not in console.shown] == []


async def test_that_nobody_is_lost_is_told_on_the_least_screen():
    totals = releases.done().journal.totals
    totals = replace(totals, killed=1_000, cut_by_canary=300, is_lower_bound=True)
    view = releases.done()
    view = replace(view, journal=replace(view.journal, totals=totals))
    async with session(view, size=(80, 24)) as console:
        assert "no client lost" in console.shown


async def test_d_writes_the_report_of_a_release_that_has_ended():
    asked = []

    def write(namespace: str, name: str, release_id: str) -> str:
        asked.append((namespace, name, release_id))
        return "the report is in /somewhere"

    async with session(releases.done(), write_report=write) as console:
        await console.press("d")
        await until_said(console.pilot, "the report is in /somewhere")
    assert asked == [("mqtt", "emqx-ee", releases.journal().release_id)]
    async with session(releases.done()) as console:
        await console.press("d")
        assert console.said == "no report: this console records nothing"
    async with session(releases.draining(), write_report=write) as console:
        await console.press("d")
        assert console.said == "report: no release has ended here"
    assert len(asked) == 1


async def test_a_report_that_cannot_be_made_ends_no_console():
    def write(namespace: str, name: str, release_id: str) -> str:
        raise KeyError(namespace)

    async with session(releases.done(), write_report=write) as console:
        await console.press("d")
        await until_said(console.pilot, "no report: it could not be made")


async def test_a_view_of_another_cluster_is_not_shown():
    async with session(releases.draining()) as console:
        await console.publish(bare_view(resource("other", "mqtt")))
        await console.press("h")
        assert console.said.startswith("hold: ")
        assert console.backend.intents == []


async def test_no_colour_and_ascii_tell_curves_apart_by_sign():
    async with session(releases.draining(), LARGE, is_ascii=True) as console:
        shown = console.shown
        assert "WAITING" not in shown
        curve = shown.split("NODE")[0]
        assert curve.count("*") > 20, "blue has its sign"
        assert curve.count("+") > 20, "green has its own"
        assert "- sum" in curve


async def test_text_of_the_cluster_is_not_parsed():
    entry = LogLine(NOW, LogSource.OPERATOR, "pulled [bold]image[/bold] [@click=app.quit]x[/]")
    async with session(releases.draining(log=(entry,))) as console:
        assert "pulled [bold]image[/bold] [@click=app.quit]x[/]" in console.shown


async def test_news_that_comes_fast_is_drawn_at_a_bearable_pace_and_the_last_of_it_for_certain():
    async with session(releases.draining(), LARGE) as console:
        plot = console.app.screen.query_one(ConnectionPlot)
        plot._next_at = float("-inf")
        drawn: list[int] = []
        trace = plot._trace

        def counted() -> None:
            trace()
            drawn.append(plot.traces()[0].values[-1] or 0)

        plot._trace = counted  # type: ignore[method-assign]
        newest = 0
        for second in range(1, 6):
            found = releases.samples(NOW + timedelta(seconds=second))
            newest = found[-1].sum or 0
            await console.publish(releases.draining(samples=found))
        assert len(drawn) < 5
        await until(console.pilot, lambda: drawn[-1] == newest)


async def test_news_without_a_new_sample_draws_nothing():
    async with session(releases.draining(), LARGE) as console:
        plot = console.app.screen.query_one(ConnectionPlot)
        plot._next_at = float("-inf")
        drawn: list[None] = []
        plot._trace = lambda: drawn.append(None)  # type: ignore[method-assign]
        await console.publish(releases.draining(notice=Notice(NoticeKind.ACCEPTED, "x"), notice_number=1))
        assert drawn == []
        await console.publish(releases.draining(samples=releases.samples(NOW + timedelta(seconds=1))))
        assert drawn == [None]


async def test_a_sample_that_moves_no_dot_is_not_drawn_and_counts_in_the_legend():
    async with session(releases.draining(), LARGE) as console:
        plot = console.app.screen.query_one(ConnectionPlot)
        drawn: list[None] = []
        plot.resized = lambda: drawn.append(None)  # type: ignore[method-assign]
        known = releases.samples(NOW)
        near = replace(known[-1], at=NOW + timedelta(milliseconds=10))
        plot._next_at = float("-inf")
        await console.publish(releases.draining(samples=(*known, near)))
        assert drawn == []
        assert len(plot.traces()[0].values) == len(known) + 1
        lower = replace(near, at=NOW + timedelta(milliseconds=20), blue=(near.blue or 0) - 30_000)
        plot._next_at = float("-inf")
        await console.publish(releases.draining(samples=(*known, near, lower)))
        assert drawn == [None]


async def test_o_opens_what_is_inside_the_cluster():
    async with session(releases.draining()) as console:
        await console.press("o")
        assert isinstance(console.app.screen, ObjectsScreen)
