"""Numbers, spans of time and ages as words: thousands separated, units named, unknown never shown as 0.

PURE. Instants are shown in UTC, as kubectl and the journal write them, so that lines can be compared across tools.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

UNKNOWN = "?"
"""A figure that should be there and is not known."""


def count(value: int | None) -> str:
    """`33,120`."""
    return UNKNOWN if value is None else f"{value:,}"


def short_count(value: float | None) -> str:
    """`33k`, `99.8k`, `1.2M`: three digits at most, for axes and legends."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    magnitude = abs(value)
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if magnitude >= size * 0.9995:
            scaled = value / size
            text = f"{scaled:.0f}" if abs(scaled) >= 100 else f"{scaled:.1f}"
            return text.removesuffix(".0") + unit
    return f"{value:.0f}"


def axis_count(value: float) -> str:
    """`33k`, `1.5k`: whole thousands from 10,000 up, as on an axis."""
    return f"{value / 1000:.0f}k" if 10_000 <= abs(value) < 1e6 else short_count(value)


def percent(ratio: float | None, digits: int = 2) -> str:
    """`0.21 %`."""
    return UNKNOWN if ratio is None else f"{ratio * 100:.{digits}f} %"


def per_s(rate: float | None) -> str:
    """`200/s`."""
    return UNKNOWN if rate is None else f"{rate:,.0f}/s"


def clock_span(seconds: float | None) -> str:
    """`4:31`, `1:02:03`: a span that is compared or counted down."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def span(seconds: float | None) -> str:
    """`46 s`, `2 min 46 s`, `1 h 5 min`: a span in a sentence."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, secs = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {secs} s" if secs else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def age(seconds: float | None) -> str:
    """`0.4 s`, `14 s`, `3 min`, `5 h`: how old a reading is."""
    if seconds is None:
        return "never"
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def object_age(seconds: float | None) -> str:
    """The age of an object as kubectl prints it: `12s`, `4m30s`, `4h`, `12d`, `3y20d`."""
    if seconds is None:
        return "-"
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _two(days // 365, "y", days % 365, "d") if days < 2920 else f"{days // 365}y"


def _two(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big}{big_unit}{small}{small_unit}" if small else f"{big}{big_unit}"


def clock(at: datetime) -> str:
    """`12:05:58`, in UTC."""
    return at.astimezone(UTC).strftime("%H:%M:%S")


def clock_minute(at: datetime) -> str:
    """`12:05`, in UTC."""
    return at.astimezone(UTC).strftime("%H:%M")


def plural(number: int | None, noun: str) -> str:
    """`1 node`, `3 nodes`, `? nodes`."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"
