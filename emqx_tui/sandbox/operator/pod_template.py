"""The StatefulSet that the operator generates from an EmqxEnterprise.

Owns the pod template. It is a function of the resource, the operator line and the licence's file name, so the same
resource gives the same template and with it the same StatefulSet. (`controllers/apps/v1beta4/generated.go`)
"""

from __future__ import annotations

from emqx_tui.sandbox.kube.objects import ON_SERVING, Object
from emqx_tui.sandbox.operator.lines import Line
from emqx_tui.sandbox.operator.templates import (
    RELOADER_IMAGE,
    emqx_container,
    headless_name,
    metadata_of,
    name_of,
    without_kubectl,
)

MANAGED_CONTAINERS = "apps.emqx.io/manage-containers"
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
            env.append({"name": name, "value": value} if value else {"name": name})
    return sorted(env, key=lambda each: each["name"])


def stateful_set(cr: Object, line: Line, licence: Object | None) -> Object:
    """The desired StatefulSet, named after the resource; blue-green gives it another name later."""
    template = cr["spec"]["template"]
    pod_labels = dict(template["metadata"].get("labels") or {})
    containers: list[Object] = [
        _main_container(cr, line),
        _reloader(cr),
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
        claims.append({"metadata": dict(persistent["metadata"]), "spec": persistent["spec"], "status": {}})
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
        "updateStrategy": {},
        "selector": {"matchLabels": pod_labels},
        "template": {"metadata": {"labels": pod_labels, "annotations": annotations}, "spec": pod_spec},
    }
    if claims:
        spec["volumeClaimTemplates"] = claims
    metadata = metadata_of(cr, name_of(cr))
    metadata["annotations"] = without_kubectl(metadata.get("annotations") or {})
    return {"metadata": metadata, "spec": spec}


def _main_container(cr: Object, line: Line) -> Object:
    given = emqx_container(cr)
    container: Object = {"name": "emqx", "image": image_of(cr), "env": _environment(cr), "resources": {}}
    if given["image"].get("pullPolicy"):
        container["imagePullPolicy"] = given["image"]["pullPolicy"]
    container |= {key: given[key] for key in _COPIED_FIELDS if given.get(key)}
    mounts: list[Object] = list(given.get("volumeMounts") or ())
    if line.adds_log_volume:
        mounts.append({"name": "emqx-log", "mountPath": "/opt/emqx/log"})
    return {**container, "volumeMounts": mounts}


def _reloader(cr: Object) -> Object:
    given = emqx_container(cr)
    image = cr["spec"]["template"]["spec"].get("reloaderImage") or RELOADER_IMAGE
    container: Object = {
        "name": "reloader",
        "image": image,
        "args": ["-u", "admin", "-p", "public", "-P", "8081"],
        "env": _environment(cr),
        "resources": {},
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
