"""Options of the whole suite; pytest takes them from here only."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kubeconfig", default="", help="run the tests marked 'cluster' on this cluster, not on the bed")
