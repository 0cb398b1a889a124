"""Defaults of built-in kinds.

Owns those of Pods, StatefulSets, Services and PersistentVolumeClaims that the operator, kubectl and the console meet
(kubernetes, `pkg/apis/*/v1/defaults.go`). The author of an object owns its defaults too.
"""

from __future__ import annotations

from collections.abc import Callable

from emqx_tui.sandbox.kube.objects import Object

_FILE_MODE = 0o644
_POD: Object = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_CONTAINER: Object = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_PROBE: Object = {
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}


def with_builtin_defaults(plural: str, obj: Object, old: Object | None) -> Object:
    """The object with the defaults of its kind; a spec that is the stored one has them already."""
    defaults = _DEFAULTS.get(plural)
    spec = obj.get("spec")
    if defaults is None or not isinstance(spec, dict) or (old is not None and spec is old.get("spec")):
        return obj
    return {**obj, "spec": defaults(spec)}


def _pod_spec(spec: Object) -> Object:
    filled = {**_POD, **spec}
    for key in ("containers", "initContainers"):
        if spec.get(key):
            filled[key] = [_container(each) for each in spec[key]]
    if spec.get("volumes"):
        filled["volumes"] = [_volume(each) for each in spec["volumes"]]
    return filled


def _container(given: Object) -> Object:
    container = {**_CONTAINER, **given}
    if "imagePullPolicy" not in container:
        tag = str(container.get("image", "")).rpartition("/")[2].partition(":")[2]
        container["imagePullPolicy"] = "Always" if tag in ("", "latest") else "IfNotPresent"
    if given.get("ports"):
        container["ports"] = [{"protocol": "TCP", **port} for port in given["ports"]]
    if given.get("env"):
        # Go leaves an empty value out.
        container["env"] = [
            {key: value for key, value in each.items() if key != "value" or value} for each in given["env"]
        ]
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        if given.get(key):
            container[key] = _probe(given[key])
    return container


def _probe(given: Object) -> Object:
    probe = {**_PROBE, **given}
    if given.get("httpGet"):
        probe["httpGet"] = {"path": "/", "scheme": "HTTP", **given["httpGet"]}
    return probe


def _volume(given: Object) -> Object:
    volume = dict(given)
    for key in ("configMap", "secret", "projected"):
        if isinstance(volume.get(key), dict):
            volume[key] = {"defaultMode": _FILE_MODE, **volume[key]}
    return volume


def _pod(spec: Object) -> Object:
    return {"enableServiceLinks": True, **_pod_spec(spec)}


def _stateful_set(spec: Object) -> Object:
    filled = {
        "podManagementPolicy": "OrderedReady",
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        **spec,
    }
    strategy = spec.get("updateStrategy") or {}
    kind = strategy.get("type", "RollingUpdate")
    filled["updateStrategy"] = {**strategy, "type": kind}
    if kind == "RollingUpdate":
        filled["updateStrategy"]["rollingUpdate"] = {"partition": 0, **(strategy.get("rollingUpdate") or {})}
    template = spec.get("template")
    if isinstance(template, dict) and isinstance(template.get("spec"), dict):
        filled["template"] = {**template, "spec": _pod_spec(template["spec"])}
    if spec.get("volumeClaimTemplates"):
        filled["volumeClaimTemplates"] = [_claim_template(each) for each in spec["volumeClaimTemplates"]]
    return filled


def _claim_template(given: Object) -> Object:
    named = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **given}
    return {**named, "spec": _claim(given.get("spec") or {}), "status": {"phase": "Pending"}}


def _claim(spec: Object) -> Object:
    return {"volumeMode": "Filesystem", **spec}


def _service(spec: Object) -> Object:
    filled = {"type": "ClusterIP", "sessionAffinity": "None", **spec}
    if filled["type"] != "ExternalName":
        filled.setdefault("internalTrafficPolicy", "Cluster")
    if filled["type"] in ("NodePort", "LoadBalancer"):
        filled.setdefault("externalTrafficPolicy", "Cluster")
    if spec.get("ports"):
        filled["ports"] = [_service_port(each) for each in spec["ports"]]
    return filled


def _service_port(given: Object) -> Object:
    port = {"protocol": "TCP", **given}
    if "port" in port:
        port.setdefault("targetPort", port["port"])
    return port


_DEFAULTS: dict[str, Callable[[Object], Object]] = {
    "pods": _pod,
    "statefulsets": _stateful_set,
    "services": _service,
    "persistentvolumeclaims": _claim,
}
