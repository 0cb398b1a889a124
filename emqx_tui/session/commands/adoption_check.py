"""What is asked before a release without a journal is taken over: rights, and the template that a person gave.

All of it by dry-runs of the very requests, before anything is written: what could not be done to the end is not begun.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.errors import AdapterError, Forbidden
from emqx_tui.model.kinds import Kind
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.model.wire import Malformed
from emqx_tui.rollout.commands import Target, replace_template
from emqx_tui.rollout.intents import Adopt
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.rollout.state.journal import journal_name
from emqx_tui.session.inputs import AdoptionPrepared
from emqx_tui.session.ports import Kube
from emqx_tui.session.records.driving_rights import in_words, questions


async def prepare(intent: Adopt, snapshot: Snapshot, kube: Kube) -> AdoptionPrepared:
    """The intent, with a given template as the server would store it; or why nothing is to be begun."""
    try:
        for request in (*questions(snapshot), *_records(snapshot)):
            await _ask(kube, request)
        return AdoptionPrepared(await _with_stored_template(intent, snapshot, kube))
    except Forbidden as error:
        return AdoptionPrepared(intent, f"this console cannot drive: {in_words(error.message)}", is_forbidden=True)
    except (AdapterError, Malformed) as error:
        return AdoptionPrepared(intent, f"nothing was begun: {error}")


async def _ask(kube: Kube, request: KubeRequest) -> None:
    """Raises Forbidden, and AdapterError where nobody answered; a refusal of another kind comes after the rights."""
    try:
        await kube.request(request.as_dry_run())
    except AdapterError as error:
        if isinstance(error, Forbidden) or error.status is None:
            raise


def _records(snapshot: Snapshot) -> Iterator[KubeRequest]:
    metadata = {"name": journal_name(snapshot.name), "namespace": snapshot.namespace}
    for kind, body in (
        (Kind.SECRET, {"apiVersion": "v1", "kind": "Secret", "type": "Opaque"}),
        (Kind.LEASE, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {}}),
    ):
        yield KubeRequest("POST", kind.info.path(snapshot.namespace), {**body, "metadata": metadata})


async def _with_stored_template(intent: Adopt, snapshot: Snapshot, kube: Kube) -> Adopt:
    resource = snapshot.resource.value
    if intent.template is None or resource is None:
        return intent
    request = replace_template(Target.of(resource), resource.meta.metadata_generation, intent.template)
    admitted = EmqxEnterprise.from_json(await kube.request(request.as_dry_run()))
    return replace(intent, template=admitted.template)
