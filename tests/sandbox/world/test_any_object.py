"""Objects as people write them, as little as the API allows: the sandbox serves them all and goes on.

Each is created, changed and deleted by requests, with the schemas and rules that a served sandbox has.
"""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.sandbox.kube.objects import Object, is_ready
from emqx_tui.sandbox.run.runner import prepare
from emqx_tui.sandbox.world.scenario import manifest
from emqx_tui.sandbox.world.world import World, WorldConfig

POD: Object = {"containers": [{"name": "web", "image": "nginx"}]}
LABELS = {"run": "web"}
EMQX: Object = {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.14"}}}}}


def of(api_version: str, kind: str, **body: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web"}, **body}


def service(**spec: Any) -> Object:
    return of("v1", "Service", spec={"selector": LABELS, **spec})


def web_set(**spec: Any) -> Object:
    template = {"metadata": {"labels": LABELS}, "spec": POD}
    body = {"selector": {"matchLabels": LABELS}, "template": template, **spec}
    return of("apps/v1", "StatefulSet", spec=body)


DEPLOYMENT = {"selector": {"matchLabels": LABELS}, "template": {"metadata": {"labels": LABELS}, "spec": POD}}
CRD_VERSION = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
CRD = {
    "group": "example.com",
    "names": {"plural": "webs", "kind": "Web"},
    "scope": "Namespaced",
    "versions": [CRD_VERSION],
}
MINIMAL: dict[str, Object] = {
    "Namespace": of("v1", "Namespace"),
    "Pod": of("v1", "Pod", spec=POD),
    "Service": service(ports=[{"port": 80}]),
    "Endpoints": of("v1", "Endpoints"),
    "Event": of("v1", "Event", involvedObject={"namespace": "default"}),
    "Secret": of("v1", "Secret"),
    "ConfigMap": of("v1", "ConfigMap"),
    "Node": of("v1", "Node"),
    "PersistentVolumeClaim": of(
        "v1",
        "PersistentVolumeClaim",
        spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    ),
    "ServiceAccount": of("v1", "ServiceAccount"),
    "ResourceQuota": of("v1", "ResourceQuota"),
    "StatefulSet": web_set(),
    "Deployment": of("apps/v1", "Deployment", spec=DEPLOYMENT),
    "EndpointSlice": of("discovery.k8s.io/v1", "EndpointSlice", addressType="IPv4", endpoints=[]),
    "Lease": of("coordination.k8s.io/v1", "Lease"),
    "CustomResourceDefinition": of("apiextensions.k8s.io/v1", "CustomResourceDefinition", spec=CRD)
    | {"metadata": {"name": "webs.example.com"}},
    "EmqxEnterprise": of("apps.emqx.io/v1beta4", "EmqxEnterprise", spec=EMQX),
    "EmqxPlugin": of("apps.emqx.io/v1beta4", "EmqxPlugin", spec={"pluginName": "emqx_web", "selector": {}}),
}
MORE: dict[str, Object] = {
    "service of every tutorial": of("v1", "Service", spec={"ports": [{"port": 80, "protocol": "TCP"}]})
    | {"metadata": {"name": "web", "labels": LABELS}},
    "headless service without ports": service(clusterIP="None"),
    "external name": of("v1", "Service", spec={"type": "ExternalName", "externalName": "example.com"}),
    "external name with a selector": service(type="ExternalName", externalName="example.com"),
    "node port without a name": service(type="NodePort", ports=[{"port": 80, "targetPort": "http"}]),
    "endpoints with an address": of(
        "v1", "Endpoints", subsets=[{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}]
    ),
    "slice of a service": of(
        "discovery.k8s.io/v1", "EndpointSlice", addressType="IPv4", endpoints=[{"addresses": ["10.1.2.3"]}]
    )
    | {"metadata": {"name": "web", "labels": {"kubernetes.io/service-name": "emqx-ee"}}},
    "set with a claim": web_set(
        serviceName="web",
        replicas=2,
        volumeClaimTemplates=[
            {
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            }
        ],
    ),
    "set whose pods look like EMQX's": web_set(
        template={
            "metadata": {"labels": {**LABELS, "apps.emqx.io/instance": "web"}},
            "spec": {"containers": [{"name": "emqx", "image": "emqx/emqx-ee:4.4.14"}]},
        }
    ),
    "plugin with a selector": of(
        "apps.emqx.io/v1beta4", "EmqxPlugin", spec={"pluginName": "emqx_web", "selector": LABELS}
    ),
    "cluster that asks for no blue-green update": of(
        "apps.emqx.io/v1beta4", "EmqxEnterprise", spec={**EMQX, "replicas": 1, "license": {}, "persistent": None}
    ),
}


def collection(world: World, obj: Object) -> str:
    kinds = {(each.group_version, each.kind): each for each in world.store.resources.values()}
    resource = kinds[obj["apiVersion"], obj["kind"]]
    root = "/apis" if resource.group else "/api"
    scope = "/namespaces/default" if resource.namespaced else ""
    return f"{root}/{resource.group_version}{scope}/{resource.plural}"


def ask(world: World, method: str, path: str, body: Any = None) -> Object:
    reply = world.api.request(method, path, {}, body, "application/merge-patch+json" if method == "PATCH" else "")
    assert reply.status < 300, reply.body
    return reply.body


@pytest.fixture
def world() -> World:
    """A served world, with the cluster emqx-ee in it."""
    world = World(WorldConfig(clients=100, churn_per_s=0.0), seed=1, prepare=prepare)
    world.settle_cluster(manifest())
    return world


def test_every_kind_that_is_served_has_its_least_object(world: World) -> None:
    assert set(MINIMAL) == {each.kind for each in world.store.resources.values() if not each.virtual}


@pytest.mark.parametrize("name", [*MINIMAL, *MORE])
def test_an_object_lives_and_dies_and_the_world_goes_on(world: World, name: str) -> None:
    obj = {**MINIMAL, **MORE}[name]
    path = collection(world, obj)
    one = f"{path}/{obj['metadata']['name']}"
    ask(world, "POST", path, obj)
    world.advance(60)
    ask(world, "GET", one)
    ask(world, "PATCH", one, {"metadata": {"labels": {"changed": "yes"}}})
    world.advance(30)
    ask(world, "DELETE", one)
    world.advance(60)
    assert world.cluster().truth.live == 100
    assert world.operator.passes[-1].began_at > world.now - 30
    assert world.operator.panics == []


@pytest.mark.parametrize(
    ("asked", "port"),
    [({"port": 80}, 80), ({"port": 80, "targetPort": 8080}, 8080), ({"port": 80, "targetPort": "http"}, 9090)],
)
def test_endpoints_have_the_port_of_the_pods(world: World, asked: Object, port: int) -> None:
    container = {"name": "web", "image": "nginx", "ports": [{"name": "http", "containerPort": 9090}]}
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}}
    for obj in (service(ports=[asked]), web_set(template=template, replicas=2)):
        ask(world, "POST", collection(world, obj), obj)
    world.advance(30)
    pods = world.store.list("pods", "default", LABELS)
    assert [is_ready(pod) for pod in pods] == [True, True]
    (subset,) = world.store.get("endpoints", "default", "web")["subsets"]
    assert subset["ports"] == [{"port": port, "protocol": "TCP"}]
    assert [each["ip"] for each in subset["addresses"]] == [pod["status"]["podIP"] for pod in pods]
    (each,) = world.store.list("endpointslices", "default", {"kubernetes.io/service-name": "web"})
    assert each["ports"] == [{"name": "", "port": port, "protocol": "TCP"}]


def test_a_named_port_that_no_container_has_is_left_out(world: World) -> None:
    for obj in (service(ports=[{"port": 80, "targetPort": "grpc"}]), web_set()):
        ask(world, "POST", collection(world, obj), obj)
    world.advance(30)
    (each,) = world.store.list("endpointslices", "default", {"kubernetes.io/service-name": "web"})
    assert each["ports"] == []
    assert len(each["endpoints"]) == 1


def test_pods_that_serve_a_named_port_at_two_numbers_are_two_subsets(world: World) -> None:
    for number, name in ((8080, "old"), (9090, "web")):
        container = {"name": "web", "image": "nginx", "ports": [{"name": "http", "containerPort": number}]}
        template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}}
        obj = web_set(template=template) | {"metadata": {"name": name}}
        ask(world, "POST", collection(world, obj), obj)
    ask(world, "POST", "/api/v1/namespaces/default/services", service(ports=[{"port": 80, "targetPort": "http"}]))
    world.advance(30)
    subsets = world.store.get("endpoints", "default", "web")["subsets"]
    assert sorted(each["ports"][0]["port"] for each in subsets) == [8080, 9090]
    assert len(world.store.list("endpointslices", "default", {"kubernetes.io/service-name": "web"})) == 2


def test_an_external_name_has_no_address_and_no_endpoints(world: World) -> None:
    obj = service(type="ExternalName", externalName="example.com")
    created = ask(world, "POST", collection(world, obj), obj)
    world.advance(30)
    assert "clusterIP" not in created["spec"]
    assert world.store.find("endpoints", "default", "web") is None
    assert world.store.list("endpointslices", "default", {"kubernetes.io/service-name": "web"}) == []


def test_a_listener_port_without_a_name_is_refused_as_by_a_real_server() -> None:
    """The operator adds ports of its own, and of several each needs a name: no Service, pass after pass."""
    world = World(WorldConfig(clients=0), seed=1, prepare=prepare)
    obj = manifest(replicas=1)
    obj["spec"]["serviceTemplate"] = {"spec": {"type": "LoadBalancer", "ports": [{"port": 1883, "targetPort": 1883}]}}
    ask(world, "POST", collection(world, obj), obj)
    world.advance(90)
    assert world.store.find("services", "default", "emqx-ee") is None
    assert world.store.find("endpoints", "default", "emqx-ee") is None
    refused = "failed to create or update listener service and endpoints: "
    why = 'Endpoints "emqx-ee" is invalid: subsets[0].ports[0].name: Required value'
    assert world.operator.passes[-1].outcome == refused + why
