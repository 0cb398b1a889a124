"""The merged log in short and in full."""

from __future__ import annotations

from rich.cells import cell_len

from emqx_tui.session.view import LogLine, LogSource
from emqx_tui.ui.rollout.log import long_log, short_log
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


def test_the_full_log_has_every_command_whole():
    shown = [plain(found) for found in long_log(releases.LOG, 60)]
    assert all(cell_len(text) <= 60 for text in shown)
    command = releases.LOG[-1].command.replace(" ", "")
    assert command in "".join(text.strip() for text in shown).replace(" ", "")


def test_an_alarm_is_marked_by_a_sign():
    entry = LogLine(NOW, LogSource.CONSOLE, "held by check", is_alarm=True)
    assert "▲ held by check" in plain(short_log([entry], 1, 80)[0])


def test_text_of_the_cluster_is_not_obeyed():
    entry = LogLine(NOW, LogSource.KUBERNETES, "\x1b[31m[bold]pulling\x07 …")
    assert "\x1b" not in plain(short_log([entry], 1, 80)[0])
    assert "[bold]pulling" in plain(long_log([entry], 80)[0])
