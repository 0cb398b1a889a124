"""`emqx-tui dashboard`: a Grafana dashboard for people who have Prometheus.

Its first panel is the release document's: a line for each node and their sum on top, with minimum, maximum, average and
current value, and the gates as annotations; drawn from EMQX's own metrics or from those of `--metrics`.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from emqx_tui.cli.standard_output import say

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
OURS = 'namespace=~"$namespace",name=~"$name"'
CLIENTS = ("evicted", "landed", "on_their_way", "missing")
LEGEND = {"displayMode": "table", "placement": "bottom", "calcs": ["min", "max", "mean", "last"]}
GRAFANA_SCHEMA = 39
"""Of Grafana 10 and later; older ones read it, too."""


def run(arguments: Namespace) -> int:
    """Print it; the exit code."""
    say(json.dumps(dashboard(), indent=2))
    return 0


def dashboard() -> dict[str, Any]:
    """The whole dashboard, for Grafana's import."""
    panels = [
        _connections(
            "Connections (EMQX's own metrics)",
            ("sum by (instance) (emqx_connections_count)", "{{instance}}"),
            ("sum(emqx_connections_count)", "sum"),
        ),
        _connections(
            "Connections (emqx-tui)",
            (f"emqx_tui_connections{{{OURS}}}", "{{generation}} {{node}}"),
            (f"emqx_tui_cluster_connections{{{OURS}}}", "sum"),
        ),
        _graph(
            "Clients of the drains",
            *(
                (f"emqx_tui_clients_{each}{{{OURS}}}", each)
                for each in ("evicted", "landed", "on_their_way", "missing")
            ),
        ),
        _graph("Leaving per second", (f"emqx_tui_leaving_per_second{{{OURS}}}", "{{node}}")),
        _graph("Age of the figures", (f"emqx_tui_figures_age_seconds{{{OURS}}}", "{{namespace}}/{{name}}"), unit="s"),
    ]
    for number, panel in enumerate(panels):
        panel |= {"id": number + 1, "gridPos": {"x": 0, "y": 10 * number, "w": 24, "h": 10}}
    return {
        "title": "EMQX blue-green release",
        "uid": "emqx-tui",
        "schemaVersion": GRAFANA_SCHEMA,
        "refresh": "5s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus"},
                _choice("namespace", "label_values(emqx_tui_release_phase, namespace)"),
                _choice("name", 'label_values(emqx_tui_release_phase{namespace=~"$namespace"}, name)'),
            ]
        },
        "annotations": {
            "list": [
                _annotation("gates", f"emqx_tui_gate_waiting{{{OURS}}} == 1", "{{gate}} waits for a person", "orange"),
                _annotation("holds", f"emqx_tui_held{{{OURS}}} == 1", "held {{check}}", "red"),
            ]
        },
        "panels": panels,
    }


def _connections(title: str, nodes: tuple[str, str], total: tuple[str, str]) -> dict[str, Any]:
    panel = _graph(title, nodes, total)
    panel["options"]["legend"] = {
        "displayMode": "table",
        "placement": "bottom",
        "calcs": ["min", "max", "mean", "last"],
    }
    return panel


def _graph(title: str, *queries: tuple[str, str], unit: str = "short") -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": title,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"tooltip": {"mode": "multi"}, "legend": {"displayMode": "list", "placement": "bottom"}},
        "targets": _targets(queries),
    }


def _targets(queries: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"refId": chr(ord("A") + number), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
        for number, (expression, legend) in enumerate(queries)
    ]


def _choice(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": query,
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


def _annotation(name: str, expression: str, title: str, colour: str) -> dict[str, Any]:
    return {
        "name": name,
        "enable": True,
        "datasource": SOURCE,
        "expr": expression,
        "titleFormat": title,
        "iconColor": colour,
        "step": "5s",
    }
