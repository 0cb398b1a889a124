"""Keys that send at once are taken only when they are pressed on their own."""

from __future__ import annotations

from emqx_tui.ui.shell.lone_key import BURST_S, LoneKey


def test_a_key_that_nothing_follows_is_sent():
    lone = LoneKey()
    assert lone.press("f", 1.0, sends_at_once=True) == ""
    assert (lone.settle(), lone.settle()) == ("f", "")


def test_fg_typed_by_hand_sends_nothing():
    lone = LoneKey()
    lone.press("f", 1.0, sends_at_once=True)
    assert lone.press("g", 1.15, sends_at_once=False) == "f g"
    assert lone.settle() == ""


def test_a_key_in_the_middle_of_a_burst_sends_nothing():
    lone = LoneKey()
    lone.press("l", 1.0, sends_at_once=False)
    assert lone.press("h", 1.0 + BURST_S / 2, sends_at_once=True) == "l h"
    assert lone.settle() == ""


def test_the_same_key_pressed_again_is_one_key():
    lone = LoneKey()
    assert [lone.press("h", at, sends_at_once=True) for at in (1.0, 1.001, 1.1)] == ["", "", ""]
    assert lone.settle() == "h"


def test_a_key_long_after_another_one_is_sent():
    lone = LoneKey()
    lone.press("l", 1.0, sends_at_once=False)
    assert lone.press("h", 1.5, sends_at_once=True) == ""
    assert lone.settle() == "h"
