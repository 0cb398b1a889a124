"""The listener step: the Service and Endpoints that route new clients.

Owns the listener Service and, from 2.1.3 on, its Endpoints: every Ready pod of both colours. Ports are those of the
resource plus the listeners that the last two nodes of EMQX's answer have in common, so that one failed call or one
booting node takes the MQTT port out of the Service. (`add_listener.go`; before 2.1.3 `add_emqx_resources.go`)
"""

from __future__ import annotations

import re
from collections.abc import Generator
from itertools import pairwise
from typing import Any

from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.objects import Object, is_ready
from emqx_tui.sandbox.operator.errors import PassError, from_api
from emqx_tui.sandbox.operator.reconcile_pass import Pass
from emqx_tui.sandbox.operator.requester import field_of
from emqx_tui.sandbox.operator.templates import labels_of, listener_endpoints, listener_service

_UDP = re.compile("udp|dtls|sn")


def listener_step(run: Pass) -> Generator[float, None, None]:
    """Lines G2 and G3: selector-less Service and Endpoints. Without a Ready pod nothing is written."""
    cr = run.cr
    pods = [pod for pod in run.store.list("pods", cr["metadata"]["namespace"], labels_of(cr)) if is_ready(pod)]
    if not pods:
        return
    # The operator reads pods from a cache whose lists have no stable order.
    run.rng.shuffle(pods)
    ports = yield from listener_ports(run)
    service = listener_service(cr, ports, {})
    try:
        annotations = run.applier.create_or_update("endpoints", listener_endpoints(service, pods))
        if service["metadata"].get("annotations"):
            # The operator uses one map for both: annotations of the Endpoints end up on the Service.
            service["metadata"]["annotations"] = annotations
        run.applier.create_or_update("services", service)
    except ApiError as refused:
        failed = from_api(refused)
        raise failed.wrapped("failed to create or update listener service and endpoints") from refused


def selecting_service(run: Pass, ports: list[Object]) -> Object | None:
    """Line G1: the selector follows `status.currentStatefulSetVersion`; None before that is known."""
    revision = run.status.get("currentStatefulSetVersion")
    if not revision:
        return None
    selector = {**labels_of(run.cr), "controller-revision-hash": revision}
    return listener_service(run.cr, ports, selector)


def listener_ports(run: Pass) -> Generator[float, None, list[Object]]:
    """Service ports for EMQX's listeners; empty when the call fails, which is not reported."""
    try:
        answer = yield from run.ask("GET", "api/v4/listeners")
        nodes = field_of(answer, "data")
    except PassError:
        return []
    return [_port(listener) for listener in _common(nodes)]


def _common(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Meant as the listeners of all nodes; each round forgets the one before, so only the last two count."""
    if len(nodes) == 1:
        return nodes[0].get("listeners") or []
    found: list[dict[str, Any]] = []
    for first, second in pairwise(nodes):
        addresses = {each["listen_on"] for each in first.get("listeners") or ()}
        found = []
        for each in second.get("listeners") or ():
            if each["listen_on"] in addresses:
                found.append(each)
                addresses.discard(each["listen_on"])
    return found


def _port(listener: dict[str, Any]) -> Object:
    protocol = listener["protocol"]
    text = str(listener["listen_on"]).rpartition(":")[2]
    name = re.sub(r":\d+", "", protocol).replace(":", "-")
    number = int(text) if text.isdigit() else 0
    return {
        "name": f"{name}-{text}",
        "protocol": "UDP" if _UDP.search(protocol) else "TCP",
        "port": number,
        "targetPort": number,
    }
