"""The dashboard asks for metrics that there are."""

from __future__ import annotations

import json
import re

import pytest

from emqx_tui.adapters.metrics import Metrics
from emqx_tui.cli import main
from emqx_tui.cli.commands.dashboard import dashboard


def test_it_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboard"]) == 0
    assert json.loads(capsys.readouterr().out) == dashboard()


def test_every_metric_of_ours_is_served() -> None:
    served = {family.name for family in Metrics("127.0.0.1:0").collect()}
    asked = set(re.findall(r"emqx_tui_[a-z_]+", json.dumps(dashboard())))
    assert asked <= served
    assert "emqx_tui_cluster_connections" in asked


def test_the_first_panels_have_the_documents_legend() -> None:
    for panel in dashboard()["panels"][:2]:
        assert panel["options"]["legend"]["calcs"] == ["min", "max", "mean", "last"]
        assert [target["legendFormat"] for target in panel["targets"]][-1] == "sum"
