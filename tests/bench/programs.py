"""Programs and what a run of one takes."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emqx_tui.sandbox.kube.objects import Object
from tests.bench.figures import RUNS
from tests.support.programs import environment
from tests.support.served import Served

KUBECTL = shutil.which("kubectl")


@dataclass(frozen=True)
class Took:
    """Of one run: seconds on the clock, seconds of CPU, and the most memory that it held."""

    wall_s: float
    cpu_s: float
    memory_mib: float


def run_of(words: Sequence[str], home: Path) -> Took:
    """Run a program to its end; its output is thrown away."""
    begun = time.perf_counter()
    process = subprocess.Popen(words, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}")
    return Took(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def median_run(words: Sequence[str], home: Path, runs: int = RUNS) -> Took:
    """The median of each; one run before, for caches."""
    run_of(words, home)
    took = [run_of(words, home) for _ in range(runs)]
    return Took(*(statistics.median(getattr(each, name) for each in took) for name in Took.__dataclass_fields__))


def emqx_tui(served: Served, *words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "emqx_tui", "--kubeconfig", str(served.kubeconfig), *words]


def kubectl(served: Served, *words: str) -> list[str]:
    """Empty where there is none."""
    return [KUBECTL, "--kubeconfig", str(served.kubeconfig), *words] if KUBECTL else []


def fill(served: Served, clusters: int) -> None:
    """So many EmqxEnterprises in all. Only the first has nodes: the operator is stopped before the others come."""

    def add() -> None:
        world = served.world
        world.operator.down = True
        first = world.store.get("emqxenterprises", "default", "emqx-ee")
        for number in range(len(world.store.list("emqxenterprises", "default")), clusters):
            world.store.create("emqxenterprises", _at_rest(first, f"cluster-{number:04}"))

    served.call(add)


def _at_rest(first: Object, name: str) -> Object:
    status = {"conditions": first["status"]["conditions"], "readyReplicas": 0, "replicas": 0}
    spec = {**first["spec"], "replicas": 0}
    return {
        "apiVersion": first["apiVersion"],
        "kind": first["kind"],
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
        "status": status,
    }
