"""A measured figure, and tables and JSON of many."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

RUNS = 5


@dataclass(frozen=True)
class Figure:
    """One figure: what it is of, its value, and what it is measured against."""

    bench: str
    what: str
    value: float
    unit: str
    aim: str = ""
    against: str = ""
    """The same of somebody else, measured in the same run, or a limit that was computed."""

    @property
    def cells(self) -> tuple[str, ...]:
        return (self.bench, self.what, f"{spelled(self.value)} {self.unit}".strip(), self.against, self.aim)


def spelled(value: float) -> str:
    """Three digits are enough."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def table(figures: Sequence[Figure]) -> str:
    """Markdown."""
    rows = [("benchmark", "figure", "measured", "against", "aim"), ("---",) * 5, *(figure.cells for figure in figures)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def document(figures: Sequence[Figure]) -> dict[str, Any]:
    """For JSON."""
    return {"machine": machine(), "figures": [asdict(figure) for figure in figures]}


def machine() -> str:
    """What the figures were measured on, and how busy it was."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load}"


def median_of(measure: Callable[[], float], runs: int = RUNS) -> float:
    return statistics.median(measure() for _ in range(runs))
