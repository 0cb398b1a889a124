"""YAML, descriptions, Events and log lines as text."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.model.workloads import ClusterEvent
from emqx_tui.ui.objects.description import description
from emqx_tui.ui.objects.documents import events_text, yaml_text
from emqx_tui.ui.objects.log_lines import matching, wrapped
from tests.support.scripted import NOW

POD: dict[str, Any] = {
    "kind": "Pod",
    "apiVersion": "v1",
    "metadata": {
        "name": "emqx-ee-0",
        "namespace": "mqtt",
        "labels": {"a": "b", "c": "d"},
        "ownerReferences": [{"kind": "StatefulSet", "name": "emqx-ee", "controller": True}],
    },
    "spec": {
        "nodeName": "worker-1",
        "readinessGates": [{"conditionType": "apps.emqx.io/on-serving"}],
        "containers": [
            {
                "name": "emqx",
                "image": "emqx/emqx-ee:4.4.14",
                "ports": [{"containerPort": 1883}],
                "resources": {"limits": {"memory": "1Gi"}},
                "env": [{"name": "A", "value": "••••••"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s"}}}],
                "readinessProbe": {"httpGet": {"path": "/status", "port": 8081}, "periodSeconds": 5},
            }
        ],
        "volumes": [{"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}],
    },
    "status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady", "message": "why"}],
        "containerStatuses": [
            {
                "name": "emqx",
                "ready": True,
                "restartCount": 3,
                "state": {"running": {"startedAt": "2026-01-01T11:51:12Z"}},
                "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137, "message": "two\nlines"}},
            }
        ],
    },
}


def told(found: dict[str, Any], *events: ClusterEvent, problem: str = "") -> str:
    return description(found, events, problem, NOW)


def event(**fields: Any) -> ClusterEvent:
    at = (NOW - timedelta(minutes=3)).isoformat()
    about = {"kind": "Pod", "name": "emqx-ee-0"}
    body = {"metadata": {"name": "e"}, "type": "Warning", "reason": "BackOff", "message": "m", "involvedObject": about}
    return ClusterEvent.from_json({**body, "lastTimestamp": at, "count": 4, **fields})


@pytest.mark.parametrize(
    "words",
    [
        "Labels:          a: b\n                 c: d",
        "Controlled By:   StatefulSet/emqx-ee",
        "State:           Running",
        "Started:         2026-01-01T11:51:12Z",
        "Last State:      Terminated",
        "Exit Code:       137",
        "Restart Count:   3",
        "Limits:          memory=1Gi",
        "A: ••••••",
        "B: <secretKeyRef=name=s>",
        "Http Get:",
        "apps.emqx.io/on-serving: not set",
        "Ready False  ReadinessGatesNotReady: why",
        "data:\n    Empty Dir:\n      Size Limit:  1Gi",
        "3m (x4)     Warning   BackOff   m",
    ],
)
def test_a_pod_is_described_as_kubectl_does(words):
    assert words in told(POD, event())


def test_a_stateful_set_tells_replicas_revision_and_template():
    found = {
        "kind": "StatefulSet",
        "metadata": {"name": "emqx-ee"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"spec": {"containers": [{"name": "emqx", "image": "x:1"}]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
        },
        "status": {"replicas": 2, "readyReplicas": 1, "updateRevision": "r2"},
    }
    text = told(found)
    for words in ("3 desired | 2 total", "Revision:        r2", "Image:           x:1", "Volume Claims:   data"):
        assert words in text


def test_another_object_is_told_field_by_field():
    found = {
        "kind": "EmqxEnterprise",
        "metadata": {"name": "emqx-ee"},
        "spec": {"blueGreenUpdate": {"initialDelaySeconds": 60}, "list": [{"a": 1, "b": 2}, "x"], "empty": {}},
    }
    text = told(found)
    assert "Blue Green Update:\n    Initial Delay Seconds:  60" in text
    assert "  List:\n    - A:  1\n      B:  2\n    - x" in text


def test_events_that_may_not_be_listed_hide_nothing_else():
    text = told(POD, problem="not allowed: events is forbidden")
    assert "Restart Count:   3" in text
    assert text.endswith("Events:\n  not allowed: events is forbidden\n")


_keys = st.sampled_from(["spec", "kind", "name", "env"])
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["spec", "kind", "name", "env"]), inner)
    ),
    max_leaves=12,
)


@given(st.sampled_from(["Pod", "StatefulSet", "Other", None]), st.dictionaries(st.sampled_from(sorted(POD)), _json))
def test_whatever_an_object_holds_it_can_be_described(kind, found):
    assert isinstance(told({**found, "kind": kind}), str)


def test_yaml_has_kubectls_order_and_reads_back_as_the_same():
    found = {"spec": {"a": "0755"}, "metadata": {"name": "x", "managedFields": [{"manager": "m"}]}, "kind": "Pod"}
    text = yaml_text(found)
    assert text.splitlines()[:2] == ["# managedFields folded (m): m", "kind: Pod"]
    assert yaml.safe_load(text) == {**found, "metadata": {"name": "x"}}
    assert yaml.safe_load(yaml_text(found, with_managed=True)) == found


def test_events_are_a_table_and_none_is_said():
    text = events_text([event(), event(reason="X", count=1)], "", NOW)
    assert text.splitlines()[0].split("   ")[0] == "LAST SEEN"
    assert "Pod/emqx-ee-0" in text
    assert "none" in events_text([], "", NOW)


def test_lines_are_wrapped_at_cells_and_none_is_lost():
    assert list(wrapped(["abcdef", "", "日本語"], 4)) == ["abcd", "ef", "", "日本", "語"]


@given(st.lists(st.text("ab日 ", max_size=30), max_size=5), st.integers(2, 9))
def test_wrapping_keeps_every_character(lines, cells):
    assert "".join(wrapped(lines, cells)) == "".join(lines)


def test_words_pick_lines_and_leave_out():
    lines = ["[info] one", "[error] two", "[error] one"]
    assert list(matching(lines, "ERROR !two")) == ["[error] one"]
    assert list(matching(lines, "")) == lines
