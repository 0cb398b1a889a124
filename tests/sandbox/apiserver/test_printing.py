"""What kubectl prints: columns, ages and a pod's few words."""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.sandbox.apiserver.columns import COLUMNS, human_duration
from emqx_tui.sandbox.apiserver.pod_printer import pod_readiness, pod_readiness_gates, pod_restarts, pod_status
from emqx_tui.sandbox.apiserver.representations import METADATA, TABLE, Form, wanted_form
from emqx_tui.sandbox.kube.resources import standard_resources

RESOURCES = {resource.plural: resource for resource in standard_resources()}
NOW = 1_700_000_000.0
BORN = "2023-11-14T22:10:20Z"
M, H, D = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (9 * M + 59, "9m59s"),
        (10 * M + 5, "10m"),
        (179 * M, "179m"),
        (3 * H, "3h"),
        (7 * H + 59 * M, "7h59m"),
        (8 * H + 59 * M, "8h"),
        (47 * H, "47h"),
        (48 * H, "2d"),
        (7 * D + 23 * H, "7d23h"),
        (8 * D + 5 * H, "8d"),
        (729 * D, "729d"),
        (730 * D, "2y"),
        (740 * D, "2y10d"),
        (9 * 365 * D, "9y"),
    ],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


def row(plural: str, obj: dict[str, Any]) -> dict[str, Any]:
    """Cells by column name."""
    full = {**obj, "metadata": {"name": "it", "creationTimestamp": BORN, **obj.get("metadata", {})}}
    table = Form(TABLE).table(RESOURCES[plural], [full], NOW, {})
    names = [column["name"] for column in table["columnDefinitions"]]
    return dict(zip(names, table["rows"][0]["cells"], strict=True))


def test_an_emqx_enterprise_shows_its_first_true_condition() -> None:
    conditions = [{"type": "Running", "status": "False"}, {"type": "BlueGreenUpdating", "status": "True"}]
    shown = row("emqxenterprises", {"status": {"conditions": conditions}})
    assert shown == {"Name": "it", "Status": "BlueGreenUpdating", "Age": "3m"}
    assert row("emqxenterprises", {})["Status"] == ""


@pytest.mark.parametrize(
    ("plural", "obj", "expected"),
    [
        ("statefulsets", {"spec": {"replicas": 3}, "status": {"readyReplicas": 2}}, {"Ready": "2/3"}),
        ("statefulsets", {"spec": {"replicas": 3}}, {"Ready": "0/3"}),
        (
            "services",
            {"spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 80}, {"port": 90, "nodePort": 30090}]}},
            {"Type": "ClusterIP", "Cluster-IP": "10.0.0.1", "External-IP": "<none>", "Port(s)": "80/TCP,90:30090/TCP"},
        ),
        (
            "services",
            {"spec": {"type": "LoadBalancer", "selector": {"b": "1", "a": "2"}}},
            {"External-IP": "<pending>", "Selector": "a=2,b=1"},
        ),
        (
            "endpoints",
            {"subsets": [{"addresses": [{"ip": f"10.0.0.{n}"} for n in range(5)], "ports": [{"port": 1883}]}]},
            {"Endpoints": "10.0.0.0:1883,10.0.0.1:1883,10.0.0.2:1883 + 2 more..."},
        ),
        ("endpoints", {}, {"Endpoints": "<none>"}),
        (
            "endpointslices",
            {"addressType": "IPv4", "ports": [{"port": 1883}], "endpoints": [{"addresses": ["10.0.0.1"]}]},
            {"AddressType": "IPv4", "Ports": "1883", "Endpoints": "10.0.0.1"},
        ),
        (
            "events",
            {
                "lastTimestamp": "2023-11-14T22:13:10Z",
                "type": "Normal",
                "reason": "Killing",
                "message": "m",
                "count": 3,
                "involvedObject": {"kind": "Pod", "name": "p"},
                "source": {"component": "kubelet", "host": "n"},
            },
            {"Last Seen": "10s", "Object": "pod/p", "Source": "kubelet, n", "Count": "3"},
        ),
        ("secrets", {"type": "Opaque", "data": {"a": "", "b": ""}}, {"Type": "Opaque", "Data": 2}),
        ("configmaps", {"data": {"a": ""}}, {"Data": 1, "Age": "3m"}),
        ("leases", {"spec": {"holderIdentity": "me"}}, {"Holder": "me"}),
        ("namespaces", {"status": {"phase": "Active"}}, {"Status": "Active"}),
        (
            "nodes",
            {
                "metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}},
                "spec": {"unschedulable": True},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            },
            {"Status": "Ready,SchedulingDisabled", "Roles": "control-plane"},
        ),
        ("customresourcedefinitions", {}, {"Created At": BORN}),
    ],
)
def test_cells(plural: str, obj: dict[str, Any], expected: dict[str, Any]) -> None:
    assert expected.items() <= row(plural, obj).items()


@pytest.mark.parametrize("plural", COLUMNS)
def test_every_kind_prints_an_object_that_has_nothing_yet(plural: str) -> None:
    cells = row(plural, {})
    assert None not in cells.values()


def pod(state: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    container = {"ready": "running" in (state or {}), "restartCount": 2, "state": state or {}}
    status = {"phase": "Running", "containerStatuses": [container], **more.pop("status", {})}
    return {"metadata": {"name": "p", **more}, "spec": {"containers": [{}, {}]}, "status": status}


@pytest.mark.parametrize(
    ("shown", "word"),
    [
        (pod({"running": {}}), "Running"),
        (pod({"waiting": {"reason": "ImagePullBackOff"}}), "ImagePullBackOff"),
        (pod({"terminated": {"exitCode": 137}}), "ExitCode:137"),
        (pod({"terminated": {"reason": "OOMKilled", "exitCode": 137}}), "OOMKilled"),
        (pod({"running": {}}, deletionTimestamp=BORN), "Terminating"),
        (pod(status={"reason": "Evicted"}), "Evicted"),
        ({"metadata": {"name": "p"}}, "Unknown"),
    ],
)
def test_the_word_for_a_pod(shown: dict[str, Any], word: str) -> None:
    assert pod_status(shown) == word


def test_the_counts_of_a_pod() -> None:
    running = pod({"running": {}})
    assert (pod_readiness(running), pod_restarts(running), pod_readiness_gates(running)) == ("1/2", "2", "<none>")
    gated = pod(status={"conditions": [{"type": "a", "status": "True"}, {"type": "b", "status": "False"}]})
    gated["spec"]["readinessGates"] = [{"conditionType": "a"}, {"conditionType": "b"}]
    assert pod_readiness_gates(gated) == "1/2"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", ""),
        ("*/*", ""),
        ("application/json", ""),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", TABLE),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", ""),
        ("application/vnd.kubernetes.protobuf,application/json", ""),
        ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", METADATA),
    ],
)
def test_the_first_form_we_can_make_is_chosen(accept: str, kind: str) -> None:
    form = wanted_form(accept, None)
    assert form is not None
    assert form.kind == kind


def test_rows_carry_what_was_asked_for() -> None:
    obj = {"metadata": {"name": "a"}, "data": {"x": "1"}}
    carried = {
        included: Form(TABLE, included).table(RESOURCES["configmaps"], [obj], NOW, {})["rows"][0].get("object")
        for included in ("None", "Metadata", "Object")
    }
    assert carried["None"] is None
    assert carried["Metadata"] == {"kind": METADATA, "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "a"}}
    assert carried["Object"] == {"apiVersion": "v1", "kind": "ConfigMap", **obj}
