"""Faults planted in a console that the judge has to catch, beside what others do and it lets pass."""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.rollout.lifecycle import CONDITIONS
from emqx_tui.rollout.phases import When
from emqx_tui.session.records.journal_store import JournalStore
from tests.support.story import Event, Story, play

NOBODY_DRIVES = Story(2358, boot_s=15.0, events=(Event(13.5, "cut off"), Event(31.5, "journal removed")))


def test_a_release_may_fail_when_its_journal_goes_while_nobody_drives() -> None:
    ending = play(NOBODY_DRIVES)
    assert (ending.result, ending.broken) == ("failed", [])


def test_a_driver_that_does_not_write_its_journal_again_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    write = JournalStore.write

    def forgetful(self: JournalStore, journal: Any, intent: Any) -> None:
        if intent is not None or self.stored is not None:
            write(self, journal, intent)

    monkeypatch.setattr(JournalStore, "write", forgetful)
    assert play(Story(2358, boot_s=15.0, events=(Event(31.5, "journal removed"),))).broken


def test_an_abort_is_lost_when_somebody_removes_blue() -> None:
    ending = play(Story(5664, events=(Event(30.0, "abort"), Event(31.0, "blue set removed"))))
    assert (ending.result, ending.broken) == ("stands in 'lost'", [])


def test_a_console_that_gives_an_abort_up_for_nothing_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONDITIONS, When.BLUE_GONE, lambda context: True)  # pyright: ignore[reportArgumentType]
    assert play(Story(5664, events=(Event(30.0, "abort"),))).broken


UNDONE = Story(10772, events=(Event(7.6, "green set removed"), Event(8.0, "template reverted")))


def test_a_release_that_others_have_undone_is_held() -> None:
    ending = play(UNDONE)
    assert (ending.result, ending.broken) == ("aborted", [])


@pytest.mark.parametrize("events", [(), UNDONE.events[:1]], ids=["nothing", "the half of what explains it"])
def test_a_console_that_takes_a_step_back_for_nothing_is_caught(
    monkeypatch: pytest.MonkeyPatch, events: tuple[Event, ...]
) -> None:
    applied = CONDITIONS[When.TEMPLATE_APPLIED]
    monkeypatch.setitem(
        CONDITIONS,  # pyright: ignore[reportArgumentType]
        When.TEMPLATE_APPLIED,
        lambda context: applied(context) and context.snapshot.now.second != 12,
    )
    assert any("a false hold" in line for line in play(Story(10772, events=events)).broken)
