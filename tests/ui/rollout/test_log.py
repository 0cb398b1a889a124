"""The merged log in short and in full."""

from __future__ import annotations

from datetime import timedelta

from rich.cells import cell_len

from emqx_tui.session.views.view import LogLine, LogSource
from emqx_tui.ui.rollout.log import long_entry, selected, short_log
from emqx_tui.ui.text.spans import plain
from tests.support import releases
from tests.support.releases import NOW


def test_the_newest_lines_are_shown_oldest_first():
    shown = [plain(found) for found in short_log(releases.LOG, 2, 80)]
    assert shown == [
        " 12:05:25 operator   scaled emqx-ee-86d7758868 to 2",
        " 12:05:29 you        drain …86d7758868-1 at 200/s",
    ]
    assert short_log(releases.LOG, 0, 80) == []


def test_a_wide_log_has_the_command_beside_the_action():
    shown = plain(short_log(releases.LOG, 1, 200)[0])
    assert "drain …86d7758868-1 at 200/s" in shown
    assert "curl -X POST" in shown
    assert cell_len(shown) <= 200


def test_an_opened_entry_has_its_command_whole():
    shown = [plain(found) for entry in releases.LOG for found in long_entry(entry, 60, is_opened=True)]
    assert all(cell_len(text) <= 60 for text in shown)
    command = releases.LOG[-1].command.replace(" ", "")
    assert command in "".join(text.strip() for text in shown).replace(" ", "")


def test_a_wrapped_entry_stands_in_one_column():
    entry = LogLine(NOW, LogSource.CONSOLE, "held by check: " + "some words that go on and on " * 8, is_alarm=True)
    first, *more = [plain(found) for found in long_entry(entry, 80, is_marked=True)]
    column = first.index("▲")
    assert all(text[:column].strip() == "" and text[column] != " " for text in more)
    assert all(cell_len(text) > 70 for text in (first, *more[:-1])), "no row ends early"


def test_an_alarm_is_marked_by_a_sign():
    entry = LogLine(NOW, LogSource.CONSOLE, "held by check", is_alarm=True)
    assert "▲ held by check" in plain(short_log([entry], 1, 80)[0])


def test_text_of_the_cluster_is_not_obeyed():
    entry = LogLine(NOW, LogSource.KUBERNETES, "\x1b[31m[bold]pulling\x07 …")
    assert "\x1b" not in plain(short_log([entry], 1, 80)[0])
    assert "[bold]pulling" in plain(long_entry(entry, 80)[0])


def test_the_command_is_shown_on_demand_only():
    entry = releases.LOG[-1]
    assert entry.command
    assert not [row for row in long_entry(entry, 60) if "$ " in plain(row)]


def test_what_repeats_says_how_often_and_since_when():
    entry = LogLine(NOW, LogSource.YOU, "Service repaired: green", count=1_017, first_at=NOW - timedelta(minutes=5))
    told = "Service repaired: green  x 1,017 since 12:01:01"
    assert told in plain(short_log([entry], 1, 80)[0])
    assert told in plain(long_entry(entry, 80)[0])


def test_a_search_looks_at_words_and_commands_and_leaves_out():
    entries = [
        LogLine(NOW, LogSource.YOU, "Service repaired", "kubectl patch endpoints emqx-ee"),
        LogLine(NOW, LogSource.CONSOLE, "Service repaired failed: conflict", is_alarm=True),
    ]
    assert selected(entries, "REPAIRED") == tuple(entries)
    assert selected(entries, "endpoints") == (entries[0],)
    assert selected(entries, "service !conflict") == (entries[0],)
    assert selected(entries, "", is_warnings_only=True) == (entries[1],)
