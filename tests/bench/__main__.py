"""Every benchmark, or those that are named: `.venv/bin/python -m tests.bench [NAME ...] [--json FILE]`.

Prints a Markdown table. Figures of programs are medians of five runs; those of the simulated world have no noise.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import commands, screens, simulated
from tests.bench.figures import Figure, document, machine, table

BENCHMARKS: dict[str, Callable[[], Iterator[Figure]]] = {
    each.__name__: each
    for each in (
        commands.start,
        commands.commands,
        screens.screens,
        screens.keys,
        simulated.requests,
        simulated.releases,
        simulated.exposure,
        simulated.memory,
        simulated.speed,
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    found: list[Figure] = []
    for name in chosen.names or BENCHMARKS:
        for figure in BENCHMARKS[name]():
            found.append(figure)
            print(" ".join(figure.cells), flush=True)
    print(f"\n{machine()}\n\n{table(found)}")
    if chosen.json:
        chosen.json.write_text(json.dumps(document(found), indent=1))


if __name__ == "__main__":
    main()
