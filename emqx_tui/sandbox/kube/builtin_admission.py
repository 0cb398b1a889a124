"""Built-in admission of Services and workloads.

Owns cluster IPs, node ports and the limits of `spec.replicas`. A node port that an update leaves out is allocated anew:
a port that is missing from the Service for one operator pass comes back under another number.
"""

from __future__ import annotations

import random
from typing import Any

from emqx_tui.sandbox.kube import api_error
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.resources import Resource
from emqx_tui.sandbox.kube.writes import AdmissionRequest

_NODE_PORTS = range(30000, 32768)


class ServiceDefaults:
    """Admission of `services`: defaults and allocations."""

    def __init__(self, rng: random.Random) -> None:
        # Own generators: a dry run must not change what the next real write gets.
        self._seed = rng.getrandbits(64)
        self._written = 0

    def __call__(self, request: AdmissionRequest) -> Object:
        new = request.new
        if new is None or request.plural != "services" or request.subresource:
            return new or {}
        rng = random.Random(self._seed + self._written)
        if not request.dry_run:
            self._written += 1
        spec = dict(new.get("spec") or {})
        spec.setdefault("type", "ClusterIP")
        spec.setdefault("sessionAffinity", "None")
        if not spec.get("selector"):
            spec.pop("selector", None)
        if spec["type"] == "ExternalName":
            return {**new, "spec": spec}
        old = (request.old or {}).get("spec") or {}
        if not spec.get("clusterIP"):
            spec["clusterIP"] = old.get("clusterIP") or f"10.96.{rng.randrange(1, 255)}.{rng.randrange(1, 255)}"
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        if spec["type"] != "ClusterIP":
            spec.setdefault("externalTrafficPolicy", "Cluster")
        spec["ports"] = [_port(port, spec["type"], rng) for port in spec.get("ports") or ()]
        return {**new, "spec": spec}


def _port(given: Object, kind: str, rng: random.Random) -> Object:
    port = {"protocol": "TCP", "targetPort": given.get("port"), **given}
    if kind in ("NodePort", "LoadBalancer") and not port.get("nodePort"):
        port["nodePort"] = rng.choice(_NODE_PORTS)
    return port


class ReplicaRule:
    """Refuses negative replicas, as when the operator scales a set of 0 down."""

    def __init__(self, resources: dict[str, Resource]) -> None:
        self._resources = resources

    def __call__(self, request: AdmissionRequest) -> Object:
        new: Any = request.new
        if new is None or request.plural not in ("statefulsets", "deployments"):
            return new or {}
        replicas = (new.get("spec") or {}).get("replicas", 1)
        if isinstance(replicas, int) and replicas < 0:
            why = f"Invalid value: {replicas}: must be greater than or equal to 0"
            cause = ("FieldValueInvalid", "spec.replicas", why)
            raise api_error.invalid(self._resources[request.plural], new["metadata"]["name"], [cause])
        if request.plural == "statefulsets" and "replicas" not in new["spec"]:
            return {**new, "spec": {**new["spec"], "replicas": 1}}
        return new
