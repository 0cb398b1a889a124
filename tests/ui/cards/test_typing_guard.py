"""What counts as a word that a person typed. All times are given: no clock runs here."""

from __future__ import annotations

import pytest

from emqx_tui.ui.cards.typing_guard import BURST_S, PAUSE_S, REPEAT_S, SETTLE_S, TypingGuard

OPENED = 100.0
LATER = OPENED + SETTLE_S + 0.01


def typed(keys: str, *, gap_s: float = 0.2, start: float = LATER) -> tuple[TypingGuard, list[str]]:
    guard, refusals = TypingGuard(OPENED), []
    for number, key in enumerate(keys):
        if refused := guard.press(key, start + number * gap_s):
            refusals.append(refused.sentence)
    return guard, refusals


def test_a_word_typed_key_by_key_stands():
    guard, refusals = typed("green")
    assert (guard.text, refusals) == ("green", [])
    assert guard.enter(LATER + 2) is None


def test_nothing_is_taken_before_the_card_can_have_been_read():
    guard = TypingGuard(OPENED)
    assert guard.press("0", OPENED + SETTLE_S - 0.01) is not None
    assert guard.enter(OPENED + SETTLE_S - 0.001) is not None
    assert guard.text == ""


def test_a_key_read_before_the_card_opened_is_not_taken():
    """A terminal that stalled hands over what was typed blindly."""
    guard = TypingGuard(OPENED)
    assert guard.press("0", OPENED - 3) is not None


def test_the_first_key_after_the_wait_is_taken():
    guard = TypingGuard(OPENED)
    assert guard.press("0", OPENED + SETTLE_S) is None
    assert guard.text == "0"


def test_a_burst_is_a_paste_and_leaves_nothing_behind():
    guard, refusals = typed("green", gap_s=BURST_S / 2)
    assert guard.text == ""
    assert len(refusals) == 4


def test_enter_that_comes_with_the_last_key_is_part_of_a_paste():
    guard = TypingGuard(OPENED)
    guard.press("0", LATER)
    assert guard.enter(LATER + BURST_S / 2) is not None
    assert guard.text == ""


@pytest.mark.parametrize("gap_s", [0.033, 0.05, REPEAT_S - 0.001])
def test_a_key_that_is_held_down_leaves_nothing_behind(gap_s):
    guard, refusals = typed("111", gap_s=gap_s)
    assert guard.text == ""
    assert all("repeats" in sentence for sentence in refusals)


def test_the_same_key_pressed_twice_by_hand_stands():
    guard, refusals = typed("11", gap_s=REPEAT_S + 0.02)
    assert (guard.text, refusals) == ("11", [])


def test_enter_held_down_is_refused():
    guard = TypingGuard(OPENED)
    guard.press("0", LATER)
    assert guard.enter(LATER + 0.3) is None
    assert guard.enter(LATER + 0.333) is not None


def test_a_marked_paste_is_refused_and_clears():
    guard, _ = typed("gre")
    assert "key by key" in guard.paste().sentence
    assert guard.text == ""


def test_backspace_may_repeat():
    guard, _ = typed("greem")
    guard.erase(LATER + 2)
    guard.erase(LATER + 2.03)
    assert guard.text == "gre"


def test_the_rest_of_a_word_that_came_in_pieces_is_refused_with_it():
    """Over a slow line `green` arrives as `gr` at once, then `een`: `een` is no word that anybody typed."""
    guard = TypingGuard(OPENED)
    guard.press("g", LATER)
    guard.press("r", LATER + BURST_S / 2)
    refused = [guard.press(key, LATER + 0.3 * number) for number, key in enumerate("een", start=1)]
    assert all(found is not None and "field was cleared" in found.sentence for found in refused)
    entered = guard.enter(LATER + 1.2)
    assert entered is not None
    assert "type the whole word again" in entered.sentence
    assert guard.text == ""
    for number, key in enumerate("green"):
        assert guard.press(key, LATER + 1.3 + PAUSE_S + 0.2 * number) is None
    assert guard.text == "green"


def test_a_word_begun_before_keys_are_taken_has_to_be_typed_again():
    guard = TypingGuard(OPENED)
    guard.press("g", LATER - 0.1)
    assert guard.press("r", LATER + 0.1) is not None
    assert guard.text == ""


def test_half_a_word_before_a_burst_does_not_stay_for_the_rest():
    guard, _ = typed("gree")
    guard.press("x", LATER + 5)
    guard.press("y", LATER + 5.001)
    guard.press("n", LATER + 6)
    assert guard.text == "n"
