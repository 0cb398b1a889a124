"""What a console knows, for Prometheus: OpenMetrics over HTTP, by `prometheus-client`.

Owns the names of the metrics and the server's thread. A scrape reads the newest Views, which never change: no session
waits for it. What is not known has no sample; a figure is never older than `emqx_tui_figures_age_seconds` says.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric, StateSetMetricFamily
from prometheus_client.registry import Collector

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.rollout.phases import Phase
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import View

CLUSTER = ("namespace", "name")
FORGOTTEN_S = 15.0
"""Wall seconds: a session publishes every three at the latest. What is older is of a session that has ended."""


class Metrics(Collector):
    """`with Metrics("127.0.0.1:9464") as metrics: metrics.take(view)`."""

    def __init__(
        self, address: str, *, clock_rate: float = 1.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock_rate`: speed of the cluster's time. Raises ConfigError for what is no HOST:PORT."""
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise ConfigError("metrics: expected HOST:PORT such as 127.0.0.1:9464")
        self.host, self._port = host.strip("[]"), int(port)
        self._lock = threading.Lock()
        self._rate = clock_rate
        self._monotonic = monotonic
        self._views: dict[tuple[str, str], tuple[View, float]] = {}
        """The newest view of each cluster, and when it came."""

    def __enter__(self) -> Metrics:
        """Serve. Raises ConfigError where the address cannot be used."""
        registry = CollectorRegistry()
        registry.register(self)
        try:
            self._server, self._thread = start_http_server(self._port, self.host, registry)
        except OSError as error:
            raise ConfigError(f"metrics: cannot serve on {self.host}:{self._port}: {error.strerror}") from error
        self.port: int = self._server.server_port
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, view: View) -> None:
        """The newest view of a cluster. Never blocks for longer than a scrape copies a dictionary."""
        with self._lock:
            self._views[view.snapshot.namespace, view.snapshot.name] = view, self._monotonic()

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            views = dict(self._views)
        found = _families()
        for key, (view, came_at) in sorted(views.items()):
            waited_s = self._monotonic() - came_at
            if waited_s < FORGOTTEN_S:
                _add(found, key, view, waited_s * self._rate)
        yield from found.values()


def _families() -> dict[str, Metric]:
    gauges = {
        "connections": ("Live connections of a node.", (*CLUSTER, "generation", "node")),
        "cluster_connections": ("Live connections of the cluster, when every node was counted.", CLUSTER),
        "figures_age_seconds": ("How long ago EMQX's connections were counted.", CLUSTER),
        "gate_waiting": ("1 while a gate waits for a person.", (*CLUSTER, "gate")),
        "held": ("1 while the release is held, with the check that holds it.", (*CLUSTER, "check")),
        "driven": ("1 while a console drives the release, 0 while none does.", CLUSTER),
        "clients_evicted": ("Clients that the drains have disconnected.", CLUSTER),
        "clients_landed": ("Of these, clients that are on green.", CLUSTER),
        "clients_on_their_way": ("Of these, clients that may still be reconnecting.", CLUSTER),
        "clients_missing": ("Of these, clients that are on neither side and not on their way.", CLUSTER),
        "leaving_per_second": ("Clients that leave a node each second.", (*CLUSTER, "node")),
    }
    families: dict[str, Metric] = {
        name: GaugeMetricFamily(f"emqx_tui_{name}", text, labels=labels) for name, (text, labels) in gauges.items()
    }
    families["release_phase"] = StateSetMetricFamily("emqx_tui_release_phase", "Phase of the release.", labels=CLUSTER)
    return families


def _add(found: dict[str, Metric], key: tuple[str, str], view: View, waited_s: float) -> None:
    """The samples of one cluster; its view came so many seconds of cluster time ago."""

    def gauge(name: str, value: float | None, *labels: str) -> None:
        if value is not None:
            family = found[name]
            assert isinstance(family, GaugeMetricFamily)
            family.add_metric((*key, *labels), value)

    phases = found["release_phase"]
    assert isinstance(phases, StateSetMetricFamily)
    phases.add_metric(key, {str(phase): phase is view.decision.phase for phase in Phase})
    snapshot, sample = view.snapshot, facts.newest_sample(view)
    for generation in snapshot.generations:
        for member in generation.members:
            gauge("connections", member.live_connections, str(generation.colour), member.name)
    if sample is not None:
        gauge("cluster_connections", sample.sum)
        gauge("figures_age_seconds", (view.now - sample.at).total_seconds() + waited_s)
    for pod, rate in view.rates:
        gauge("leaving_per_second", rate, pod)
    if view.journal is None:
        return
    if view.decision.gate is not None:
        gauge("gate_waiting", float(facts.waits_for_person(view)), str(view.decision.gate.id))
    hold = view.journal.hold
    gauge("held", float(hold is not None), hold.check if hold else "")
    gauge("driven", float(bool(view.driver)))
    ledger = view.ledger
    gauge("clients_evicted", ledger.evicted)
    gauge("clients_landed", ledger.landed)
    gauge("clients_on_their_way", ledger.on_their_way)
    gauge("clients_missing", None if ledger.overdue is None else max(0, ledger.overdue))
