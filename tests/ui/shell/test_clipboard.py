"""What is sent to the terminal's clipboard, and what goes to a file instead."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta

import pytest
from textual.app import App

from emqx_tui.ui.shell import clipboard

PLAIN = {"TERM": "xterm-256color"}
AT = datetime(2026, 1, 1, tzinfo=UTC)


def payload(sequence: str) -> str:
    found = re.search(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", sequence)
    assert found
    return base64.b64decode(found[1]).decode()


def test_a_terminal_gets_osc_52():
    assert payload(clipboard.sequence("ümlaut\n", PLAIN)) == "ümlaut\n"


def test_tmux_gets_it_for_itself_and_to_pass_on():
    sequence = clipboard.sequence("text", {**PLAIN, "TMUX": "/tmp/tmux,1,0"})
    passed, own = re.fullmatch(r"\x1bPtmux;(.*)\x1b\\(\x1b\].*)", sequence, re.DOTALL).groups()  # pyright: ignore
    assert payload(passed.replace("\x1b\x1b", "\x1b")) == payload(own) == "text"


def test_screen_gets_it_in_pieces_that_it_passes_on():
    sequence = clipboard.sequence("x" * 500, {**PLAIN, "STY": "1.pts"})
    pieces = re.findall(r"\x1bP(.*?)\x1b\\", sequence, re.DOTALL)
    assert max(map(len, pieces)) <= 76
    assert payload("".join(pieces)) == "x" * 500


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"TERM": "linux"},
        {"TERM": "dumb"},
        {**PLAIN, "VTE_VERSION": "7600"},
        {**PLAIN, "TERM_PROGRAM": "Apple_Terminal"},
    ],
)
def test_a_terminal_that_cannot_gets_nothing(environment):
    assert clipboard.sequence("text", environment) == ""


def test_a_text_that_is_too_long_is_not_sent_in_part():
    longest = clipboard.LONGEST // 4 * 3
    assert clipboard.sequence("x" * longest, PLAIN)
    assert clipboard.sequence("x" * (longest + 3), PLAIN) == ""


def test_a_file_is_for_its_owner_only_and_old_ones_go(tmp_path):
    folder = tmp_path / "copied"
    files = [clipboard.write_file(f"{n}", folder, AT + timedelta(seconds=n)) for n in range(clipboard.KEPT_FILES + 3)]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert files[-1].stat().st_mode & 0o777 == 0o600
    assert sorted(folder.iterdir()) == files[3:]
    assert files[-1].read_text("utf-8") == str(clipboard.KEPT_FILES + 2)


def test_an_empty_text_takes_no_place_in_the_clipboard(tmp_path):
    told = clipboard.copy(App(), "", "log of emqx", tmp_path / "copied")
    assert told.text == "nothing was copied: log of emqx is empty"
    assert not (tmp_path / "copied").exists()
