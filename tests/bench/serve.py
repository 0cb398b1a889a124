"""A sandbox as a process of its own: `python -m tests.bench.serve NODES CHURN_PER_S`.

Prints the path of its kubeconfig, and ends with its standard input. In a thread of the process that measures it would
keep a key and its answer waiting.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from tests.support.programs import SOURCES
from tests.support.served import Served


@contextlib.contextmanager
def serving(nodes: int, churn_per_s: float) -> Iterator[list[str]]:
    """The flags of a console on it."""
    words = [sys.executable, "-m", "tests.bench.serve", str(nodes), str(churn_per_s)]
    with subprocess.Popen(words, cwd=SOURCES, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield ["--kubeconfig", process.stdout.readline().strip()]
        process.stdin.close()


def main() -> None:
    nodes, churn_per_s = int(sys.argv[1]), float(sys.argv[2])
    with Served(speed=1, clients=100_000, nodes=nodes, churn_per_s=churn_per_s) as served:
        print(served.kubeconfig, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
