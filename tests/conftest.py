"""Options, marks and lanes of the whole suite; pytest takes the first from here only."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Rewritten test modules are kept for the next run even where PYTHONDONTWRITEBYTECODE is set: compiling all of them
# costs each worker seven seconds.
sys.dont_write_bytecode = False

# How long one example takes is the machine's affair: on a busy one 200 ms are over without a fault. A hang ends by
# pytest's own timeout.
settings.register_profile("unhurried", settings(deadline=None))
settings.load_profile("unhurried")

HERE = Path(__file__).parent

QUICK = (
    "architecture",
    "cli",
    "model",
    "mqtt_bench",
    "rollout",
    "session",
    "sandbox",
    "test_config.py",
    "test_explain.py",
)
"""What `-m quick` runs: lint, types, import contracts, and the tests that open no terminal and play no release."""

ONE_AT_A_TIME = ("e2e",)
"""These wait for programs most of the time. One worker takes them one after the other, so that they neither slow each
other down nor leave a core idle."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kubeconfig", default="", help="run the tests marked 'cluster' on this cluster, not on the bed")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`-m quick` need not import the other rooms: that is two thirds of the collection, for each worker."""
    if config.option.markexpr != "quick" or HERE not in collection_path.parents:
        return None
    return collection_path.relative_to(HERE).parts[0] not in QUICK or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE not in item.path.parents:
            continue
        room = item.path.relative_to(HERE).parts[0]
        if room in QUICK and item.get_closest_marker("soak") is None:
            item.add_marker(pytest.mark.quick)
        if room in ONE_AT_A_TIME:
            item.add_marker(pytest.mark.xdist_group(room))


def pytest_collection_finish() -> None:
    """All test modules stay until the end: the garbage collector need not look through them again and again.

    Nor after every 700 objects: a quarter of the time of the screens' tests went there.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 5, 5)


class _Failures(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(logging.Formatter().format(record))


@pytest.fixture(autouse=True)
def sandbox_failures() -> Iterator[list[str]]:
    """What the sandbox logged as failed: the sandbox goes on, the test fails. Who provokes it clears the list."""
    failures, logger = _Failures(), logging.getLogger("emqx_tui.sandbox")
    logger.addHandler(failures)
    yield failures.told
    logger.removeHandler(failures)
    assert not failures.told, "\n".join(failures.told)
