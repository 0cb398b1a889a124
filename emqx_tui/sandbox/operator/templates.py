"""The objects that the operator generates from an EmqxEnterprise.

Owns names, labels and the shape of what is created: Secrets, ConfigMaps, Services, Endpoints, plugin resources. The
StatefulSet is in `pod_template`. Everything but the bootstrap Secret is a function of the resource and the operator
line. (`controllers/apps/v1beta4/generated.go`)
"""

from __future__ import annotations

import base64
import random
import string
from typing import Any

from emqx_tui.sandbox.kube.objects import Object, pod_reference
from emqx_tui.sandbox.operator.lines import Line

OPERATOR_USER = "emqx_operator_controller"
RELOADER_IMAGE = "emqx/emqx-operator-reloader:0.0.2"
KUBECTL_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SECRET_LENGTH = 64


def labels_of(cr: Object) -> dict[str, str]:
    return cr["metadata"].get("labels") or {}


def annotations_of(cr: Object) -> dict[str, str]:
    """The resource's annotations, which go onto everything; kubectl's own is taken off the StatefulSet only."""
    return dict(cr["metadata"].get("annotations") or {})


def without_kubectl(annotations: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in annotations.items() if key != KUBECTL_LAST_APPLIED}


def metadata_of(cr: Object, name: str) -> Object:
    metadata: Object = {"name": name, "namespace": cr["metadata"]["namespace"], "labels": dict(labels_of(cr))}
    if annotations_of(cr):
        metadata["annotations"] = annotations_of(cr)
    return metadata


def name_of(cr: Object) -> str:
    return cr["metadata"]["name"]


def headless_name(cr: Object) -> str:
    return f"{name_of(cr)}-headless"


def emqx_container(cr: Object) -> Object:
    return cr["spec"]["template"]["spec"]["emqxContainer"]


def node_name(cr: Object, pod: Object) -> str:
    """The EMQX node name that the operator expects of a pod."""
    config = emqx_container(cr).get("emqxConfig") or {}
    return f"{config.get('name', '')}@{pod['metadata']['name']}.{config.get('cluster.dns.name', '')}"


def bootstrap_secret(cr: Object, rng: random.Random) -> Object:
    """`<name>-bootstrap-user`: a line `key:secret` per API key, the operator's own last."""
    keys = emqx_container(cr).get("bootstrapAPIKeys") or ()
    lines = [f"{each['key']}:{each['secret']}" for each in keys]
    secret = "".join(rng.choice(string.ascii_letters + string.digits) for _ in range(_SECRET_LENGTH))
    text = "\n".join([*lines, f"{OPERATOR_USER}:{secret}"])
    return {"metadata": metadata_of(cr, f"{name_of(cr)}-bootstrap-user"), "stringData": {"bootstrap_user": text}}


def plugins_config(cr: Object) -> Object:
    """`<name>-plugins-config`: one file per plugin. The default application is what the reloader logs in with."""
    files = {
        "emqx_management.conf": "management.listener.http = 8081\nmanagement.default_application.id = admin\n"
        "management.default_application.secret = public",
        "emqx_dashboard.conf": "dashboard.listener.http = 18083\ndashboard.default_user.login = admin\n"
        "dashboard.default_user.password = public",
        "emqx_eviction_agent.conf": "",
        "emqx_node_rebalance.conf": "",
        "emqx_modules.conf": "",
        "emqx_rule_engine.conf": "",
        "emqx_retainer.conf": "",
        "emqx_schema_registry.conf": "",
    }
    return {"metadata": metadata_of(cr, f"{name_of(cr)}-plugins-config"), "data": files}


def plugin_resources(cr: Object, line: Line, existing: list[Object]) -> list[Object]:
    """Default EmqxPlugin objects for plugins that no matching object covers yet."""
    labels = labels_of(cr)
    covered = {
        plugin["spec"]["pluginName"]
        for plugin in existing
        if (selector := plugin["spec"].get("selector")) and selector.items() <= labels.items()
    }
    return [_plugin(cr, name) for name in line.plugins if name not in covered]


def _plugin(cr: Object, plugin: str) -> Object:
    metadata = metadata_of(cr, f"{name_of(cr)}-{plugin.removeprefix('emqx_').replace('_', '-')}")
    spec = {"pluginName": plugin, "selector": dict(labels_of(cr))}
    return {"metadata": metadata, "spec": spec}


def licence_secret(cr: Object) -> Object | None:
    """`<name>-license` when the resource carries the licence itself."""
    licence = cr["spec"].get("license") or {}
    secret: Object = {"metadata": metadata_of(cr, f"{name_of(cr)}-license")}
    if licence.get("stringData"):
        return {**secret, "type": "Opaque", "stringData": {"emqx.lic": licence["stringData"]}}
    if licence.get("data"):
        return {**secret, "type": "Opaque", "data": {"emqx.lic": licence["data"]}}
    return None


def acl_config(cr: Object) -> Object:
    rules = emqx_container(cr).get("emqxACL") or ()
    return {
        "metadata": metadata_of(cr, f"{name_of(cr)}-acl"),
        "data": {"acl.conf": "".join(f"{rule}\n" for rule in rules)},
    }


def headless_service(cr: Object) -> Object:
    port = {"name": "http-management-8081", "port": 8081, "protocol": "TCP", "targetPort": 8081}
    spec = {
        "type": "ClusterIP",
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": dict(labels_of(cr)),
        "ports": [port],
    }
    return {"metadata": metadata_of(cr, headless_name(cr)), "spec": spec}


def service_metadata(cr: Object) -> Object:
    """Of the listener Service; the operator's Endpoints have the same labels and annotations."""
    template = cr["spec"].get("serviceTemplate") or {}
    given = template.get("metadata") or {}
    metadata: Object = {
        "name": given.get("name") or name_of(cr),
        "namespace": cr["metadata"]["namespace"],
        "labels": dict(given.get("labels") or labels_of(cr)),
    }
    if given.get("annotations"):
        metadata["annotations"] = dict(given["annotations"])
    return metadata


def listener_service(cr: Object, ports: list[Object], selector: dict[str, str]) -> Object:
    """The listener Service: ports of the resource's template, then those found in EMQX; `selector` may be empty."""
    spec: Object = dict((cr["spec"].get("serviceTemplate") or {}).get("spec") or {})
    spec["ports"] = merged_ports(spec.get("ports") or [], ports)
    spec.pop("selector", None)
    if selector:
        spec["selector"] = selector
    return {"metadata": service_metadata(cr), "spec": spec}


def merged_ports(first: list[Object], second: list[Object], number: str = "port") -> list[Object]:
    """Both lists; a port whose name or number is taken already is left out."""
    names: set[Any] = set()
    numbers: set[Any] = set()
    merged: list[Object] = []
    for port in [*first, *second]:
        if port.get("name") in names or port.get(number) in numbers:
            continue
        names.add(port.get("name"))
        numbers.add(port.get(number))
        merged.append(port)
    return merged


def listener_endpoints(service: Object, pods: list[Object]) -> Object:
    """Endpoints of the listener: all `pods`, and as port the Service's `port`, whatever its targetPort is."""
    addresses = [
        {
            "ip": pod["status"].get("podIP", ""),
            "nodeName": pod["spec"].get("nodeName", ""),
            "targetRef": pod_reference(pod),
        }
        for pod in pods
    ]
    ports = [
        {"name": port.get("name", ""), "port": port["port"], "protocol": port.get("protocol", "TCP")}
        for port in service["spec"]["ports"]
    ]
    return {"metadata": dict(service["metadata"]), "subsets": [{"addresses": addresses, "ports": ports}]}


def operator_credentials(secret: Object) -> tuple[str, str]:
    """The operator's own line of the bootstrap Secret; empty when it was removed."""
    text = base64.b64decode((secret.get("data") or {}).get("bootstrap_user", "")).decode()
    for line in text.split("\n"):
        user, _, password = line.partition(":")
        if user == OPERATOR_USER:
            return user, password
    return "", ""
