"""What `doctor` makes of what it has found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from emqx_tui.headless.looking import doctor
from emqx_tui.headless.looking.doctor import Terminal
from emqx_tui.rollout.decision import CheckResult, Outcome

GOOD = Terminal(True, 120, 40, "utf-8", "xterm-256color")


@pytest.mark.parametrize(
    ("seen", "outcome", "told"),
    [
        (GOOD, Outcome.PASS, "120x40, utf-8, TERM=xterm-256color"),
        (replace(GOOD, columns=80, lines=24), Outcome.PASS, "80x24"),
        (replace(GOOD, columns=79), Outcome.PASS, "text only: the plot is drawn from 80x24 on"),
        (replace(GOOD, lines=23), Outcome.PASS, "text only"),
        (replace(GOOD, columns=59), Outcome.FAIL, "60x20 or larger"),
        (replace(GOOD, lines=19), Outcome.FAIL, "60x20 or larger"),
        (replace(GOOD, encoding="ANSI_X3.4-1968"), Outcome.FAIL, "--ascii"),
        (replace(GOOD, encoding="ANSI_X3.4-1968", is_ascii=True), Outcome.PASS, "ANSI_X3.4-1968"),
        (replace(GOOD, term="dumb"), Outcome.FAIL, "set TERM"),
        (replace(GOOD, term=""), Outcome.FAIL, "TERM=not set"),
        (replace(GOOD, is_terminal=False), Outcome.SKIPPED, "not a terminal"),
    ],
)
def test_terminal(seen: Terminal, outcome: Outcome, told: str) -> None:
    found = doctor.terminal(seen)
    assert found.outcome is outcome
    assert told in f"{found.evidence} {found.hint}"


@pytest.mark.parametrize(
    ("skew_s", "uncertainty_s", "outcome", "told"),
    [
        (0.2, 0.5, Outcome.PASS, "the same as the API server's"),
        (-3.0, 0.5, Outcome.PASS, "3.0 s behind the API server"),
        (30.0, 0.5, Outcome.PASS, "30.0 s ahead of the API server"),
        (-30.1, 0.5, Outcome.FAIL, "30.1 s behind the API server"),
        (None, 0.5, Outcome.SKIPPED, "not compared"),
        (1.0, None, Outcome.SKIPPED, "not compared"),
    ],
)
def test_clock(skew_s: float | None, uncertainty_s: float | None, outcome: Outcome, told: str) -> None:
    found = doctor.clock(skew_s, uncertainty_s, pace=1.001, rate=1)
    assert found.outcome is outcome
    assert told in found.evidence


@pytest.mark.parametrize(
    ("pace", "rate", "outcome", "told"),
    [
        (6.4, 1, Outcome.FAIL, "6.4 times as fast as this machine's"),
        (19.0, 10, Outcome.FAIL, "19.0 times as fast as this machine's"),
        (9.8, 10, Outcome.SKIPPED, "runs 10 times as fast"),
        (None, 10, Outcome.SKIPPED, "runs 10 times as fast"),
    ],
)
def test_a_time_that_runs_faster_is_no_clock_to_be_set(
    pace: float | None, rate: float, outcome: Outcome, told: str
) -> None:
    found = doctor.clock(-57.0, 0.5, pace=pace, rate=rate)
    assert (found.outcome, "set this machine's clock" in found.hint) == (outcome, False)
    assert told in found.evidence
    assert ("--clock-rate" in found.hint) is (outcome is Outcome.FAIL)


FINDINGS = {
    "this machine": [CheckResult("terminal", Outcome.PASS, "80x24", "never shown")],
    "kubernetes": [CheckResult("api-server", Outcome.FAIL, "refused\x1b[2J", "start it")],
}


def test_a_cure_stands_below_what_fails_and_nothing_reaches_the_terminal_raw() -> None:
    assert doctor.lines(FINDINGS) == [
        "this machine:",
        "  pass     terminal         80x24",
        "",
        "kubernetes:",
        "  fail     api-server       refused\ufffd[2J",
        "                            -> start it",
    ]


def test_a_document_says_what_each_check_is_about() -> None:
    found = doctor.document(FINDINGS, datetime(2026, 11, 28, tzinfo=UTC))
    assert found["schema"] == 1
    assert [(c["about"], c["check"], c["outcome"], c["hint"]) for c in found["checks"]] == [
        ("this machine", "terminal", "pass", "never shown"),
        ("kubernetes", "api-server", "fail", "start it"),
    ]


@pytest.mark.parametrize(
    ("outcome", "is_well"),
    [(Outcome.PASS, True), (Outcome.SKIPPED, True), (Outcome.WAIT, False), (Outcome.FAIL, False)],
)
def test_what_fails_or_waits_is_not_well(outcome: Outcome, is_well: bool) -> None:
    assert doctor.is_well({"a": [], "b": [CheckResult("c", outcome, "")]}) is is_well
