"""The objects that the operator generates from an EmqxEnterprise.

Owns names, labels and the shape of what is created: Secret, ConfigMaps, Services, StatefulSet, Endpoints, plugin
resources. Everything is a function of the resource (and the operator line), so the same resource gives the same pod
template and with it the same StatefulSet. (`controllers/apps/v1beta4/generated.go`)
"""

from __future__ import annotations

import base64
import random
import string
from typing import Any

from emqx_tui.sim.objects import ON_SERVING, Object
from emqx_tui.sim.operator.lines import Line

OPERATOR_USER = "emqx_operator_controller"
MANAGED_CONTAINERS = "apps.emqx.io/manage-containers"
KUBECTL_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SECRET_LENGTH = 64

_COPIED_FIELDS = (
    "command",
    "args",
    "workingDir",
    "ports",
    "envFrom",
    "resources",
    "volumeDevices",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "securityContext",
    "stdin",
    "stdinOnce",
    "tty",
)
_COPIED_POD_FIELDS = (
    "affinity",
    "tolerations",
    "nodeName",
    "nodeSelector",
    "serviceAccountName",
    "imagePullSecrets",
    "initContainers",
    "ephemeralContainers",
)


def labels_of(cr: Object) -> dict[str, str]:
    return cr["metadata"].get("labels") or {}


def annotations_of(cr: Object) -> dict[str, str]:
    """The resource's annotations, which go onto everything, without kubectl's own."""
    annotations = cr["metadata"].get("annotations") or {}
    return {key: value for key, value in annotations.items() if key != KUBECTL_LAST_APPLIED}


def _meta(cr: Object, name: str) -> Object:
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
    data = {"bootstrap_user": base64.b64encode(text.encode()).decode()}
    return {"metadata": _meta(cr, f"{name_of(cr)}-bootstrap-user"), "type": "Opaque", "data": data}


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
    }
    return {"metadata": _meta(cr, f"{name_of(cr)}-plugins-config"), "data": files}


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
    metadata = _meta(cr, f"{name_of(cr)}-{plugin.removeprefix('emqx_').replace('_', '-')}")
    spec = {"pluginName": plugin, "selector": dict(labels_of(cr)), "config": {}}
    return {"metadata": metadata, "spec": spec}


def licence_secret(cr: Object) -> Object | None:
    """`<name>-license` when the resource carries the licence itself."""
    licence = cr["spec"].get("license") or {}
    data = licence.get("data")
    if licence.get("stringData"):
        data = base64.b64encode(licence["stringData"].encode()).decode()
    if not data:
        return None
    return {"metadata": _meta(cr, f"{name_of(cr)}-license"), "type": "Opaque", "data": {"emqx.lic": data}}


def acl_config(cr: Object) -> Object:
    rules = emqx_container(cr).get("emqxACL") or ()
    return {"metadata": _meta(cr, f"{name_of(cr)}-acl"), "data": {"acl.conf": "".join(f"{rule}\n" for rule in rules)}}


def headless_service(cr: Object) -> Object:
    port = {"name": "http-management-8081", "port": 8081, "protocol": "TCP", "targetPort": 8081}
    spec = {
        "type": "ClusterIP",
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": dict(labels_of(cr)),
        "ports": [port],
    }
    return {"metadata": _meta(cr, headless_name(cr)), "spec": spec}


def image_of(cr: Object) -> str:
    image = emqx_container(cr)["image"]
    registry = image.get("registry", "").rstrip("/")
    repository = image.get("repository", "")
    tag = f"{image.get('prefix', '')}{image.get('version', '')}{image.get('suffix', '')}"
    return f"{registry}/{repository}:{tag}" if registry else f"{repository}:{tag}"


def _environment(cr: Object) -> list[Object]:
    """`env` of the resource, and its config as EMQX_<KEY>, sorted by name; `env` wins."""
    container = emqx_container(cr)
    env: list[Object] = list(container.get("env") or ())
    given = {each["name"] for each in env}
    for key, value in (container.get("emqxConfig") or {}).items():
        name = "EMQX_" + key.replace(".", "__").upper()
        if name not in given:
            env.append({"name": name, "value": value})
    return sorted(env, key=lambda each: each["name"])


def stateful_set(cr: Object, line: Line, licence: Object | None) -> Object:
    """The desired StatefulSet, named after the resource; blue-green gives it another name later."""
    template = cr["spec"]["template"]
    pod_labels = dict(template["metadata"].get("labels") or {})
    containers: list[Object] = [
        _main_container(cr, line),
        _reloader(cr, line),
        *(template["spec"].get("extraContainers") or ()),
    ]
    volumes: list[Object] = list(template["spec"].get("volumes") or ())
    if line.adds_log_volume:
        volumes.append({"name": "emqx-log", "emptyDir": {}})
    claims: list[Object] = []
    persistent = cr["spec"].get("persistent")
    if persistent is None:
        data = f"{name_of(cr)}-data"
        volumes.append({"name": data, "emptyDir": {}})
    else:
        data = persistent["metadata"]["name"]
        claims.append({"metadata": dict(persistent["metadata"]), "spec": persistent["spec"]})
    containers[0]["volumeMounts"].append({"name": data, "mountPath": "/opt/emqx/data"})
    _mount_configuration(cr, containers, volumes, licence)
    annotations = dict(template["metadata"].get("annotations") or {})
    annotations[MANAGED_CONTAINERS] = ",".join(each["name"] for each in containers)
    pod_spec: Object = {"containers": containers, "volumes": volumes}
    if line.on_serving_gate:
        pod_spec["readinessGates"] = [{"conditionType": ON_SERVING}]
    pod_spec |= {key: template["spec"][key] for key in _COPIED_POD_FIELDS if template["spec"].get(key)}
    if template["spec"].get("podSecurityContext"):
        pod_spec["securityContext"] = template["spec"]["podSecurityContext"]
    spec: Object = {
        "replicas": cr["spec"].get("replicas", 3),
        "serviceName": headless_name(cr),
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": pod_labels},
        "template": {"metadata": {"labels": pod_labels, "annotations": annotations}, "spec": pod_spec},
    }
    if claims:
        spec["volumeClaimTemplates"] = claims
    return {"metadata": _meta(cr, name_of(cr)), "spec": spec}


def _main_container(cr: Object, line: Line) -> Object:
    given = emqx_container(cr)
    container: Object = {"name": "emqx", "image": image_of(cr), "env": _environment(cr)}
    if given["image"].get("pullPolicy"):
        container["imagePullPolicy"] = given["image"]["pullPolicy"]
    container |= {key: given[key] for key in _COPIED_FIELDS if given.get(key)}
    mounts: list[Object] = list(given.get("volumeMounts") or ())
    if line.adds_log_volume:
        mounts.append({"name": "emqx-log", "mountPath": "/opt/emqx/log"})
    return {**container, "volumeMounts": mounts}


def _reloader(cr: Object, line: Line) -> Object:
    given = emqx_container(cr)
    image = cr["spec"]["template"]["spec"].get("reloaderImage") or line.reloader_image
    container: Object = {
        "name": "reloader",
        "image": image,
        "args": ["-u", "admin", "-p", "public", "-P", "8081"],
        "env": _environment(cr),
        "volumeMounts": list(given.get("volumeMounts") or ()),
    }
    if given["image"].get("pullPolicy"):
        container["imagePullPolicy"] = given["image"]["pullPolicy"]
    if given.get("envFrom"):
        container["envFrom"] = given["envFrom"]
    return container


def _mount_configuration(cr: Object, containers: list[Object], volumes: list[Object], licence: Object | None) -> None:
    acl, plugins = f"{name_of(cr)}-acl", f"{name_of(cr)}-plugins-config"
    secret = {"name": "bootstrap-user", "secret": {"secretName": f"{name_of(cr)}-bootstrap-user"}}
    user_file = "/opt/emqx/data/bootstrap_user"
    user_mount = {"name": "bootstrap-user", "mountPath": user_file, "subPath": "bootstrap_user", "readOnly": True}
    mounts: list[tuple[str, str, Object, Object]] = [
        ("EMQX_ACL_FILE", "/mounted/acl/acl.conf", {"name": acl, "mountPath": "/mounted/acl"}, _config_map(acl)),
    ]
    if licence is not None:
        name = licence["metadata"]["name"]
        file = next(iter(licence.get("data") or {}), "emqx.lic")
        mount = {"name": name, "mountPath": "/mounted/license", "readOnly": True}
        volume = {"name": name, "secret": {"secretName": name}}
        mounts.append(("EMQX_LICENSE__FILE", f"/mounted/license/{file}", mount, volume))
    plugin_dir = "/mounted/plugins/etc"
    mounts += [
        ("EMQX_PLUGINS__ETC_DIR", plugin_dir, {"name": plugins, "mountPath": plugin_dir}, _config_map(plugins)),
        ("EMQX_MANAGEMENT__BOOTSTRAP_APPS_FILE", user_file, user_mount, secret),
    ]
    for variable, value, mount, volume in mounts:
        _add_missing(volumes, volume)
        for container in containers[:2]:
            _add_missing(container["env"], {"name": variable, "value": value})
            _add_missing(container["volumeMounts"], mount)


def _add_missing(items: list[Object], item: Object) -> None:
    if all(each["name"] != item["name"] for each in items):
        items.append(item)


def _config_map(name: str) -> Object:
    return {"name": name, "configMap": {"name": name}}


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
    spec.setdefault("type", "ClusterIP")
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
        if port.get("name") in names or port[number] in numbers:
            continue
        names.add(port.get("name"))
        numbers.add(port[number])
        merged.append(port)
    return merged


def listener_endpoints(service: Object, pods: list[Object]) -> Object:
    """Endpoints of the listener: all `pods`, and as port the Service's `port`, whatever its targetPort is."""
    addresses = [
        {
            "ip": pod["status"].get("podIP", ""),
            "nodeName": pod["spec"].get("nodeName", ""),
            "targetRef": {
                "kind": "Pod",
                "namespace": pod["metadata"]["namespace"],
                "name": pod["metadata"]["name"],
                "uid": pod["metadata"]["uid"],
            },
        }
        for pod in pods
    ]
    ports = [
        {"name": port.get("name", ""), "port": port["port"], "protocol": port.get("protocol", "TCP")}
        for port in service["spec"]["ports"]
    ]
    return {"metadata": dict(service["metadata"]), "subsets": [{"addresses": addresses, "ports": ports}]}


def operator_credentials(secret: Object) -> tuple[str, str]:
    """The operator's own line of the bootstrap Secret; empty when somebody removed it."""
    text = base64.b64decode((secret.get("data") or {}).get("bootstrap_user", "")).decode()
    for line in text.split("\n"):
        user, _, password = line.partition(":")
        if user == OPERATOR_USER:
            return user, password
    return "", ""
