"""The bed for the tests here: started once for all of them, or a cluster of your own by `--kubeconfig`.

Several pytest processes share one bed. It ends with the process that collects for them. EMQX_TUI_BED names the folder
of one that runs already, EMQX_TUI_BED_OPERATOR=simulated takes the simulated operator.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.bed.brought import BROKERS, why_no_brokers
from tests.cluster.bed.outside import START_S, Control, why_not
from tests.cluster.case import Case, Cluster

HERE = Path(__file__).parent

SIMULATED = ["--simulated"] if os.environ.get("EMQX_TUI_BED_OPERATOR") == "simulated" else []
"""The simulated operator also where the real one is at hand: what holds for one has to hold for the other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            # The bed outlives the handle on its process, and is ended by itself.
            item.add_marker(pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"))
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(900))


_BEDS: list[subprocess.Popen[bytes]] = []
"""Those that this process has started; each ends by itself."""
END_S = 60.0
"""An ending bed stops its programs one after the other."""


def _start(folder: Path, log: Path, until: int, *words: str | Path) -> None:
    """A bed of its own process, that lives as long as the process `until`; it removes `folder`, not `log`."""
    with log.open("wb") as out:
        bed = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.bed", "--folder", folder, "--until", str(until), *SIMULATED, *words],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    _BEDS.append(bed)


def _end(control: Control) -> None:
    """End the bed that was started last, and wait for it."""
    control.post("/end")
    _BEDS.pop().wait(END_S)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The bed, or the cluster that was asked for."""
    given = request.config.getoption("--kubeconfig")
    if given:
        yield Cluster(Path(given), None)
        return
    if running := os.environ.get("EMQX_TUI_BED"):
        control = Control(Path(running))
        yield Cluster(Path(running) / "kubeconfig", control)
        control.close()
        return
    if reason := why_not():
        pytest.skip(reason)
    in_worker = "PYTEST_XDIST_WORKER" in os.environ
    shared = tmp_path_factory.getbasetemp().parent if in_worker else tmp_path_factory.getbasetemp()
    told = shared / "bed"
    with (shared / "bed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if told.exists():
            folder = Path(told.read_text())
        else:
            folder = Path(tempfile.mkdtemp(prefix="emqx-tui-bed-"))
            _start(folder, shared / "bed.log", os.getppid() if in_worker else os.getpid())
            told.write_text(str(folder))
        Cluster.wait_for(shared / "bed.log", START_S)
    control = Control(folder)
    made = Cluster(folder / "kubeconfig", control)
    yield made
    made.http.close()
    if not in_worker:
        _end(control)
    control.close()


@pytest.fixture
def own_cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    """A bed for one test, for what would disturb everybody else: a crashed or blocked operator."""
    if request.config.getoption("--kubeconfig"):
        pytest.skip("this test breaks the operator: it runs on a bed of its own only")
    with _own_bed(tmp_path) as made:
        yield made


@pytest.fixture
def brought_cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    """A bed for one test whose brokers are programs: those of EMQX_TUI_CLUSTER_BROKERS, or the stand-in."""
    if request.config.getoption("--kubeconfig"):
        pytest.skip("this test pauses brokers: it runs on a bed of its own only")
    if reason := why_no_brokers(BROKERS):
        pytest.skip(reason)
    with _own_bed(tmp_path, "--brokers", BROKERS) as made:
        yield made


@contextlib.contextmanager
def _own_bed(tmp_path: Path, *words: str | Path) -> Iterator[Cluster]:
    if reason := why_not():
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="emqx-tui-bed-"))
    log = tmp_path / "bed.log"
    _start(folder, log, os.getpid(), *words)
    Cluster.wait_for(log, START_S)
    control = Control(folder)
    made = Cluster(folder / "kubeconfig", control)
    yield made
    made.http.close()
    _end(control)
    control.close()


@pytest.fixture
def make_case(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[..., Case]]:
    """`make_case()`: a namespace of its own; all are deleted at the end."""
    made: list[Case] = []

    def make(on: Cluster = cluster) -> Case:
        home = tmp_path / f"home-{len(made)}"
        home.mkdir()
        made.append(Case(on, home))
        return made[-1]

    yield make
    for case in made:
        case.close()


@pytest.fixture
def case(make_case: Callable[..., Case]) -> Case:
    return make_case()
