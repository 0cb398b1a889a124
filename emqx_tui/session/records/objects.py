"""The journal Secret, the driver's Lease and the result Event: their requests, and what comes back."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.errors import AdapterError, Conflict, NotFound
from emqx_tui.model.kinds import Kind
from emqx_tui.model.secret import Secret
from emqx_tui.model.wire import Malformed
from emqx_tui.model.workloads import REPLACED_DELAY, Lease, OwnDelay
from emqx_tui.rollout.requests import FIELD_MANAGER, MERGE_PATCH, KubeRequest
from emqx_tui.rollout.state.journal import Journal, NewerSchema, journal_name
from emqx_tui.session.ports import Kube

LEASE_DURATION_S = 15
"""Wall seconds without a renewal after which a driver counts as gone."""
LEASE_RENEW_S = 10.0
"""A renewal that fails is tried again every second, for the five seconds that are left."""

_QUERY = {"fieldManager": FIELD_MANAGER}
_KEY = "journal"


_UNREADABLE = "put the Secret back as it was, or see 'Without a journal' in the README"


def read_journal(secret: Secret | None) -> tuple[Journal | None, str]:
    """The journal in a Secret, or why it cannot be used (one line); (None, "") without one."""
    if secret is None:
        return None, ""
    text = secret.texts.get(_KEY)
    if text is None:
        return None, f"Secret {secret.name} has no key '{_KEY}', which no journal lacks: {_UNREADABLE}"
    try:
        return Journal.loads(text), ""
    except NewerSchema as error:
        return None, f"Secret {secret.name}: {error}"
    except (Malformed, ValueError) as error:
        return None, f"Secret {secret.name}: {error}: {_UNREADABLE}"


def owner_reference(uid: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "apps.emqx.io/v1beta4", "kind": "EmqxEnterprise", "name": name, "uid": uid}


async def write_journal(kube: Kube, journal: Journal, known: Secret | None, *, dry_run: bool = False) -> Secret:
    """Create or replace the journal, against the version that is known. Raises AdapterError, Conflict above all."""
    data = {_KEY: base64.b64encode(journal.dumps().encode()).decode()}
    name = journal_name(journal.name)
    if known is None:
        body: Mapping[str, Any] = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": journal.namespace,
                "ownerReferences": [owner_reference(journal.uid, journal.name)],
            },
            "type": "Opaque",
            "data": data,
        }
        request = KubeRequest("POST", Kind.SECRET.info.path(journal.namespace), body, query=_QUERY)
    else:
        metadata = {"resourceVersion": known.meta.resource_version, "uid": known.meta.uid}
        body = {"metadata": metadata, "data": data}
        path = Kind.SECRET.info.path(journal.namespace, name)
        request = KubeRequest("PATCH", path, body, MERGE_PATCH, _QUERY)
    return Secret.from_json(await kube.request(request.as_dry_run() if dry_run else request))


async def remove_journal(kube: Kube, namespace: str, name: str, known: Secret | None) -> None:
    """Delete the journal; it being gone already is fine. Raises AdapterError."""
    preconditions = {"uid": known.meta.uid} if known else {}
    body = {"preconditions": preconditions} if preconditions else None
    try:
        await kube.request(KubeRequest("DELETE", Kind.SECRET.info.path(namespace, journal_name(name)), body))
    except NotFound:
        return


async def take_lease(
    kube: Kube, namespace: str, name: str, *, holder: str, now: datetime, known: Lease | None, owner_uid: str
) -> Lease:
    """Become the holder, or renew. Raises AdapterError; Conflict = another console was faster."""
    instant = _instant(now)
    spec: dict[str, Any] = {
        "holderIdentity": holder,
        "leaseDurationSeconds": LEASE_DURATION_S,
        "renewTime": instant,
    }
    lease_name = journal_name(name)
    if known is None:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": lease_name,
                "namespace": namespace,
                "ownerReferences": [owner_reference(owner_uid, name)],
            },
            "spec": {**spec, "acquireTime": instant, "leaseTransitions": 0},
        }
        answer = await kube.request(KubeRequest("POST", Kind.LEASE.info.path(namespace), body, query=_QUERY))
        return Lease.from_json(answer)
    if known.holder != holder:
        spec |= {"acquireTime": instant, "leaseTransitions": known.transitions + 1}
    metadata = {"resourceVersion": known.meta.resource_version, "uid": known.meta.uid}
    request = KubeRequest(
        "PATCH",
        Kind.LEASE.info.path(namespace, lease_name),
        {"metadata": metadata, "spec": spec},
        MERGE_PATCH,
        _QUERY,
    )
    return Lease.from_json(await kube.request(request))


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def release_lease(kube: Kube, lease: Lease, *, driven_until: datetime | None) -> None:
    """Give the lease back, with the end of its holder's work if it is known. Raises AdapterError.

    A Conflict, because another console holds it by now, is fine.
    """
    path = Kind.LEASE.info.path(lease.meta.namespace, lease.name)
    metadata = {"resourceVersion": lease.meta.resource_version, "uid": lease.meta.uid}
    spec = {"holderIdentity": ""} | ({"renewTime": _instant(driven_until)} if driven_until else {})
    body = {"metadata": metadata, "spec": spec}
    try:
        await kube.request(KubeRequest("PATCH", path, body, MERGE_PATCH, _QUERY, timeout_s=3.0))
    except (NotFound, Conflict):
        return


async def remove_lease(kube: Kube, lease: Lease, *, unchanged: bool = False) -> None:
    """Delete the lease of a release that has ended; `unchanged`: only as it is known. Raises AdapterError."""
    path = Kind.LEASE.info.path(lease.meta.namespace, lease.name)
    known = {"uid": lease.meta.uid} | ({"resourceVersion": lease.meta.resource_version} if unchanged else {})
    try:
        await kube.request(KubeRequest("DELETE", path, {"preconditions": known}))
    except (NotFound, Conflict):
        return


async def note_delay(kube: Kube, resource: EmqxEnterprise, delay: OwnDelay, *, now: datetime) -> None:
    """Leave an Event that says what the closed valve took the place of. Raises AdapterError."""
    message = f"valve closed by emqx-tui: initialDelaySeconds was {delay.note}"
    annotations = {REPLACED_DELAY: delay.note}
    await write_event(kube, resource, reason="ReleaseStopped", message=message, now=now, annotations=annotations)


async def write_event(
    kube: Kube,
    resource: EmqxEnterprise,
    *,
    reason: str,
    message: str,
    now: datetime,
    is_warning: bool = False,
    annotations: Mapping[str, str] | None = None,
) -> None:
    """Leave an Event on the custom resource; `annotations` are the Event's own. Raises AdapterError."""
    instant = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "generateName": f"{resource.name}.emqx-tui.",
            "namespace": resource.namespace,
            **({"annotations": dict(annotations)} if annotations else {}),
        },
        "involvedObject": {
            "apiVersion": "apps.emqx.io/v1beta4",
            "kind": "EmqxEnterprise",
            "name": resource.name,
            "namespace": resource.namespace,
            "uid": resource.meta.uid,
        },
        "reason": reason,
        "message": message[:1024],
        "type": "Warning" if is_warning else "Normal",
        "source": {"component": FIELD_MANAGER},
        "firstTimestamp": instant,
        "lastTimestamp": instant,
        "count": 1,
    }
    await kube.request(KubeRequest("POST", Kind.EVENT.info.path(resource.namespace), body, query=_QUERY))


async def end_release(
    kube: Kube,
    journal: Journal,
    result: str,
    resource: EmqxEnterprise | None,
    secret: Secret | None,
    lease: Lease | None,
    now: datetime,
) -> None:
    """Write the result down as an Event, then remove the journal, then the lease. Raises AdapterError.

    The release has ended once its journal is gone: the Event is a courtesy, and a lease that is left over is removed by
    whoever looks next.
    """
    if resource is not None:
        message = f"release {journal.release_id} {result}: {journal.from_image} to {journal.to_image}"
        with contextlib.suppress(AdapterError):
            await write_event(kube, resource, reason=f"Release{result.title()}", message=message, now=now)
    await remove_journal(kube, journal.namespace, journal.name, secret)
    if lease is not None:
        with contextlib.suppress(AdapterError):
            await remove_lease(kube, lease)
