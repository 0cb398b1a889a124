"""Programs and what a run of one takes."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emqx_tui.sandbox.kube.objects import Object
from tests.bench.figures import RUNS
from tests.support.programs import environment
from tests.support.served import Served

KUBECTL, K9S = shutil.which("kubectl"), shutil.which("k9s")
WITHOUT_K9S = "k9s: not compared, it is not on PATH (`go install github.com/derailed/k9s@latest`)"


@dataclass(frozen=True)
class Took:
    """Of one run: seconds on the clock, seconds of CPU, and the most memory that it held."""

    wall_s: float
    cpu_s: float
    memory_mib: float


_WATCH = """
import os, sys, time
begun = time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[
    (os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)])
_, status, used = os.wait4(pid, 0)
print(time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""A process of its own, because the most memory of a child is counted from that of whoever started it."""


def run_of(words: Sequence[str], home: Path) -> Took:
    """Run a program to its end; its output is thrown away."""
    watch = [sys.executable, "-I", "-S", "-c", _WATCH, *words]
    done = subprocess.run(watch, env=environment(home), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}")
    return Took(*map(float, done.stdout.split()))


def median_run(words: Sequence[str], home: Path, runs: int = RUNS) -> Took:
    """The median of each; one run before, for caches."""
    run_of(words, home)
    return median_of_each([run_of(words, home) for _ in range(runs)])


def median_of_each(took: Sequence[Took]) -> Took:
    return Took(*(statistics.median(getattr(each, name) for each in took) for name in Took.__dataclass_fields__))


def emqx_tui(served: Served, *words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "emqx_tui", "--kubeconfig", str(served.kubeconfig), *words]


def kubectl(served: Served, *words: str) -> list[str]:
    """Empty where there is none."""
    return [KUBECTL, "--kubeconfig", str(served.kubeconfig), *words] if KUBECTL else []


def k9s(served: Served) -> list[str]:
    """On the list of clusters, refreshed as often as it can be. Empty where there is none."""
    list_of_all = ["--all-namespaces", "--command", "emqxenterprises", "--refresh", "1"]
    return [K9S, "--kubeconfig", str(served.kubeconfig), *list_of_all] if K9S else []


def fill(served: Served, clusters: int) -> None:
    """So many EmqxEnterprises in all. Only the first has nodes: the operator is stopped before the others come."""

    def add() -> None:
        world = served.world
        first = world.store.get("emqxenterprises", "default", "emqx-ee")
        # Its webhook has to see each of them, and no pass is to follow.
        world.operator.down = False
        for number in range(len(world.store.list("emqxenterprises", "default")), clusters):
            world.store.create("emqxenterprises", _at_rest(first, f"cluster-{number:04}"))
        world.operator.down = True

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
