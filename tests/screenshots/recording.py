"""PURE: several pictures of one size as one SVG that shows them in turn, without a script, for as long as one looks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate

Frame = tuple[str, float]
"""An SVG, as Rich exports it, and for how many seconds it is shown."""
_OPENING = re.compile(r"\s*<svg\b[^>]*>")


def recording(frames: Sequence[Frame]) -> str:
    """The frames in their order, over and over; the first alone where a reader wants nothing that moves."""
    ends = list(accumulate(seconds for _, seconds in frames))
    starts = [0.0, *ends[:-1]]
    opening = _OPENING.match(frames[0][0])
    assert opening is not None
    timing = "\n".join(_timing(number, start, ends[number], ends[-1]) for number, start in enumerate(starts))
    bodies = "\n".join(f'<g class="frame" id="frame-{n}">{_inside(svg)}</g>' for n, (svg, _) in enumerate(frames))
    return f"{opening[0].strip()}\n<style>\n{_STYLE}{timing}\n}}\n</style>\n{bodies}\n</svg>\n"


_STYLE = """\
.frame { visibility: hidden }
#frame-0 { visibility: visible }
@media (prefers-reduced-motion: no-preference) {
"""


def _timing(number: int, start: float, end: float, total: float) -> str:
    begins, ends = 100 * start / total, 100 * end / total
    return (
        f"#frame-{number} {{ animation: at-{number} {total:g}s step-end infinite }}\n"
        f"@keyframes at-{number} {{ 0% {{ visibility: hidden }} {begins:.3f}% {{ visibility: visible }} "
        f"{ends:.3f}% {{ visibility: hidden }} }}"
    )


def _inside(svg: str) -> str:
    """What stands between the outermost tags."""
    return _OPENING.sub("", svg, count=1).rstrip().removesuffix("</svg>")
