"""PURE: the console's own themes: every colour that means something, in one place.

Each theme has a colour for each tone (`spans.Tone`), a ground for the top line of each kind of context, and the grounds
that text stands on; tests compute that text keeps a contrast of 4.5 on all of them, and that what has to be told apart
stays apart for the eyes the theme is for. No meaning rests on colour alone: a word or a sign beside it says the same.

Loads nothing: the settings take the names from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

COLOURS = ("red", "orange", "yellow", "green", "cyan", "purple")
"""They tell contexts apart, behind the top line."""


@dataclass(frozen=True)
class Theme:
    """Colours as `#rrggbb`."""

    name: str
    means: str
    """For whom or what it is, as a sentence."""
    is_dark: bool
    foreground: str
    background: str
    surface: str
    panel: str
    primary: str
    """What is chosen, and what has the focus."""
    tones: Mapping[str, str]
    """By tone; a tone that is left out has the foreground."""
    contexts: Mapping[str, str]
    """By colour of the settings: the ground of the top line."""
    bars: Mapping[str, float]
    """By tone: how much of its colour the status bar takes, of 1."""
    production: float
    """How much of the loudest colour the top line of a production context takes, of 1."""
    cursor: float
    """How much of `primary` the chosen row takes, of 1; two thirds of it without the focus."""
    has_hues: bool = True
    has_signs: bool = False
    """Curves are drawn with a sign each, so that they differ without their colours."""

    @property
    def shade(self) -> str:
        """What the colours of several curves of one tone go towards."""
        return "#ffffff" if self.is_dark else "#000000"

    def variables(self) -> dict[str, str]:
        """What the style sheets and the drawn lines use, by name."""
        found = {f"tone-{tone}": colour for tone, colour in self.tones.items()}
        found |= {f"bar-{tone}": mix(self._of(tone), self.background, part) for tone, part in self.bars.items()}
        found |= {f"context-{name}": ground for name, ground in self.contexts.items()}
        found["production"] = mix(self._of("call"), self.background, self.production)
        found["cursor"] = mix(self.primary, self.background, self.cursor)
        found["cursor-unfocused"] = mix(self.primary, self.background, self.cursor * 2 / 3)
        return found | {"shade": self.shade}

    def _of(self, tone: str) -> str:
        return self.tones["blue" if tone == "plain" else tone]


def mix(over: str, under: str, part: float) -> str:
    """`part` of one colour on another."""
    pairs = zip(channels(over), channels(under), strict=True)
    return "#" + "".join(f"{round(low + (high - low) * part):02x}" for high, low in pairs)


def channels(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of `#rrggbb`."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


DARK = Theme(
    name="dark",
    means="Dark.",
    is_dark=True,
    foreground="#e0e0e0",
    background="#121212",
    surface="#1e1e1e",
    panel="#242f38",
    primary="#0178d4",
    tones={
        "dim": "#949dad",
        "good": "#5fb878",
        "wait": "#b9a16b",
        "warn": "#e3b341",
        "bad": "#ff6b6b",
        "call": "#ffd75f",
        "blue": "#6ea8ff",
        "green": "#4ec98a",
        "sum": "#d6dbe5",
        "key": "#e3b341",
    },
    contexts={
        "red": "#541a1e",
        "orange": "#452a10",
        "yellow": "#38320d",
        "green": "#12361a",
        "cyan": "#0f363d",
        "purple": "#3d2354",
    },
    bars={"call": 0.28, "bad": 0.28, "warn": 0.2, "wait": 0.15, "good": 0.18, "plain": 0.15},
    production=0.13,
    cursor=0.34,
)

LIGHT = Theme(
    name="light",
    means="Light.",
    is_dark=False,
    foreground="#1b1d21",
    background="#fafafa",
    surface="#f0f1f3",
    panel="#e4e7eb",
    primary="#1a6fc4",
    tones={
        "dim": "#565e6b",
        "good": "#1b6b36",
        "wait": "#655316",
        "warn": "#7d5000",
        "bad": "#b3151f",
        "call": "#853700",
        "blue": "#1a4fc4",
        "green": "#0a6b45",
        "sum": "#20242b",
        "key": "#7d5000",
    },
    contexts={
        "red": "#f6d5d5",
        "orange": "#f7dcc4",
        "yellow": "#f1e6b8",
        "green": "#d3ecd6",
        "cyan": "#cdeaf0",
        "purple": "#e6d8f2",
    },
    bars={"call": 0.16, "bad": 0.14, "warn": 0.12, "wait": 0.1, "good": 0.12, "plain": 0.1},
    production=0.14,
    cursor=0.18,
)

DEUTERANOPIA = replace(
    DARK,
    name="deuteranopia",
    means="Dark; blue, yellow and orange instead of red and green.",
    tones={
        **DARK.tones,
        "good": "#7ab6ff",
        "wait": "#b5ad94",
        "warn": "#ffe9a0",
        "bad": "#f0813a",
        "call": "#fff3c4",
        "blue": "#6ea8ff",
        "green": "#d9b53a",
        "sum": "#e4e6ea",
        "key": "#ffe9a0",
    },
    has_signs=True,
)

TRITANOPIA = replace(
    DARK,
    name="tritanopia",
    means="Dark; cyan, pink and red instead of blue and yellow.",
    tones={
        **DARK.tones,
        "good": "#45c4d6",
        "wait": "#b7aeb0",
        "warn": "#f4e9d8",
        "bad": "#ff7070",
        "call": "#ffffff",
        "blue": "#4bb0ca",
        "green": "#ffa3ad",
        "sum": "#eceff3",
        "key": "#f4e9d8",
    },
    has_signs=True,
)

MONO = replace(
    DARK,
    name="mono",
    means="Shades of grey only; signs and words tell.",
    panel="#2c2c2c",
    primary="#7a7a7a",
    tones={
        "dim": "#9c9c9c",
        "good": "#c8c8c8",
        "wait": "#b0b0b0",
        "warn": "#f0f0f0",
        "bad": "#ffffff",
        "call": "#ffffff",
        "blue": "#b8b8b8",
        "green": "#d8d8d8",
        "sum": "#ffffff",
        "key": "#f0f0f0",
    },
    contexts=dict.fromkeys(COLOURS, "#303030"),
    production=0.12,
    cursor=0.3,
    has_hues=False,
    has_signs=True,
)

THEMES: Mapping[str, Theme] = MappingProxyType(
    {theme.name: theme for theme in (DARK, LIGHT, DEUTERANOPIA, TRITANOPIA, MONO)}
)
