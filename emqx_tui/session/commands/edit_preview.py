"""Judging an edit before anything is sent: validation, server dry-runs, pre-flight checks and an estimate.

What counts for a right is the server's dry-run of the very request, not an access review: admission may refuse what
RBAC allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.errors import AdapterError, Conflict, NotFound
from emqx_tui.model.kinds import Kind
from emqx_tui.model.secret import Secret
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout import change as changes
from emqx_tui.rollout.change import Change, Difference, Draft, Plan, ReleaseOptions, Verdict
from emqx_tui.rollout.checks import preflight
from emqx_tui.rollout.checks.quotas import why_over_quota
from emqx_tui.rollout.commands import (
    ApplyTemplate,
    ForgetReleaseStatus,
    RepairService,
    Scale,
    Target,
    WriteEndpoints,
)
from emqx_tui.rollout.decision import CheckResult, RefusalReason
from emqx_tui.rollout.forecast.forecast import Forecast, ReleaseShape, at_start, forecast, load_of
from emqx_tui.rollout.policy import Policy, next_closed
from emqx_tui.rollout.redaction import redact
from emqx_tui.rollout.requests import FIELD_MANAGER, MERGE_PATCH, KubeRequest
from emqx_tui.rollout.state.journal import journal_name
from emqx_tui.session.ports import Changed, Kube
from emqx_tui.session.views.notice import Notice, NoticeKind
from emqx_tui.session.views.view import EditPreview

_QUERY = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}


async def preview(
    number: int,
    draft: Draft,
    options: ReleaseOptions,
    *,
    latest: Callable[[], Snapshot],
    kube: Kube,
    log_in: Callable[[], Awaitable[str]],
    policy: Policy,
    journal_secret: Secret | None,
) -> EditPreview:
    """The whole answer to one edit."""
    judged = changes.assess(draft)
    if judged.verdict in (Verdict.REFUSED, Verdict.UNCHANGED):
        return EditPreview(number, judged)
    snapshot = latest()
    ok, answer, admitted = await _dry_run(draft.original, judged, kube)
    extra = _server_differences(draft, judged, admitted)
    if judged.verdict is not Verdict.STARTS_RELEASE:
        return EditPreview(number, judged, (), None, ok, answer, extra, None)
    facts = await _facts(snapshot, kube, log_in, journal_secret)
    mark = admitted.template_mark if admitted else ""
    facts = replace(facts, resource_patch="" if ok else answer)
    parameters = draft.blue_green
    rates = changes.rates_of(parameters)
    given = draft.original.blue_green
    question = preflight.Question(snapshot, rates if given else None, policy, facts, judged.owned)
    plan = _plan(draft, judged, options, mark)
    estimate = _forecast(snapshot, draft, policy, options)
    if plan is not None and estimate is not None:
        plan = replace(plan, forecast=at_start(estimate))
    return EditPreview(number, judged, preflight.run(question), plan, ok, answer, extra, estimate)


async def examine(
    *,
    latest: Callable[[], Snapshot],
    kube: Kube,
    log_in: Callable[[], Awaitable[str]],
    policy: Policy,
    journal_secret: Secret | None,
) -> tuple[CheckResult, ...]:
    """The pre-flight checks without an edit: whether a release could start now."""
    snapshot = latest()
    facts = await _facts(snapshot, kube, log_in, journal_secret)
    resource = snapshot.resource.value
    parameters = resource.blue_green if resource else None
    if resource is not None:
        facts = replace(facts, resource_patch=await _try(kube, _resource_patch(resource, {})))
    rates = changes.rates_of(parameters) if parameters else None
    return preflight.run(preflight.Question(snapshot, rates, policy, facts))


def _plan(draft: Draft, judged: Change, options: ReleaseOptions, mark: str) -> Plan | None:
    rates = changes.rates_of(draft.blue_green)
    if rates is None:
        return None
    resource = draft.original
    image = draft.template["spec"]["emqxContainer"]["image"]
    version = image.get("version") or ""
    target = replace(
        resource.image,
        repository=image.get("repository") or resource.image.repository,
        registry=image.get("registry", resource.image.registry) or "",
        version=version,
    )
    return Plan(
        namespace=resource.namespace,
        name=resource.name,
        uid=resource.meta.uid,
        resource_version=resource.meta.resource_version,
        metadata_generation=resource.meta.metadata_generation,
        from_image=str(resource.image),
        to_image=str(target),
        from_version=resource.image.version,
        to_version=version,
        patch=judged.patch["template"],
        differences=judged.differences,
        delay_s=draft.blue_green.effective_delay_s,
        delay_was_absent=draft.blue_green.initial_delay_s is None,
        rates=rates,
        target_mark=mark,
        approval=options.approval,
        parallel_drains=options.parallel_drains,
        late_removal=options.late_removal,
        freeze_on_silence=options.freeze_on_silence,
    )


async def _dry_run(resource: EmqxEnterprise, judged: Change, kube: Kube) -> tuple[bool, str, EmqxEnterprise | None]:
    """Ask the server to check the patch. (accepted, why not, the object as it would be stored)."""
    request = _patch_request(resource, judged).as_dry_run()
    try:
        return True, "", EmqxEnterprise.from_json(await kube.request(request))
    except AdapterError as error:
        return False, error.message, None


def _patch_request(resource: EmqxEnterprise, judged: Change) -> KubeRequest:
    if judged.verdict is Verdict.STARTS_RELEASE:
        delay = resource.blue_green.effective_delay_s if resource.blue_green else 0
        target = Target(resource.namespace, resource.name, resource.meta.uid)
        return ApplyTemplate(target, judged.patch["template"], next_closed(delay)).request()
    return _resource_patch(resource, judged.patch)


def _resource_patch(resource: EmqxEnterprise, spec: Mapping[str, Any]) -> KubeRequest:
    body = {"metadata": {"uid": resource.meta.uid}, "spec": dict(spec)}
    path = Kind.EMQX_ENTERPRISE.info.path(resource.namespace, resource.name)
    return KubeRequest("PATCH", path, body, MERGE_PATCH, _QUERY)


def _server_differences(draft: Draft, judged: Change, admitted: EmqxEnterprise | None) -> tuple[Difference, ...]:
    """What the server would change beyond the edit."""
    if admitted is None or not judged.patch:
        return ()
    beyond = changes.assess(Draft(_with_template(draft), admitted.template, draft.blue_green))
    return tuple(d for d in beyond.differences if d.path.startswith("spec.template"))


def _with_template(draft: Draft) -> EmqxEnterprise:
    raw = {**draft.original.raw, "spec": {**draft.original.raw.get("spec", {}), "template": draft.template}}
    return replace(draft.original, raw=raw)


def _forecast(snapshot: Snapshot, draft: Draft, policy: Policy, options: ReleaseOptions) -> Forecast | None:
    rates = changes.rates_of(draft.blue_green)
    alive = [g for g in snapshot.generations if g.replicas > 0]
    if rates is None or not alive:
        return None
    blue = alive[0].members
    shape = ReleaseShape(
        rates,
        delay_s=draft.blue_green.effective_delay_s,
        canary_s=0.0 if options.late_removal else policy.canary_s,
        parallel_drains=options.parallel_drains,
        late_removal=options.late_removal,
        boot_s=min((s for m in blue if (s := m.pod.boot_s) is not None), default=None),
    )
    return forecast([load_of(m) for m in reversed(blue)], shape)


async def _facts(
    snapshot: Snapshot, kube: Kube, log_in: Callable[[], Awaitable[str]], journal_secret: Secret | None
) -> preflight.Facts:
    answers = asyncio.gather(
        _ask_endpoints(snapshot, kube),
        _ask_scale(snapshot, kube),
        _ask_status(snapshot, kube),
        _ask_service(snapshot, kube),
        _ask_journal(snapshot, kube, journal_secret),
        log_in(),
    )
    names, keys, room = await asyncio.gather(
        _same_names(snapshot, kube), _license_keys(snapshot, kube), _room(snapshot, kube)
    )
    endpoints, scale, status, service, journal, login = await answers
    return preflight.Facts(
        endpoints_patch=endpoints,
        scale_patch=scale,
        status_patch=status,
        service_patch=service,
        broker_login=login,
        journal=journal,
        same_name=names,
        license_keys=keys,
        capacity=room,
    )


async def _try(kube: Kube, request: KubeRequest) -> str:
    """Empty = the server would do it; else why not. A lost race is no refusal."""
    try:
        await kube.request(request.as_dry_run())
    except Conflict:
        return ""
    except AdapterError as error:
        return error.message
    return ""


async def _ask_endpoints(snapshot: Snapshot, kube: Kube) -> str | None:
    endpoints = snapshot.listener_endpoints
    if endpoints is None:
        return None
    target = Target.of(endpoints)
    if not endpoints.addresses:
        return "the listener Endpoints have no address"
    return await _try(kube, WriteEndpoints(target, endpoints.addresses, endpoints.ports, "dry-run").request())


async def _ask_scale(snapshot: Snapshot, kube: Kube) -> str | None:
    alive = [s for s in snapshot.sets if s.replicas > 0]
    if not alive:
        return None
    meta = alive[0].meta
    target = Target(meta.namespace, meta.name, meta.uid)
    return await _try(kube, Scale(target, alive[0].replicas, alive[0].replicas).request())


async def _ask_status(snapshot: Snapshot, kube: Kube) -> str | None:
    resource = snapshot.resource.value
    if resource is None:
        return None
    target = Target(resource.namespace, resource.name, resource.meta.uid)
    return await _try(kube, ForgetReleaseStatus(target).request())


async def _ask_service(snapshot: Snapshot, kube: Kube) -> str | None:
    service = snapshot.listener_service
    if service is None or not service.ports:
        return None
    target = Target.of(service)
    return await _try(kube, RepairService(target, service.ports).request())


async def _ask_journal(snapshot: Snapshot, kube: Kube, known: Secret | None) -> str | None:
    """Both kinds of our own records, asked as they will be written."""
    if known is not None:
        return "a journal stands already"
    metadata = {"name": journal_name(snapshot.name), "namespace": snapshot.namespace}
    bodies: dict[Kind, dict[str, Any]] = {
        Kind.SECRET: {"apiVersion": "v1", "kind": "Secret", "type": "Opaque"},
        Kind.LEASE: {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {}},
    }
    for kind, body in bodies.items():
        request = KubeRequest("POST", kind.info.path(snapshot.namespace), {**body, "metadata": metadata})
        if refusal := await _try(kube, request):
            return refusal
    return ""


async def _same_names(snapshot: Snapshot, kube: Kube) -> tuple[str, ...]:
    """Other kinds of the operator with an object of this name; kinds that cannot be read are skipped."""
    found = []
    for base, plural in (("apis/apps.emqx.io/v2beta1", "emqxes"), ("apis/apps.emqx.io/v1beta4", "emqxbrokers")):
        try:
            await kube.request(KubeRequest("GET", f"/{base}/namespaces/{snapshot.namespace}/{plural}/{snapshot.name}"))
            found.append(f"{plural}/{snapshot.name}")
        except AdapterError:
            continue
    return tuple(found)


async def _license_keys(snapshot: Snapshot, kube: Kube) -> int | None:
    resource = snapshot.resource.value
    license_spec = resource.raw.get("spec", {}).get("license") if resource else None
    name = license_spec.get("secretName") if isinstance(license_spec, dict) else None
    if not name:
        return None
    try:
        answer = await kube.request(KubeRequest("GET", Kind.SECRET.info.path(snapshot.namespace, str(name))))
    except AdapterError:
        return None
    return len(answer.get("data") or {})


async def _room(snapshot: Snapshot, kube: Kube) -> str | None:
    """What the quotas say of a second generation; None where quotas or pods cannot be read."""
    alive = [g for g in snapshot.generations if g.replicas > 0 and g.members]
    if not alive:
        return None
    pods = Kind.POD.info
    quotas = f"/{pods.base}/namespaces/{snapshot.namespace}/resourcequotas"
    one = {"fieldSelector": f"metadata.name={alive[0].members[0].name}"}
    try:
        listed = await kube.request(KubeRequest("GET", quotas))
        found = await kube.request(KubeRequest("GET", pods.path(snapshot.namespace), query=one))
        return why_over_quota(listed["items"], found["items"][0], alive[0].replicas)
    except (AdapterError, ValueError, LookupError):
        return None


async def save(edit: Draft | Plan, snapshot: Snapshot, kube: Kube) -> tuple[Notice, Changed | None]:
    """Send an edit that starts no release. The answer for the person, and the stored object."""
    if isinstance(edit, Plan):
        return Notice.refused("a plan is started, not saved"), None
    judged = changes.assess(edit)
    if judged.verdict not in (Verdict.NEXT_RELEASE, Verdict.THIS_RELEASE, Verdict.NO_EFFECT):
        return Notice.refused(f"this edit {judged.verdict}"), None
    resource = snapshot.resource.value
    seen = edit.original.meta
    if resource is None or (resource.meta.uid, resource.meta.metadata_generation) != (
        seen.uid,
        seen.metadata_generation,
    ):
        return Notice.refused(
            "the object was changed since you began: look at it again", RefusalReason.SUPERSEDED
        ), None
    request = _patch_request(edit.original, judged)
    body = {**request.body, "metadata": {"uid": seen.uid, "resourceVersion": resource.meta.resource_version}}
    try:
        answer = await kube.request(replace(request, body=body))
    except NotFound:
        return Notice.refused("the object is gone", RefusalReason.SUPERSEDED), None
    except AdapterError as error:
        return Notice.refused(redact(error.message)), None
    stored = EmqxEnterprise.from_json(answer)
    return Notice(NoticeKind.ACCEPTED, f"saved: {judged.verdict}"), Changed(
        Kind.EMQX_ENTERPRISE, (stored.namespace, stored.name), stored
    )
