"""What belongs to a cluster and is not watched: claims; and, asked once, what this user may look at.

Looking needs no dry-run: RBAC alone decides about it, so the server is asked by access reviews, which everybody may.
"""

from __future__ import annotations

import asyncio

from emqx_tui.model.claims import INSTANCE_LABEL, Claim
from emqx_tui.model.errors import AdapterError
from emqx_tui.model.kinds import Kind
from emqx_tui.model.wire import Fields, Malformed
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.session.inspection.inspector import told
from emqx_tui.session.inspection.questions import ALL_RIGHTS, LIST_CLAIMS, Inventory, Right
from emqx_tui.session.ports import Kube

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
TIMEOUT_S = 10.0


async def take_inventory(kube: Kube, namespace: str, name: str) -> Inventory:
    """Ask for everything; never raises for what a cluster can answer."""
    missing = await missing_rights(kube, namespace)
    if LIST_CLAIMS in missing:
        return Inventory(namespace, name, (), f"not shown: the right to {LIST_CLAIMS} is missing", missing)
    claims, problem = await told(_claims(kube, namespace, name))
    return Inventory(namespace, name, claims or (), problem, missing)


async def missing_rights(kube: Kube, namespace: str) -> frozenset[Right]:
    """The rights to look that the server denies."""
    denied = await asyncio.gather(*(_is_denied(kube, namespace, right) for right in ALL_RIGHTS))
    return frozenset(right for right, is_denied in zip(ALL_RIGHTS, denied, strict=True) if is_denied)


async def _is_denied(kube: Kube, namespace: str, right: Right) -> bool:
    """What could not be asked is tried: the request itself will say."""
    resource, _, subresource = right.resource.partition("/")
    attributes = {
        "namespace": namespace,
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
    try:
        answer = await kube.request(KubeRequest("POST", _REVIEWS, body, timeout_s=TIMEOUT_S))
        return not Fields(answer).child("status").flag("allowed", True)
    except (AdapterError, Malformed):
        return False


async def _claims(kube: Kube, namespace: str, name: str) -> tuple[Claim, ...]:
    path, query = Kind.CLAIM.info.path(namespace), {"labelSelector": f"{INSTANCE_LABEL}={name}"}
    listed = await kube.request(KubeRequest("GET", path, query=query, timeout_s=TIMEOUT_S))
    return tuple(Claim.from_json(item) for item in Fields(listed).array("items"))
