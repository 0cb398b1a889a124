"""A rehearsal has no setting left that leads to a real cluster or calls a person."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from emqx_tui.cli import main
from emqx_tui.cli.commands.rehearse import settings_of_its_own
from emqx_tui.cli.parsing.flags import Like, like
from emqx_tui.config import Settings


def test_nothing_of_the_real_cluster_is_left() -> None:
    given = Settings(
        kubeconfig="~/.kube/config",
        context="prod",
        cluster="c",
        user="u",
        namespace="mqtt",
        all_namespaces=True,
        as_user="root",
        as_groups=("system:masters",),
        emqx_access="direct",
        metrics="127.0.0.1:9090",
        notify="https://pager.example",
        colour="red",
        read_only=True,
        flight_log_dir=Path("/state"),
        sources={"kubeconfig": "--kubeconfig", "context": "--context"},
    )
    own, defaults = settings_of_its_own(given, 10.0), Settings()
    assert own.access_request() == defaults.access_request()
    assert (own.emqx_access, own.metrics, own.notify) == (defaults.emqx_access, defaults.metrics, defaults.notify)
    assert (own.read_only, own.clock_rate, own.colour) == (False, 10.0, "")
    assert own.flight_log_dir == Path("/state/rehearsals")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mqtt/emqx-ee", Like("", "mqtt", "emqx-ee")),
        ("prod/mqtt/emqx-ee", Like("prod", "mqtt", "emqx-ee")),
        ("arn:aws:eks:eu:1:cluster/prod/mqtt/emqx-ee", Like("arn:aws:eks:eu:1:cluster/prod", "mqtt", "emqx-ee")),
    ],
)
def test_which_cluster_it_is_like(text: str, found: Like) -> None:
    assert like(text) == found
    assert str(found) == text


@pytest.mark.parametrize("text", ["", "emqx-ee", "/emqx-ee", "mqtt/", "prod//emqx-ee"])
def test_half_a_name_names_no_cluster(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected CONTEXT/NAMESPACE/NAME"):
        like(text)


@pytest.mark.parametrize("spec", ["meteor@4m", "api-down", "api-down@soon", "green-pod-restart@4m+5s"])
def test_a_bad_fault_is_one_line_and_two(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rehearse", "--fault", spec]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("emqx-tui rehearse: argument --fault: ")
    assert told.err.count("\n") == 1
