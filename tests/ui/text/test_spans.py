"""Lines of toned text: widths are cells, nothing is lost by wrapping, nothing is parsed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.ui.text.spans import TIE, Span, Tone, columns, crop, line, pad, plain, spread, width, wrap

words = st.text(alphabet="ab é漢字[]/ ", max_size=40)
lines = st.lists(st.builds(Span, words.filter(bool), st.sampled_from(list(Tone))), max_size=5).map(tuple)


@given(lines, st.integers(1, 30))
def test_crop_and_pad_keep_to_the_cells(spans, cells):
    assert width(crop(spans, cells)) <= cells
    assert width(pad(spans, cells)) == cells


@given(lines, st.integers(2, 30))
def test_wrap_loses_no_letter_and_fits(spans, cells):
    wrapped = wrap(spans, cells)
    assert all(width(part) <= cells for part in wrapped)
    assert "".join(plain(part) for part in wrapped).replace(" ", "") == plain(spans).replace(" ", "")


def test_wrap_breaks_at_blanks_and_keeps_tones():
    spans = line(("one two", Tone.BAD), " three")
    assert [plain(part) for part in wrap(spans, 8)] == ["one two", "three"]
    assert wrap(spans, 8)[0][0].tone is Tone.BAD


def test_a_word_of_two_tones_is_not_torn_apart():
    spans = line("aa bb ", ("✔", Tone.GOOD), "cc")
    assert [plain(part) for part in wrap(spans, 7)] == ["aa bb", "✔cc"]


def test_tied_words_that_are_longer_than_a_line_are_broken_like_others():
    spans = (Span("✔" + TIE, Tone.GOOD), Span(f"one{TIE}two{TIE}three"), Span("   "), Span(f"✔{TIE}four"))
    assert [plain(part) for part in wrap(spans, 10)] == ["✔ one two", "three", "✔ four"]


def test_tied_words_stay_together_and_come_out_with_blanks():
    assert [plain(part) for part in wrap(line(f"aaa b{TIE}c"), 6)] == ["aaa", "b c"]


def test_crop_marks_the_cut():
    assert plain(crop(line("abcdef"), 4)) == "abc…"


def test_spread_keeps_the_right_end():
    assert plain(spread(line("a long sentence"), line("key"), 16)) == "a long sent… key"


def test_markup_is_text():
    assert plain(columns([line("[bold]x[/]"), line("1")], (10, 3), "<>")) == "[bold]x[/]   1"
