"""The themes as numbers: what is read has contrast, and what has to be told apart is apart for the eyes it is for."""

from __future__ import annotations

import itertools

import pytest

from emqx_tui.ui.text.spans import Tone
from emqx_tui.ui.text.themes import COLOURS, DARK, LIGHT, MONO, THEMES, Theme, channels, mix
from tests.support.colours import DEUTERANOPE, NORMAL, TRITANOPE, Sight, ciede2000, contrast, distance

LEAST_CONTRAST = 4.5
APART = 15.0
"""CIEDE2000: a difference that is told at a glance, and without the other colour beside it."""
EACH = pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
SERIES = (Tone.BLUE, Tone.GREEN, Tone.SUM)
OUTCOMES = (Tone.GOOD, Tone.WARN, Tone.BAD)


def grounds(theme: Theme) -> dict[str, str]:
    """What any text may stand on."""
    found = theme.variables()
    named = {name: found[name] for name in found if name.startswith("context-")}
    named |= {name: found[name] for name in ("production", "cursor", "cursor-unfocused")}
    return named | {"background": theme.background, "surface": theme.surface, "panel": theme.panel}


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ],
)
def test_the_distance_is_the_papers(one, other, apart):
    """Pairs of table 1 of the paper."""
    assert ciede2000(one, other) == pytest.approx(apart, abs=1e-4)


def test_contrast_is_wcags():
    assert contrast("#ffffff", "#000000") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@EACH
def test_text_can_be_read_on_every_ground(theme: Theme):
    found = {
        (tone, name): round(contrast(colour, ground), 2)
        for name, ground in grounds(theme).items()
        for tone, colour in {**theme.tones, "plain": theme.foreground}.items()
    }
    assert {pair: ratio for pair, ratio in found.items() if ratio < LEAST_CONTRAST} == {}


@EACH
def test_the_status_bar_can_be_read_whatever_it_says(theme: Theme):
    """Its words are plain, a key, or a warning."""
    bars = {name: ground for name, ground in theme.variables().items() if name.startswith("bar-")}
    words = {"plain": theme.foreground, "key": theme.tones["key"], "warn": theme.tones["warn"]}
    found = {(w, b): round(contrast(words[w], bars[b]), 2) for w, b in itertools.product(words, bars)}
    assert {pair: ratio for pair, ratio in found.items() if ratio < LEAST_CONTRAST} == {}


@EACH
def test_the_field_that_is_typed_in_can_be_read(theme: Theme):
    for part in (0.4, 0.6):
        assert contrast(theme.foreground, mix(theme.primary, theme.surface, part)) >= LEAST_CONTRAST


@pytest.mark.parametrize(
    ("name", "sight"),
    [
        ("dark", NORMAL),
        ("light", NORMAL),
        ("deuteranopia", NORMAL),
        ("deuteranopia", DEUTERANOPE),
        ("tritanopia", NORMAL),
        ("tritanopia", TRITANOPE),
    ],
)
@pytest.mark.parametrize("told_apart", [SERIES, OUTCOMES], ids=["series", "outcomes"])
def test_what_has_to_be_told_apart_is_apart_for_these_eyes(name: str, sight: Sight, told_apart: tuple[Tone, ...]):
    tones = THEMES[name].tones
    found = {
        (one, other): round(distance(tones[one], tones[other], sight), 1)
        for one, other in itertools.combinations(told_apart, 2)
    }
    assert {pair: far for pair, far in found.items() if far < APART} == {}


def test_the_usual_colours_are_not_enough_for_these_eyes():
    """What the two themes are for: with the dark one a deuteranope takes a failure for a success."""
    assert distance(DARK.tones["good"], DARK.tones["bad"], DEUTERANOPE) < APART
    assert distance(DARK.tones["blue"], DARK.tones["green"], TRITANOPE) < APART


def test_mono_has_no_hue():
    colours = {*MONO.variables().values(), MONO.foreground, MONO.background, MONO.surface, MONO.panel, MONO.primary}
    assert [colour for colour in colours if len(set(channels(colour))) > 1] == []
    assert not MONO.has_hues


@EACH
def test_a_theme_leaves_nothing_out(theme: Theme):
    assert theme.tones.keys() == set(Tone) - {Tone.PLAIN, Tone.STRONG}
    assert tuple(theme.contexts) == COLOURS
    assert theme.bars.keys() == DARK.bars.keys()
    assert theme.is_dark is (theme is not LIGHT)
    assert contrast(theme.shade, theme.background) > contrast(theme.foreground, theme.background)
