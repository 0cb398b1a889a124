"""Undo and redo of an edit: what is one step, and what is kept."""

from __future__ import annotations

import pytest

from emqx_tui.ui.change.history import MOST_STEPS, History


def typed(*steps: tuple[str, str, float]) -> History:
    """Each step is the text before it, where it was typed, and when."""
    history = History()
    for before, place, at in steps:
        history = history.edited(before, place, at)
    return history


@pytest.mark.parametrize(
    ("steps", "past"),
    [
        pytest.param([("a", "version", 0), ("ab", "version", 0.5)], ("a",), id="a word typed at once is one step"),
        pytest.param([("a", "version", 0), ("ab", "version", 3)], ("a", "ab"), id="a pause begins another"),
        pytest.param([("a", "version", 0), ("ab", "delay", 0.5)], ("a", "ab"), id="another field begins another"),
    ],
)
def test_what_is_one_step(steps, past):
    assert typed(*steps).past == past


def test_undo_and_redo_meet_where_they_began():
    history = typed(("a", "x", 0), ("b", "y", 0))
    text, back = history.undo("c")
    assert (text, back.future) == ("b", ("c",))
    text, back = back.undo(text)
    assert text == "a"
    assert back.undo(text) == (text, back), "there is nothing before the beginning"
    for wanted in ("b", "c"):
        text, back = back.redo(text)
        assert text == wanted
    assert back.redo(text) == (text, back)


def test_an_edit_after_an_undo_is_a_step_of_its_own_and_leaves_nothing_to_redo():
    text, history = typed(("a", "x", 0)).undo("b")
    history = history.edited(text, "x", 0.1)
    assert (history.past, history.future) == (("a",), ())


def test_the_oldest_steps_are_forgotten():
    history = typed(*((str(number), str(number), 0.0) for number in range(MOST_STEPS + 5)))
    assert len(history.past) == MOST_STEPS
    assert history.past[0] == "5"
