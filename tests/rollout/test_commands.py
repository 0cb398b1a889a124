"""Every command is exactly one request, with the preconditions that keep it from hitting something else."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest

from emqx_tui.model.workloads import Address, Port
from emqx_tui.rollout.change import Rates
from emqx_tui.rollout.commands import (
    ApplyTemplate,
    CloseValve,
    Command,
    ForgetReleaseStatus,
    Nudge,
    RepairEndpoints,
    RestoreDelay,
    RestoreTemplate,
    Scale,
    StartDrain,
    StopDrain,
    SwitchEndpoints,
    Target,
)
from emqx_tui.rollout.requests import JSON_PATCH, MERGE_PATCH, EmqxRequest, KubeRequest

CR = Target("prod", "emqx-ee", "uid-cr", "1000")
EP = Target("prod", "emqx-ee", "uid-ep", "55")
STS = Target("prod", "emqx-ee-66f7b", "uid-sts", "77")
CR_PATH = "/apis/apps.emqx.io/v1beta4/namespaces/prod/emqxenterprises/emqx-ee"
PRECONDITIONS = {"uid": "uid-cr", "resourceVersion": "1000"}
TEMPLATE = {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}}
OLD = {"spec": {"emqxContainer": {"image": {"version": "4.4.14"}}}}
PORTS = (Port("mqtt", 1883, "TCP", "1883", 30083), Port("", 14567, "UDP"))
ADDRESSES = (Address("10.0.1.0", "worker-0", "emqx-ee-9c8d4-0", "uid-p0"), Address("10.0.1.1"))
STRICT = {"fieldManager": "emqx-tui", "fieldValidation": "Strict"}
NODE = "emqx-ee@emqx-ee-66f7b-2.emqx-ee-headless.prod.svc.cluster.local"
GREEN = ("emqx-ee@emqx-ee-9c8d4-0.h", "emqx-ee@emqx-ee-9c8d4-1.h")
SEEN = frozenset({"10.0.1.0", "10.0.1.1"})
START = StartDrain("prod", "p", NODE, GREEN, Rates(1, 1, 0), "emqx-ee", SEEN)

SUBSET = {
    "addresses": [
        {
            "ip": "10.0.1.0",
            "nodeName": "worker-0",
            "targetRef": {"kind": "Pod", "namespace": "prod", "name": "emqx-ee-9c8d4-0", "uid": "uid-p0"},
        },
        {"ip": "10.0.1.1"},
    ],
    "ports": [
        {"name": "mqtt", "port": 1883, "protocol": "TCP"},
        {"name": "", "port": 14567, "protocol": "UDP"},
    ],
}


def merge(path: str, body: Any, query: dict[str, str]) -> KubeRequest:
    return KubeRequest("PATCH", path, body, MERGE_PATCH, query)


def valve(value: Any, preconditions: dict[str, str] = PRECONDITIONS) -> KubeRequest:
    body = {"spec": {"blueGreenUpdate": {"initialDelaySeconds": value}}, "metadata": preconditions}
    return merge(CR_PATH, body, STRICT)


REQUESTS: dict[str, tuple[Command, KubeRequest]] = {
    "template, valve and rates go in one patch": (
        ApplyTemplate(CR, TEMPLATE, 1_000_000_000, Rates(200, 100, 5)),
        merge(
            CR_PATH,
            {
                "spec": {
                    "template": TEMPLATE,
                    "blueGreenUpdate": {
                        "initialDelaySeconds": 1_000_000_000,
                        "evacuationStrategy": {"waitTakeover": 5, "connEvictRate": 200, "sessEvictRate": 100},
                    },
                },
                "metadata": PRECONDITIONS,
            },
            STRICT,
        ),
    ),
    "close the valve, whatever was written meanwhile": (
        CloseValve(CR, 1_000_000_000),
        valve(1_000_000_000, {"uid": PRECONDITIONS["uid"]}),
    ),
    "nudge": (Nudge(CR, 1_000_000_001, "why"), valve(1_000_000_001)),
    "give the delay back": (RestoreDelay(CR, 60, "uid-sts"), valve(60)),
    "give an absent delay back": (RestoreDelay(CR, None, "uid-sts"), valve(None)),
    "forget the release status": (
        ForgetReleaseStatus(CR, "why"),
        merge(f"{CR_PATH}/status", {"status": {"blueGreenUpdateStatus": None}, "metadata": PRECONDITIONS}, STRICT),
    ),
    "switch the Service": (
        SwitchEndpoints(EP, ADDRESSES, PORTS, "green only"),
        merge(
            "/api/v1/namespaces/prod/endpoints/emqx-ee",
            {"metadata": {"uid": "uid-ep", "resourceVersion": "55"}, "subsets": [SUBSET]},
            {"fieldManager": "emqx-tui"},
        ),
    ),
    "repair the Service": (
        RepairEndpoints(EP, ADDRESSES, PORTS, "green only"),
        merge(
            "/api/v1/namespaces/prod/endpoints/emqx-ee",
            {"metadata": {"uid": "uid-ep", "resourceVersion": "55"}, "subsets": [SUBSET]},
            {"fieldManager": "emqx-tui"},
        ),
    ),
    "scale": (
        Scale(STS, 3, 2, "drained"),
        merge(
            "/apis/apps/v1/namespaces/prod/statefulsets/emqx-ee-66f7b/scale",
            {"metadata": {"uid": "uid-sts", "resourceVersion": "77"}, "spec": {"replicas": 2}},
            {"fieldManager": "emqx-tui"},
        ),
    ),
    "put the template back": (
        RestoreTemplate(CR, 7, OLD, STS, 3),
        KubeRequest(
            "PATCH",
            CR_PATH,
            [
                {"op": "test", "path": "/metadata/uid", "value": "uid-cr"},
                {"op": "test", "path": "/metadata/generation", "value": 7},
                {"op": "replace", "path": "/spec/template", "value": OLD},
            ],
            JSON_PATCH,
            STRICT,
        ),
    ),
}


@pytest.mark.parametrize(("command", "request_"), REQUESTS.values(), ids=REQUESTS)
def test_what_is_sent_to_kubernetes(command: Command, request_: KubeRequest) -> None:
    made = command.request()
    assert isinstance(made, KubeRequest)
    assert (made.method, made.path, made.content_type, made.query) == (
        request_.method,
        request_.path,
        request_.content_type,
        request_.query,
    )
    assert made.body == request_.body


def test_what_is_sent_to_a_node() -> None:
    start = StartDrain("prod", "emqx-ee-66f7b-2", NODE, GREEN, Rates(200, 100, 5), "emqx-ee", SEEN)
    assert start.request() == EmqxRequest(
        "prod",
        "emqx-ee-66f7b-2",
        "POST",
        f"/api/v4/load_rebalance/{NODE}/evacuation/start",
        {"conn_evict_rate": 200, "sess_evict_rate": 100, "migrate_to": list(GREEN), "wait_takeover": 5},
        timeout_s=15.0,
    )
    stop = StopDrain("prod", "emqx-ee-66f7b-2", NODE, "frozen")
    assert stop.request() == EmqxRequest(
        "prod", "emqx-ee-66f7b-2", "POST", f"/api/v4/load_rebalance/{NODE}/evacuation/stop", None, timeout_s=15.0
    )


def test_a_wait_of_zero_is_not_sent_because_the_broker_refuses_it() -> None:
    assert "wait_takeover" not in START.request().body


def test_a_start_rests_on_the_addresses_that_the_service_has() -> None:
    asked = START.slices_request()
    assert (asked.method, asked.path) == ("GET", "/apis/discovery.k8s.io/v1/namespaces/prod/endpointslices")
    assert asked.query == {"labelSelector": "kubernetes.io/service-name=emqx-ee"}


def test_node_names_stand_in_paths_with_a_raw_at_sign() -> None:
    assert "@" in StopDrain("prod", "p", NODE).request().path


def test_ports_of_addresses_carry_neither_target_nor_node_port() -> None:
    ports = SwitchEndpoints(EP, ADDRESSES, PORTS, "x").request().body["subsets"][0]["ports"]
    assert all(set(port) == {"name", "port", "protocol"} for port in ports)


ADVANCING = {"apply-template", "switch-endpoints", "start-drain", "scale"}
COMMANDS: list[Command] = [
    *(command for command, _ in REQUESTS.values()),
    START,
    StopDrain("prod", "p", NODE),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.name)
def test_what_a_hold_stops(command: Command) -> None:
    assert command.advancing is (command.name in ADVANCING)


def test_the_commands_of_one_node_or_set_or_service_exclude_each_other() -> None:
    start, stop = replace(START, pod="p-2"), StopDrain("prod", "p-2", NODE)
    assert start.key == stop.key
    assert start.key != StopDrain("prod", "p-1", NODE).key
    switch, repair = SwitchEndpoints(EP, (), (), "a"), RepairEndpoints(EP, (), (), "b")
    assert switch.key == repair.key
    assert Scale(STS, 3, 2).key == Scale(STS, 2, 1).key


def test_preconditions_are_left_out_only_where_nothing_was_seen() -> None:
    assert Target("a", "b").preconditions() == {}
    assert Target("a", "b", "u").preconditions() == {"uid": "u"}
    assert "metadata" not in CloseValve(Target("a", "b"), 1).request().body


def test_a_dry_run_is_the_same_request_with_one_more_word() -> None:
    request = Scale(STS, 3, 2).request()
    dry = request.as_dry_run()
    assert dry.query == {**request.query, "dryRun": "All"}
    assert replace(dry, query=request.query) == request
    assert "dryRun" not in request.query


DESCRIBED = {
    "scale": (
        Scale(STS, 3, 2),
        "kubectl -n prod patch statefulsets emqx-ee-66f7b --subresource=scale --type=merge -p "
        '\'{"metadata":{"uid":"uid-sts","resourceVersion":"77"},"spec":{"replicas":2}}\'',
    ),
    "nudge": (
        Nudge(Target("prod", "emqx-ee"), 1_000_000_001),
        "kubectl -n prod patch emqxenterprises emqx-ee --type=merge -p "
        '\'{"spec":{"blueGreenUpdate":{"initialDelaySeconds":1000000001}}}\'',
    ),
    "stop": (
        StopDrain("prod", "p-2", "n@p-2.h"),
        'curl -u "$EMQX_API_KEY" -X POST http://p-2:8081/api/v4/load_rebalance/n@p-2.h/evacuation/stop',
    ),
    "start": (
        StartDrain("prod", "p-2", "n@p-2.h", ("n@g-0.h",), Rates(2, 1, 5), "emqx-ee", SEEN),
        'curl -u "$EMQX_API_KEY" -X POST http://p-2:8081/api/v4/load_rebalance/n@p-2.h/evacuation/start -d '
        '\'{"conn_evict_rate":2,"sess_evict_rate":1,"migrate_to":["n@g-0.h"],"wait_takeover":5}\'',
    ),
}


@pytest.mark.parametrize(("command", "words"), DESCRIBED.values(), ids=DESCRIBED)
def test_described_in_words_that_a_shell_takes(command: Command, words: str) -> None:
    assert command.describe() == words


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.name)
def test_descriptions_are_one_line_and_parse_in_a_shell(command: Command) -> None:
    words = command.describe()
    assert "\n" not in words
    assert shlex.split(words)[0] in ("kubectl", "curl")


def test_a_quote_in_the_body_does_not_end_the_argument() -> None:
    acl = {"spec": {"emqxContainer": {"emqxACL": ["{allow, {user, 'o''brien'}}. %% zwölf"]}}}
    line = ApplyTemplate(CR, acl, 1_000_000_000).describe()
    assert "zwölf" in line, "as a person wrote it"
    words = shlex.split(line)
    body = json.loads(words[words.index("-p") + 1])
    assert body["spec"]["template"] == acl


def test_a_json_patch_is_described_as_one() -> None:
    assert "--type=json " in RestoreTemplate(CR, 7, OLD, STS, 3).describe()


def test_pods_are_listed_in_the_namespace_of_the_addresses() -> None:
    request = SwitchEndpoints(EP, (), (), "a", instance="emqx-ee").pods_request()
    assert request.path == f"/api/v1/namespaces/{EP.namespace}/pods"
    assert request.query == {"labelSelector": "apps.emqx.io/instance=emqx-ee"}
    assert SwitchEndpoints(EP, (), (), "a").pods_request().query == {}
