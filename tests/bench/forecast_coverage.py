"""How often the truth lies inside the band of the forecast, over many random releases.

Run by hand: `.venv/bin/python -m tests.bench.forecast_coverage [--releases 1000] [--seed 2001]`; a thousand take about
an hour of one core. The paces were fitted to seeds up to 655. Prints each miss, then the figures that RESULTS.md keeps.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

from tests.support.random_release import Measured, random_release


def line_of(found: Measured) -> str:
    total, took = found.forecast.total_s, found.took_s
    band = f"{total.low:.0f} to {total.high:.0f} s" if total else "no band"
    took_words = f"took {took:.0f} s" if took is not None else f"ended as {found.run.result}"
    return f"seed {found.seed}: {band}, {took_words}"


class Outcome(NamedTuple):
    """What is kept of one release: a thousand with all that they saw fill a machine."""

    has_ended: bool
    is_inside: bool
    deviation: float


def outcome(found: Measured) -> Outcome:
    return Outcome(found.took_s is not None, found.is_inside, found.deviation)


def figures(found: Sequence[Outcome]) -> str:
    ended = [one for one in found if one.has_ended]
    inside = sum(one.is_inside for one in ended)
    widths = sorted(one.deviation for one in ended)
    return (
        f"{len(ended)} releases that ended by themselves (of {len(found)}): {inside / len(ended):.1%} inside the band, "
        f"band ±{widths[len(widths) // 2]:.1%} in the middle, ±{widths[-1]:.1%} at most"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the forecast against random releases.")
    parser.add_argument("--releases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=2001)
    chosen = parser.parse_args()
    found: list[Outcome] = []
    for seed in range(chosen.seed, chosen.seed + chosen.releases):
        measured = random_release(seed)
        found.append(outcome(measured))
        if not measured.is_inside:
            print(line_of(measured), flush=True)
        if len(found) % 50 == 0:
            print(figures(found), flush=True)
    print(figures(found))


if __name__ == "__main__":
    main()
