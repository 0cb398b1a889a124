"""PURE: the shape of a cluster, as a sandbox takes it, and nothing of it that could be secret.

Taken over are sizes, versions, rates, delays, volumes and ports. Of the configuration only the addresses of listeners:
of everything else nobody here can say what it holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.snapshot import Member, Snapshot
from emqx_tui.rollout.policy import is_closed

OPERATOR = "2.2.29"
"""Assumed where the operator's image is not known."""
DELAY_S = 60
"""Assumed where a release has closed the valve."""
BOOT_S = 15.0
"""Assumed where no pod tells."""
LONGEST_BOOT_S = 200.0
"""A sandbox's cluster has to be up before its clock stands at now."""

_ADDRESS = re.compile(r"listener\.[a-z]+\.[a-z]+")
_RATE = 200


class NotLike(ValueError):
    """Why a cluster has no shape that can be rehearsed with, in one line."""


def shape(snapshot: Snapshot) -> dict[str, Any]:
    """The shape of the cluster that was seen, as JSON. Raises NotLike."""
    resource = snapshot.resource.value
    sets = [generation for generation in snapshot.generations if generation.replicas > 0]
    if resource is None or not sets:
        raise NotLike("the cluster has no StatefulSet with nodes")
    nodes = sorted(sets[0].members, key=lambda member: str(member.ordinal))
    uncounted = [member.name for member in nodes if member.live_connections is None]
    if uncounted:
        raise NotLike(f"the clients of {', '.join(uncounted)} could not be counted")
    boots = [seconds for member in nodes if (seconds := member.pod.boot_s) is not None]
    return {
        "manifest": manifest(resource),
        "operator": _tag(snapshot.operator_image.value or "") or OPERATOR,
        "clients": [member.live_connections or 0 for member in nodes],
        "kept_sessions": [_kept(member) for member in nodes],
        "boot_s": min(min(boots, default=BOOT_S), LONGEST_BOOT_S),
    }


def _kept(member: Member) -> int:
    return max(0, (member.sessions or 0) - (member.live_connections or 0))


def _tag(image: str) -> str:
    tag = image.partition("@")[0].rpartition("/")[2].rpartition(":")[2].lstrip("v")
    return tag if re.match(r"\d+\.\d+\.\d+", tag) else ""


def manifest(resource: EmqxEnterprise) -> dict[str, Any]:
    """An EmqxEnterprise of the same shape."""
    given = resource.raw.get("spec") or {}
    blue_green = _blue_green(resource)
    container: dict[str, Any] = {"image": {"repository": resource.image.repository, "version": resource.image.version}}
    if listeners := _listeners(resource.template):
        container["emqxConfig"] = listeners
    spec: dict[str, Any] = {
        "replicas": resource.replicas,
        "template": {"spec": {"emqxContainer": container}},
        "blueGreenUpdate": blue_green,
    }
    if resource.persistent:
        spec["persistent"] = _claim(given["persistent"])
    if service := _service(given.get("serviceTemplate")):
        spec["serviceTemplate"] = service
    return _named(resource.name, resource.namespace, spec)


def _named(name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "apps.emqx.io/v1beta4", "kind": "EmqxEnterprise", "metadata": metadata, "spec": spec}


def _blue_green(resource: EmqxEnterprise) -> dict[str, Any]:
    parameters = resource.blue_green
    if parameters is None:
        raise NotLike("it has no spec.blueGreenUpdate: the operator would update it in place, without a release")
    delay_s = parameters.effective_delay_s
    return {
        "initialDelaySeconds": DELAY_S if is_closed(delay_s) else delay_s,
        "evacuationStrategy": {
            "waitTakeover": parameters.wait_takeover_s or 0,
            "connEvictRate": parameters.conn_evict_rate_per_s or _RATE,
            "sessEvictRate": parameters.sess_evict_rate_per_s or _RATE,
        },
    }


def _listeners(template: Mapping[str, Any]) -> dict[str, str]:
    config = template["spec"]["emqxContainer"].get("emqxConfig") or {}
    return {key: str(value) for key, value in config.items() if _ADDRESS.fullmatch(key)}


def _claim(persistent: Mapping[str, Any]) -> dict[str, Any]:
    spec = persistent.get("spec") or {}
    return {"spec": {key: spec[key] for key in ("accessModes", "resources", "storageClassName") if key in spec}}


def _service(template: Mapping[str, Any] | None) -> dict[str, Any]:
    if not template:
        return {}
    name, spec = (template.get("metadata") or {}).get("name"), template.get("spec") or {}
    kept = {key: spec[key] for key in ("type", "ports") if key in spec}
    return {**({"metadata": {"name": name}} if name else {}), **({"spec": kept} if kept else {})}


def next_version(version: str) -> str:
    """The next patch release: what a rehearsal without a screen releases."""
    found = re.match(r"(\d+\.\d+\.)(\d+)", version)
    return f"{found[1]}{int(found[2]) + 1}" if found else "4.4.15"


def default_shape() -> dict[str, Any]:
    """Of a cluster that nobody pointed at."""
    strategy = {"waitTakeover": 5, "connEvictRate": _RATE, "sessEvictRate": _RATE}
    image = {"repository": "emqx/emqx-ee", "version": "4.4.14"}
    spec = {
        "replicas": 3,
        "template": {"spec": {"emqxContainer": {"image": image}}},
        "blueGreenUpdate": {"initialDelaySeconds": DELAY_S, "evacuationStrategy": strategy},
    }
    return {
        "manifest": _named("emqx-ee", "default", spec),
        "operator": OPERATOR,
        "clients": [5_000] * 3,
        "kept_sessions": [0] * 3,
        "boot_s": BOOT_S,
    }
