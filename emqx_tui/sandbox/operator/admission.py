"""The operator's webhooks for `EmqxEnterprise`.

Owns the defaults that the webhook writes on every create and update, what it refuses, and that both fail closed while
the operator's process is down. Labels and annotations of the resource are copied into the pod template here, so any new
annotation starts a release. Not called for status and scale. (`emqxbroker_webhook.go`)
"""

from __future__ import annotations

import re
from collections.abc import Callable

from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.writes import AdmissionRequest
from emqx_tui.sandbox.operator.templates import RELOADER_IMAGE, emqx_container, merged_ports, without_kubectl

_ACL = [
    '{allow, {user, "dashboard"}, subscribe, ["$SYS/#"]}.',
    '{allow, {ipaddr, "127.0.0.1"}, pubsub, ["$SYS/#", "#"]}.',
    '{deny, all, subscribe, ["$SYS/#", {eq, "#"}]}.',
    "{allow, all}.",
]
_CONTAINER_PORTS = [
    {"name": "management", "protocol": "TCP", "containerPort": 8081},
    {"name": "dashboard", "protocol": "TCP", "containerPort": 18083},
]
_SERVICE_PORTS = [
    {"name": "http-management-8081", "port": 8081, "protocol": "TCP", "targetPort": 8081},
    {"name": "http-dashboard-18083", "port": 18083, "protocol": "TCP", "targetPort": 18083},
]
_USER = {"runAsUser": 1000, "runAsGroup": 1000}
_SEMVER = re.compile(r"^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$")
_OLDEST, _TOO_NEW = (4, 4, 14), (5, 0, 0)


class EnterpriseWebhooks:
    """Mutating and validating admission of `emqxenterprises`; `is_up` tells whether the operator's process answers."""

    def __init__(self, is_up: Callable[[], bool]) -> None:
        self._is_up = is_up

    def mutate(self, request: AdmissionRequest) -> Object:
        new = request.new
        if not _is_called(request) or new is None:
            return new or {}
        if not self._is_up():
            raise _unreachable("mutating.enterprise.emqx.io", "mutate")
        return with_defaults(new)

    def validate(self, request: AdmissionRequest) -> Object:
        """Called after schema validation of what `mutate` returned."""
        new = request.new
        if not _is_called(request) or new is None:
            return new or {}
        why = refusal(new, request.old)
        if why is not None:
            message = f'admission webhook "validator.enterprise.emqx.io" denied the request: {why}'
            raise ApiError(403, "Forbidden", message)
        return new


def _is_called(request: AdmissionRequest) -> bool:
    return request.plural == "emqxenterprises" and request.operation != "DELETE" and not request.subresource


def _unreachable(webhook: str, verb: str) -> ApiError:
    url = (
        f"https://emqx-operator-webhook-service.emqx-operator-system.svc:443/{verb}-apps-emqx-io-v1beta4-emqxenterprise"
    )
    message = (
        f'Internal error occurred: failed calling webhook "{webhook}": failed to call webhook: '
        f'Post "{url}?timeout=10s": dial tcp 10.96.0.20:443: connect: connection refused'
    )
    return ApiError(500, "InternalError", message)


# -- defaults


def with_defaults(cr: Object) -> Object:
    """The resource as the mutating webhook sends it back; the argument is not changed."""
    metadata = cr["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace") or "default"
    own = {"apps.emqx.io/managed-by": "emqx-operator", "apps.emqx.io/instance": name}
    labels = {**(metadata.get("labels") or {}), **own}
    annotations = without_kubectl(metadata.get("annotations") or {})

    def inherited(given: Object, default_name: str = "") -> Object:
        """Metadata with what it lacks of the resource's labels and annotations, and with a name if it needs one."""
        filled = dict(given.get("metadata") or {})
        if default_name:
            filled |= {"name": filled.get("name") or default_name, "namespace": namespace}
        filled["labels"] = {**labels, **(filled.get("labels") or {})}
        filled["annotations"] = without_kubectl({**annotations, **(filled.get("annotations") or {})})
        return {key: value for key, value in filled.items() if value or key not in ("labels", "annotations")}

    spec = dict(cr.get("spec") or {})
    spec.setdefault("replicas", 3)
    spec.setdefault("clusterDomain", "cluster.local")
    template, service = spec.get("template") or {}, spec.get("serviceTemplate") or {}
    dns_name = f"{name}-headless.{namespace}.svc.{spec['clusterDomain']}"
    pod = _pod_spec(template.get("spec") or {}, name, dns_name)
    spec["template"] = {**template, "metadata": inherited(template), "spec": pod}
    service_spec = _service_spec(service.get("spec") or {}, labels)
    spec["serviceTemplate"] = {**service, "metadata": inherited(service, name), "spec": service_spec}
    spec.setdefault("license", {})
    if persistent := spec.get("persistent"):
        spec["persistent"] = {**persistent, "metadata": inherited(persistent, f"{name}-data")}
    if spec.get("blueGreenUpdate") is not None:
        spec["blueGreenUpdate"] = _marshalled_update(spec["blueGreenUpdate"])
    else:
        spec.pop("blueGreenUpdate", None)
    return {**cr, "metadata": {**metadata, "labels": labels}, "spec": spec}


def _pod_spec(given: Object, name: str, dns_name: str) -> Object:
    pod = dict(given)
    pod.setdefault("reloaderImage", RELOADER_IMAGE)
    pod.setdefault(
        "podSecurityContext",
        {**_USER, "fsGroup": 1000, "fsGroupChangePolicy": "Always", "supplementalGroups": [1000]},
    )
    container = dict(pod.get("emqxContainer") or {})
    image = dict(container.get("image") or {})
    if not image.get("repository"):
        image["repository"] = "emqx/emqx-ee"
    image.setdefault("pullPolicy", "IfNotPresent")
    container["image"] = image
    container.setdefault("securityContext", {**_USER, "runAsNonRoot": True})
    if not container.get("emqxACL"):
        container["emqxACL"] = list(_ACL)
    defaults = {
        "name": name,
        "log.to": "console",
        "cluster.discovery": "dns",
        "cluster.dns.type": "srv",
        "cluster.dns.app": name,
        "cluster.dns.name": dns_name,
        "listener.tcp.internal": "",
    }
    container["emqxConfig"] = {**defaults, **(container.get("emqxConfig") or {})}
    container["ports"] = merged_ports(container.get("ports") or [], _CONTAINER_PORTS, "containerPort")
    container.setdefault("resources", {})
    return {**pod, "emqxContainer": container}


def _service_spec(given: Object, labels: dict[str, str]) -> Object:
    return {**given, "selector": dict(labels), "ports": merged_ports(given.get("ports") or [], _SERVICE_PORTS)}


def _marshalled_update(given: Object) -> Object:
    """The Go type omits zeros, so an explicit 0 becomes absent."""
    update = {key: value for key, value in given.items() if value != 0}
    strategy = given.get("evacuationStrategy") or {}
    update["evacuationStrategy"] = {key: value for key, value in strategy.items() if value != 0}
    return update


# -- refusals


def refusal(new: Object, old: Object | None) -> str | None:
    """Why the validating webhook refuses this; None when it does not."""
    container = emqx_container(new)
    before = {} if old is None else emqx_container(old)
    if old is not None and (container.get("bootstrapAPIKeys") or []) != (before.get("bootstrapAPIKeys") or []):
        return "bootstrap APIKey cannot be updated"
    why = _bad_version(container["image"].get("version", ""))
    if why or old is None:
        return why
    if new["spec"].get("persistent") != old["spec"].get("persistent"):
        return "refuse to update Persistent "
    return _bad_config(container.get("emqxConfig") or {}, before.get("emqxConfig") or {})


def _bad_version(version: str) -> str | None:
    if version == "latest":
        return "image version can not be latest"
    found = _SEMVER.match(version)
    if found is None:
        return f"invalid image version: {version}"
    release = tuple(int(part or 0) for part in found.groups()[:3])
    # A pre-release sorts below the release it leads to.
    if release < _OLDEST or (release == _OLDEST and found[4]):
        return f"image version {version} is too old, please upgrade to 4.4.14 or later"
    if release > _TOO_NEW or (release == _TOO_NEW and not found[4]):
        return f"image version {version} is too new, please downgrade to 5.0.0 earlier"
    return None


def _bad_config(new: dict[str, str], old: dict[str, str]) -> str | None:
    field = '".spec.template.spec.emqxContainer.emqxConfig"'
    if "name" in new and new["name"] != old.get("name", ""):
        return f'refuse to update the "name" field in {field}'
    for key, value in old.items():
        if key.startswith("cluster") and key in new and new[key] != value:
            return f'refuse to update the "^cluster.*$" field in {field}'
    return None
