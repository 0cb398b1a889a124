"""Filters over finished lines: ASCII for terminals that draw nothing else, and no colour at all for NO_COLOR.

They work on what every widget has drawn, borders and scroll bars included, so that no widget has to know. Each sign
is replaced by one of the same width: nothing moves.
"""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SIGNS = {
    "→": ">", "←": "<", "↑": "^", "↓": "v", "▸": ">", "▶": ">", "◂": "<", "◀": "<", "…": "~", "·": "-", "–": "-",
    "—": "-", "±": "~", "≈": "~", "≤": "<", "≥": ">", "×": "x", "✔": "+", "✓": "+", "✘": "X", "✕": "X", "●": "*",
    "○": "o", "◌": ".", "◇": "?", "◆": "#", "■": "#", "▲": "!", "▼": "v", "▾": "v", "‖": "=", "•": "*", "▐": "[",
    "▌": "]", "█": "#", "┊": "|", "�": "?",
}  # fmt: skip
_BOXES = {
    **dict.fromkeys("─━═╌╍┄┅┈┉╴╶╸╺▁▔▂", "-"),
    **dict.fromkeys("│┃║╎╏┆┇╵╷╹╻▏▕▎▍▋▊▉", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╔╗╚╝╠╣╦╩╬╭╮╰╯┏┓┗┛┣┫┳┻╋╒╓╕╖╘╙╛╜", "+"),
    **dict.fromkeys("▀▄▖▗▘▝▙▛▜▟░▒▓▃▅▆▇", "#"),
}
_TABLE = str.maketrans({**_SIGNS, **_BOXES, **{chr(dot): "." for dot in range(0x2800, 0x2900)}, "\u2800": " "})


def to_ascii(text: str) -> str:
    """Our signs as ASCII ones of the same width; letters of other scripts stay as they are."""
    return text if text.isascii() else text.translate(_TABLE)


class AsciiFilter(LineFilter):
    """Replaces our signs on everything that is drawn."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]
