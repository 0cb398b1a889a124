"""What Prometheus gets: read back by its library's own parser and compared with the view."""

from __future__ import annotations

import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.metrics import FORGOTTEN_S, Metrics
from emqx_tui.rollout.policy import Approval
from emqx_tui.session.session import Session
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import View
from tests.support.desk import small_world
from tests.support.rehearsal.rehearse import Script, rehearse

PROMTOOL = shutil.which("promtool")
Labels = tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def views() -> list[View]:
    """Every view of a release with a person at each gate."""
    seen: list[View] = []

    def act(session: Session, view: View) -> None:
        seen.append(view)

    assert rehearse(small_world(), Script(approval=Approval.EVERY_NODE, act=act), limit_s=3600.0).result == "done"
    return seen


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def metrics(time: Time) -> Iterator[Metrics]:
    with Metrics("127.0.0.1:0", clock_rate=2.0, monotonic=time) as metrics:
        yield metrics


def scraped(metrics: Metrics) -> dict[tuple[str, Labels], float]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{metrics.port}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    )
    with urllib.request.urlopen(request) as answer:
        text = answer.read().decode()
    assert text.endswith("# EOF\n")
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}


def named(found: dict[tuple[str, Labels], float], name: str) -> dict[Labels, float]:
    return {labels: value for (each, labels), value in found.items() if each == f"emqx_tui_{name}"}


def one(found: dict[tuple[str, Labels], float], name: str) -> float:
    (value,) = named(found, name).values()
    return value


def labels(**more: str) -> Labels:
    return tuple(sorted({"namespace": "default", "name": "emqx-ee", **more}.items()))


def test_without_a_view_there_is_no_sample(metrics: Metrics) -> None:
    assert scraped(metrics) == {}


def test_every_figure_is_that_of_the_view(metrics: Metrics, views: list[View]) -> None:
    draining = [view for view in views if str(view.decision.phase) == "draining" and view.ledger.evicted]
    view = draining[len(draining) // 2]
    metrics.take(view)
    found = scraped(metrics)
    phases = named(found, "release_phase")
    assert [dict(key)["emqx_tui_release_phase"] for key, value in phases.items() if value] == ["draining"]
    members = [member for generation in view.snapshot.generations for member in generation.members]
    wanted = {m.name: m.live_connections for m in members if m.live_connections is not None}
    assert {dict(key)["node"]: value for key, value in named(found, "connections").items()} == wanted
    sample = facts.newest_sample(view)
    assert sample is not None
    assert one(found, "cluster_connections") == sample.sum
    ledger: Any = view.ledger
    for name in ("evicted", "landed", "on_their_way"):
        assert one(found, f"clients_{name}") == getattr(ledger, name)
    assert one(found, "clients_missing") == max(0, ledger.overdue)
    assert one(found, "driven") == 1.0
    assert one(found, "held") == 0.0


def test_a_gate_that_waits_for_a_person(metrics: Metrics, views: list[View]) -> None:
    waiting = next(view for view in views if facts.waits_for_person(view))
    metrics.take(waiting)
    assert named(scraped(metrics), "gate_waiting") == {labels(gate="cut-over"): 1.0}


def test_what_is_not_known_has_no_sample(metrics: Metrics, views: list[View]) -> None:
    view = next(view for view in views if view.ledger.evicted)
    unknown = replace(view.ledger, missing=None, landed=None)
    metrics.take(replace(view, ledger=unknown, samples=()))
    found = scraped(metrics)
    for name in ("clients_missing", "clients_landed", "cluster_connections", "figures_age_seconds"):
        assert named(found, name) == {}


def test_figures_grow_old_with_the_view_that_holds_them(metrics: Metrics, views: list[View], time: Time) -> None:
    view = next(view for view in views if view.samples and facts.newest_sample(view))
    metrics.take(view)
    age = one(scraped(metrics), "figures_age_seconds")
    time.now += 5.0
    assert one(scraped(metrics), "figures_age_seconds") == pytest.approx(age + 10.0), "the cluster's time runs double"
    time.now += FORGOTTEN_S
    assert scraped(metrics) == {}


@pytest.mark.parametrize("address", ["9464", ":9464", "localhost", "localhost:http", "localhost:70000"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="metrics: expected HOST:PORT"):
        Metrics(address)


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"metrics: cannot serve on 127.0.0.1:{port}: Address already in use"):
            Metrics(f"127.0.0.1:{port}").__enter__()


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_promtool_has_nothing_to_say(metrics: Metrics, views: list[View]) -> None:
    """Prometheus' own linter, which knows the older text format only."""
    for view in views:
        metrics.take(view)
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}/metrics") as answer:
        text = answer.read()
    assert b"emqx_tui_connections" in text
    checked = subprocess.run([PROMTOOL or "", "check", "metrics"], input=text, capture_output=True, timeout=30)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
