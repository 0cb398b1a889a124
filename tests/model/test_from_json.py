"""Recorded JSON in, values out. Where each file comes from stands in it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.evacuation import EvacuationState, EvictionStatus, GlobalStatus
from emqx_tui.model.kinds import Kind
from emqx_tui.model.kube_object import fingerprint
from emqx_tui.model.nodes import Vitals, nodes_from_json, pod_of, stats_from_json, stopped_from_json
from emqx_tui.model.secret import Secret
from emqx_tui.model.wire import Fields, Malformed
from emqx_tui.model.workloads import ClusterEvent, Endpoints, EndpointSlice, Lease, Pod, Service, StatefulSet

Read = Callable[[str], Any]


def changed(value: Any, path: str, to: Any) -> Any:
    """A copy of `value` with another value at the dotted path; `...` removes the key."""
    value = copy.deepcopy(value)
    *parents, last = path.split(".")
    node = value
    for part in parents:
        node = node[int(part)] if isinstance(node, list) else node.setdefault(part, {})
    if to is ...:
        node.pop(last, None)
    else:
        node[last] = to
    return value


# -- the custom resource ------------------------------------------------------------------------------------------


def test_a_running_cluster(recorded: Read) -> None:
    resource = EmqxEnterprise.from_json(recorded("emqxenterprise_running"))
    assert (resource.namespace, resource.name, resource.replicas) == ("default", "emqx-ee", 3)
    assert str(resource.image) == "emqx/emqx-ee:4.4.14"
    assert resource.is_running
    assert resource.blue_green_status is None
    assert resource.blue_green is not None
    assert resource.blue_green.effective_delay_s == 60
    assert (resource.blue_green.conn_evict_rate_per_s, resource.blue_green.wait_takeover_s) == (200, 5)
    assert len(resource.status_nodes) == 3
    assert resource.ready_replicas == 3
    assert resource.service_name == "emqx-ee"
    assert not resource.persistent


def test_a_release_under_way(recorded: Read) -> None:
    value = recorded("emqxenterprise_updating")
    resource = EmqxEnterprise.from_json(value)
    assert not resource.is_running
    assert resource.condition is not None
    assert resource.condition.type == "BlueGreenUpdating"
    status = resource.blue_green_status
    assert status is not None
    assert status.started_at is not None
    (evacuation,) = status.evacuations
    blue = value["status"]["blueGreenUpdateStatus"]["originStatefulSet"]
    assert evacuation.node.startswith(f"emqx-ee@{blue}-2.")
    assert evacuation.conn_evict_rate_per_s == 200


def test_names_that_flip_in_the_release_status_change_nothing(recorded: Read) -> None:
    value = recorded("emqxenterprise_updating")
    before = EmqxEnterprise.from_json(value)
    status = value["status"]["blueGreenUpdateStatus"]
    names = ("originStatefulSet", "currentStatefulSet")
    status[names[0]], status[names[1]] = status[names[1]], status[names[0]]
    after = EmqxEnterprise.from_json(value)
    assert after.status_mark != before.status_mark
    assert replace(after, status_mark=before.status_mark) == before


def test_only_the_first_condition_is_the_present_one(recorded: Read) -> None:
    value = recorded("emqxenterprise_updating")
    stale = {"type": "Running", "status": "True", "reason": "ClusterReady"}
    value["status"]["conditions"] = [value["status"]["conditions"][0], stale]
    assert not EmqxEnterprise.from_json(value).is_running


@pytest.mark.parametrize(
    ("tag", "has_other"),
    [("4.4.14", False), ("4.4.15", True), ("4.4.14-rockylinux", False), ("latest", False), ("", False)],
)
def test_nodes_of_another_version_are_told_by_the_numbers_of_the_tag(recorded: Read, tag: str, has_other: bool) -> None:
    value = changed(recorded("emqxenterprise_running"), "spec.template.spec.emqxContainer.image.version", tag)
    assert {node.version for node in EmqxEnterprise.from_json(value).status_nodes} == {"4.4.14"}
    assert EmqxEnterprise.from_json(value).has_other_version is has_other


def test_a_documented_status_with_goals_reads_as_well(recorded: Read) -> None:
    value = recorded("emqxenterprise_running")
    value["status"]["blueGreenUpdateStatus"] = recorded("cr_evacuations_docs")
    status = EmqxEnterprise.from_json(value).blue_green_status
    assert status is not None
    assert status.evacuations[0].state is EvacuationState.WAITING_TAKEOVER
    assert status.started_at == datetime(2022, 11, 29, 3, tzinfo=UTC)


def test_an_absent_delay_means_zero_and_absent_blue_green_means_none(recorded: Read) -> None:
    value = recorded("emqxenterprise_running")
    without_delay = EmqxEnterprise.from_json(changed(value, "spec.blueGreenUpdate.initialDelaySeconds", ...))
    assert without_delay.blue_green is not None
    assert without_delay.blue_green.initial_delay_s is None
    assert without_delay.blue_green.effective_delay_s == 0
    assert EmqxEnterprise.from_json(changed(value, "spec.blueGreenUpdate", ...)).blue_green is None
    assert EmqxEnterprise.from_json(changed(value, "spec.blueGreenUpdate", {})).blue_green is not None


def test_the_listener_service_may_have_a_name_of_its_own(recorded: Read) -> None:
    value = changed(recorded("emqxenterprise_running"), "spec.serviceTemplate.metadata", {"name": "mqtt-in"})
    assert EmqxEnterprise.from_json(value).service_name == "mqtt-in"


def test_marks_follow_template_and_status_and_nothing_else(recorded: Read) -> None:
    value = recorded("emqxenterprise_running")
    before = EmqxEnterprise.from_json(value)
    image = "spec.template.spec.emqxContainer.image.version"
    assert EmqxEnterprise.from_json(changed(value, image, "4.4.15")).template_mark != before.template_mark
    assert EmqxEnterprise.from_json(changed(value, "status.readyReplicas", 2)).status_mark != before.status_mark
    same = EmqxEnterprise.from_json(changed(value, "metadata.resourceVersion", "99999"))
    assert (same.template_mark, same.status_mark) == (before.template_mark, before.status_mark)


def test_field_owners_are_read_and_status_writers_are_not_among_them(recorded: Read) -> None:
    owns = {"f:spec": {"f:blueGreenUpdate": {"f:initialDelaySeconds": {}}}}
    entries = [
        {"manager": "argocd-controller", "operation": "Apply", "fieldsV1": owns},
        {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
        {"manager": "manager", "operation": "Update", "subresource": "status", "fieldsV1": owns},
    ]
    value = changed(recorded("emqxenterprise_running"), "metadata.managedFields", entries)
    resource = EmqxEnterprise.from_json(value)
    owners = resource.owners.of("spec.blueGreenUpdate.initialDelaySeconds")
    assert [owner.manager for owner in owners] == ["argocd-controller"]
    assert resource.owners.of("spec.template.spec.emqxContainer.image.version") == ()


def test_an_object_with_nothing_in_it_but_a_name_is_read(recorded: Read) -> None:
    resource = EmqxEnterprise.from_json({"metadata": {"name": "x"}, "spec": None})
    assert (resource.replicas, resource.conditions) == (3, ())
    assert not resource.is_running
    assert resource.template == {}


def test_the_object_as_read_never_shows_in_repr(recorded: Read) -> None:
    value = changed(
        recorded("emqxenterprise_running"),
        "spec.template.spec.emqxContainer.emqxConfig",
        {"auth.mysql.password": "hunter2"},
    )
    assert "hunter2" not in repr(EmqxEnterprise.from_json(value))


MALFORMED_RESOURCES = {
    "no name": ("metadata.name", ..., "$.metadata.name"),
    "replicas is a text": ("spec.replicas", "3", "$.spec.replicas"),
    "delay is a text": ("spec.blueGreenUpdate.initialDelaySeconds", "60", "$.spec.blueGreenUpdate.initialDelaySeconds"),
    "conditions is an object": ("status.conditions", {}, "$.status.conditions"),
    "startedAt is no instant": (
        "status.blueGreenUpdateStatus.startedAt",
        "soon",
        "$.status.blueGreenUpdateStatus.startedAt",
    ),
    "an evacuation without node": (
        "status.blueGreenUpdateStatus.evacuationsStatus",
        [{"state": "prohibiting"}],
        "$.status.blueGreenUpdateStatus.evacuationsStatus[0].node",
    ),
    "managedFields is a text": ("metadata.managedFields", "x", "$.metadata.managedFields"),
}


@pytest.mark.parametrize(("at", "to", "path"), MALFORMED_RESOURCES.values(), ids=MALFORMED_RESOURCES)
def test_a_malformed_resource_is_told_with_its_path(recorded: Read, at: str, to: Any, path: str) -> None:
    with pytest.raises(Malformed) as caught:
        EmqxEnterprise.from_json(changed(recorded("emqxenterprise_running"), at, to))
    assert caught.value.path == path


# -- workloads ----------------------------------------------------------------------------------------------------


def test_a_stateful_set(recorded: Read) -> None:
    found = StatefulSet.from_json(recorded("statefulset"))
    assert (found.replicas, found.current_replicas, found.ready_replicas) == (3, 3, 3)
    assert found.is_settled
    assert found.version == "4.4.14"
    assert found.current_revision == found.update_revision != ""
    assert found.meta.owner_uid


UNSETTLED = {
    "the spec is newer than the status": ("metadata.generation", 2),
    "a pod is not gone yet": ("status.replicas", 4),
    "currentReplicas lags": ("status.currentReplicas", 2),
    "the status is empty": ("status", {}),
}


@pytest.mark.parametrize(("at", "to"), UNSETTLED.values(), ids=UNSETTLED)
def test_a_stateful_set_whose_status_lags_is_not_settled(recorded: Read, at: str, to: Any) -> None:
    assert not StatefulSet.from_json(changed(recorded("statefulset"), at, to)).is_settled


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("emqx/emqx-ee:4.4.14", "4.4.14"),
        ("registry:5000/emqx/emqx-ee:4.4.14", "4.4.14"),
        ("registry:5000/emqx/emqx-ee", ""),
        ("emqx/emqx-ee", ""),
    ],
)
def test_the_version_is_the_images_tag(recorded: Read, image: str, version: str) -> None:
    value = recorded("statefulset")
    value["spec"]["template"]["spec"]["containers"][0]["image"] = image
    assert StatefulSet.from_json(value).version == version


def test_a_pod(recorded: Read) -> None:
    pod = Pod.from_json(recorded("pod"))
    assert (pod.phase, pod.ip, pod.node_name, pod.ordinal) == ("Running", "10.244.0.10", "worker-1", 0)
    assert pod.is_ready
    assert pod.containers_ready
    assert pod.on_serving is True
    assert pod.trouble == ""
    assert not pod.meta.deleting


def test_a_pod_that_goes_away_says_so(recorded: Read) -> None:
    going = changed(recorded("pod"), "metadata.deletionTimestamp", "2026-01-01T12:00:30Z")
    assert Pod.from_json(going).meta.deleting
    assert Pod.from_json(going).meta.deleting_since is None, "of how long a grace is not told"
    asked_at = Pod.from_json(changed(going, "metadata.deletionGracePeriodSeconds", 30)).meta.deleting_since
    assert asked_at == datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_gate_that_was_never_set_is_false_and_a_pod_without_gates_has_none(recorded: Read) -> None:
    value = recorded("pod")
    value["status"]["conditions"] = [c for c in value["status"]["conditions"] if "on-serving" not in c["type"]]
    assert Pod.from_json(value).on_serving is False
    assert Pod.from_json(changed(value, "spec.readinessGates", ...)).on_serving is None


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]}, "ImagePullBackOff"),
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, ""),
        ({"containerStatuses": [{"state": {"terminated": {"reason": "OOMKilled"}}}]}, "OOMKilled"),
        ({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}, "Unschedulable"),
        ({"conditions": [{"type": "PodScheduled", "status": "True"}]}, ""),
    ],
)
def test_what_is_wrong_with_a_pod(recorded: Read, status: Any, trouble: str) -> None:
    assert Pod.from_json(changed(recorded("pod"), "status", status)).trouble == trouble


def test_a_service_and_its_ports(recorded: Read) -> None:
    service = Service.from_json(recorded("service"))
    assert service.selector == ()
    mqtt = next(p for p in service.ports if p.name == "mqtt-tcp-1883")
    assert (mqtt.port, mqtt.protocol, mqtt.target, mqtt.node_port) == (1883, "TCP", "1883", 0)


def test_a_port_named_by_text_is_cleaned(recorded: Read) -> None:
    value = recorded("service")
    value["spec"]["ports"][0]["targetPort"] = "mqtt\x1b[2J"
    assert Service.from_json(value).ports[0].target == "mqtt�[2J"


def test_endpoints_keep_what_a_write_must_give_back(recorded: Read) -> None:
    endpoints = Endpoints.from_json(recorded("endpoints"))
    assert len(endpoints.addresses) == 6
    address = endpoints.addresses[0]
    assert (address.ip, address.node_name, address.pod_name) == ("10.244.0.11", "worker-2", "emqx-ee-55d9fdd87d-1")
    assert address.pod_uid
    assert {p.port for p in endpoints.ports} == {8081, 18083, 1883, 8883, 8083, 8084}
    assert Endpoints.from_json(changed(recorded("endpoints"), "subsets", None)).addresses == ()


def test_slices_count_ready_endpoints_only(recorded: Read) -> None:
    value = recorded("endpointslice")
    found = EndpointSlice.from_json(value)
    assert found.service == "emqx-ee"
    assert len(found.ips) == len(value["endpoints"])
    value["endpoints"][0]["conditions"] = {"ready": False}
    value["endpoints"][1]["conditions"] = {}
    assert len(EndpointSlice.from_json(value).ips) == len(found.ips) - 1


def test_an_event(recorded: Read) -> None:
    event = ClusterEvent.from_json(recorded("event"))
    assert (event.reason, event.component, event.count, event.type) == ("Evacuate", "emqx-controller", 1, "Normal")
    assert event.last_at == datetime(2026, 1, 1, 12, 1, 50, tzinfo=UTC)


def test_a_secrets_texts_are_decoded_and_hidden_from_repr(recorded: Read) -> None:
    secret = Secret.from_json(recorded("secret_bootstrap"))
    text = secret.texts["bootstrap_user"]
    assert text.startswith("emqx_operator_controller:")
    assert text not in repr(secret)
    with pytest.raises(Malformed, match=r"\$\.data\.bootstrap_user"):
        Secret.from_json(changed(recorded("secret_bootstrap"), "data.bootstrap_user", "not base64!"))


def test_a_lease_without_holder_is_nobodys() -> None:
    assert Lease.from_json({"metadata": {"name": "x"}}).holder == ""
    held = {"holderIdentity": "a@h/1", "leaseDurationSeconds": 15, "leaseTransitions": 4}
    lease = Lease.from_json({"metadata": {"name": "x"}, "spec": held})
    assert (lease.holder, lease.duration_s, lease.transitions) == ("a@h/1", 15, 4)


def test_owner_is_the_controller_not_the_first_reference() -> None:
    references = [{"uid": "a"}, {"uid": "b", "controller": True}]
    value = {"metadata": {"name": "x", "ownerReferences": references}}
    assert StatefulSet.from_json(value).meta.owner_uid == "b"


def test_fingerprints_ignore_key_order() -> None:
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"b": [1, 2]}) != fingerprint({"b": [2, 1]})


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_every_kind_refuses_what_is_no_object(kind: Kind) -> None:
    for value in (None, 3, "x", [], {"metadata": 5}, {}):
        with pytest.raises(Malformed):
            kind.parse(value)


def test_paths_of_collections_objects_and_subresources() -> None:
    info = Kind.STATEFUL_SET.info
    assert info.path() == "/apis/apps/v1/statefulsets"
    assert info.path("ns") == "/apis/apps/v1/namespaces/ns/statefulsets"
    assert info.path("ns", "x", "scale") == "/apis/apps/v1/namespaces/ns/statefulsets/x/scale"


# -- EMQX ---------------------------------------------------------------------------------------------------------


def test_nodes_that_do_not_answer_are_not_running(recorded: Read) -> None:
    nodes = nodes_from_json(recorded("emqx_nodes"))
    assert [n.name for n in nodes] == [
        "emqx@10.0.0.1",
        "emqx-ee@emqx-ee-66f7b-2.emqx-ee-headless.default.svc.cluster.local",
    ]
    assert nodes[1].pod_name == "emqx-ee-66f7b-2"
    assert len(stopped_from_json(recorded("emqx_nodes"))) == 1


def test_a_stopped_node_is_not_running() -> None:
    stopped = {"code": 0, "data": [{"node": "a@b", "node_status": "Stopped"}, {"node": "c@d", "error": "nodedown"}]}
    assert nodes_from_json(stopped) == ()
    assert stopped_from_json(stopped) == ("a@b", "c@d")


def test_what_a_node_tells_of_its_process_is_kept_in_its_own_words_and_is_no_news() -> None:
    told = {"uptime": "23 minutes, 11 seconds", "load1": "1.20", "memory_used": "854.13M", "memory_total": 7}
    (node,) = nodes_from_json({"code": 0, "data": [{"node": "a@b", "version": "4.4.19", **told}]})
    assert node.vitals == Vitals("23 minutes, 11 seconds", "1.20", "854.13M", "7")
    (without,) = nodes_from_json({"code": 0, "data": [{"node": "a@b", "version": "4.4.19"}]})
    assert without.vitals == Vitals()
    assert node == without


def test_a_version_is_cleaned_like_any_text() -> None:
    (node,) = nodes_from_json({"code": 0, "data": [{"node": "a@b", "version": "1\x1b[2J"}]})
    assert node.version == "1�[2J"


def test_live_connections_are_open_sockets_and_a_node_without_them_is_left_out(recorded: Read) -> None:
    stats = stats_from_json(recorded("emqx_stats"))
    assert set(stats) == {"emqx@10.0.0.1"}
    assert (stats["emqx@10.0.0.1"].live_connections, stats["emqx@10.0.0.1"].sessions) == (33250, 33300)


@pytest.mark.parametrize("name", ["emqx_refusal", "emqx_error_without_code"])
def test_an_answer_without_code_0_is_no_answer(recorded: Read, name: str) -> None:
    for read in (nodes_from_json, stats_from_json):
        with pytest.raises(Malformed, match=r"\$\.code"):
            read(recorded(name))


def test_who_is_evacuated(recorded: Read) -> None:
    status = GlobalStatus.from_json(recorded("emqx_global_status"))
    evacuation = status.of("emqx@10.0.0.1")
    assert evacuation is not None
    assert status.of("emqx@10.0.0.9") is None
    assert evacuation.state is EvacuationState.EVICTING_CONNS
    assert (evacuation.conn_evict_rate_per_s, evacuation.sess_evict_rate_per_s) == (200, 150)
    assert (evacuation.initial_connected, evacuation.current_connected) == (33300, 21300)
    assert evacuation.recipients == ("emqx@10.0.0.2", "emqx@10.0.0.3")
    assert status.rebalances == 0


def test_objects_keyed_by_node_are_read_too(recorded: Read) -> None:
    status = GlobalStatus.from_json(recorded("emqx_global_status_keyed"))
    assert [(e.node, e.state) for e in status.evacuations] == [("emqx@10.0.0.1", EvacuationState.PROHIBITING)]


def test_rebalances_are_counted(recorded: Read) -> None:
    assert GlobalStatus.from_json(recorded("emqx_global_status_rebalance")).rebalances == 1


def test_a_state_that_is_not_known_is_never_taken_for_done() -> None:
    status = GlobalStatus.from_json({"evacuations": [{"node": "a@b", "state": "purging"}]})
    assert status.evacuations[0].state is EvacuationState.UNKNOWN


def test_the_empty_answer_is_an_answer_and_a_refusal_is_none(recorded: Read) -> None:
    assert GlobalStatus.from_json({"rebalances": [], "evacuations": []}).evacuations == ()
    with pytest.raises(Malformed, match="not a global_status answer"):
        GlobalStatus.from_json(recorded("emqx_refusal"))


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"evacuations": {"a@b": 5}}, "$.evacuations.a@b"),
        ({"evacuations": [5]}, "$.evacuations[0]"),
        ({"evacuations": "none"}, "$.evacuations"),
        ({"evacuations": [{"node": "a@b", "stats": {"current_connected": "0"}}]}, "$.evacuations[0].stats"),
        ({"rebalances": 3}, "$.rebalances"),
    ],
)
def test_a_malformed_global_status_is_told_with_its_path(value: Any, path: str) -> None:
    with pytest.raises(Malformed) as caught:
        GlobalStatus.from_json(value)
    assert caught.value.path.startswith(path)


def test_a_nodes_own_word(recorded: Read) -> None:
    assert EvictionStatus.from_json(recorded("emqx_eviction_status")) == EvictionStatus(True, 25, 50)
    assert EvictionStatus.from_json(recorded("emqx_eviction_status_disabled")) == EvictionStatus(False, None, None)


@pytest.mark.parametrize(
    "value",
    [{}, {"status": "maybe"}, {"status": "enabled"}, {"status": "enabled", "stats": {"connections": None}}, []],
    ids=repr,
)
def test_a_nodes_own_word_is_never_guessed(value: Any) -> None:
    with pytest.raises(Malformed):
        EvictionStatus.from_json(value)


@pytest.mark.parametrize(
    ("node", "pod"),
    [
        ("emqx-ee@emqx-ee-66f7b-2.emqx-ee-headless.default.svc.cluster.local", "emqx-ee-66f7b-2"),
        ("emqx@host", "host"),
        ("nonsense", ""),
    ],
)
def test_the_pod_of_a_node(node: str, pod: str) -> None:
    assert pod_of(node) == pod


def test_names_are_kept_as_they_stand() -> None:
    assert Fields({"a.b": 1, "c": None}).names() == ("a.b", "c")
