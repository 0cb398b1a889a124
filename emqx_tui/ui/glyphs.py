"""The signs that stand beside words, in two sets: Unicode, and ASCII for terminals that draw nothing else.

A sign never stands alone: the word beside it says the same, and so does the tone.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Glyphs:
    """One set of signs. Each takes one cell."""

    done: str
    running: str
    todo: str
    waiting: str
    failed: str
    alarm: str
    unknown: str
    serving: str
    out: str
    starting: str
    frozen: str
    separator: str
    bar_full: str
    bar_parts: str
    """Part-filled cells from thin to full, without the full one; empty when there are none."""
    bar_empty: str
    ellipsis: str
    arrow: str
    crumb: str
    sum_marker: str
    axis_tick: str
    axis_cross: str
    axis_time: str
    axis_flat: str


UNICODE = Glyphs(
    done="✔",
    running="▶",
    todo="○",
    waiting="⏸",
    failed="✘",
    alarm="▲",
    unknown="?",
    serving="●",
    out="■",
    starting="◌",
    frozen="❄",
    separator="·",
    bar_full="█",
    bar_parts="▏▎▍▌▋▊▉",
    bar_empty="─",
    ellipsis="…",
    arrow="→",
    crumb="▸",
    sum_marker="━",
    axis_tick="┤",
    axis_cross="┼",
    axis_time="┬",
    axis_flat="─",
)

ASCII = Glyphs(
    done="+",
    running=">",
    todo="o",
    waiting="=",
    failed="X",
    alarm="!",
    unknown="?",
    serving="*",
    out="#",
    starting=".",
    frozen="=",
    separator=".",
    bar_full="#",
    bar_parts="",
    bar_empty="-",
    ellipsis="~",
    arrow="->",
    crumb=">",
    sum_marker="=",
    axis_tick="|",
    axis_cross="+",
    axis_time="+",
    axis_flat="-",
)


def glyphs(is_ascii: bool) -> Glyphs:
    """The set to draw with."""
    return ASCII if is_ascii else UNICODE
