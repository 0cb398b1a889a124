"""The newest lines of a log: bounded, redacted, harmless, and none of them twice after a break."""

from __future__ import annotations

from emqx_tui.session.inspection.log_tail import LINE_CHARACTERS, LogTail, readable

AT = "2026-11-23T12:00:00"


def test_the_oldest_lines_go_and_the_others_keep_their_numbers():
    tail = LogTail(most=3)
    for number in range(5):
        tail.take(f"{AT}.00000000{number}Z line {number}")
    log = tail.excerpt(is_followed=True)
    assert log.lines == ("line 2", "line 3", "line 4")
    assert (log.first, log.end, log.is_followed) == (2, 5, True)
    assert log.behind(4) == ("line 4",)
    assert log.behind(0) == log.lines
    assert log.behind(9) == ()


def test_a_log_that_is_read_again_from_its_last_line_on_tells_no_line_twice():
    tail = LogTail()
    tail.take(f"{AT}.000000009Z a")
    tail.take(f"{AT}.100000000Z b")
    tail.resume()
    for text in (f"{AT}.000000009Z a", f"{AT}.100000000Z b", f"{AT}.1000000001Z c", "2026-11-23T14:00:01+02:00 d"):
        tail.take(text)
    assert tail.excerpt(is_followed=True).lines == ("a", "b", "c", "d")
    assert tail.last_stamp == "2026-11-23T14:00:01+02:00"


def test_a_line_without_a_stamp_is_kept():
    tail = LogTail()
    tail.take("unable to retrieve container logs")
    assert tail.excerpt(is_followed=False).lines == ("unable to retrieve container logs",)


def test_a_line_is_cut_redacted_and_without_what_a_terminal_would_obey():
    assert readable("\x1b[31m[red]x[/red]\x1b[0m\x1b]0;title\x07 \x1b]52;c;AAAA\x1b\\end\x07") == "[red]x[/red] end�"
    assert "s3cret" not in readable("Authorization: Bearer s3cret")
    assert "s3cret" not in readable("login token=s3cret")
    assert len(readable("x" * 10_000)) == LINE_CHARACTERS
