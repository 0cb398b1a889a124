"""The order of the operator's steps, and where a pass ends early.

Steps are generators so that a pass can take time, hang on a call, or be cut off anywhere when the operator's process
ends. (`emqx_controller.go:Do`)
"""

from __future__ import annotations

from collections.abc import Generator

from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.operator import templates
from emqx_tui.sandbox.operator.errors import PassError, from_api
from emqx_tui.sandbox.operator.listener import listener_ports, listener_step, selecting_service
from emqx_tui.sandbox.operator.pod_conditions import gates_step
from emqx_tui.sandbox.operator.pod_template import stateful_set
from emqx_tui.sandbox.operator.reconcile_pass import Pass
from emqx_tui.sandbox.operator.statefulset_step import stateful_set_step
from emqx_tui.sandbox.operator.status import refresh_status

FULL_PASS_S = 20.0
"""Until the next pass after one that reached its end."""
SOON_S = 1.0
"""Until the next pass after a common error."""


def reconcile(run: Pass) -> Generator[float, None, float]:
    """All steps; returns the seconds to the next pass. PassError as the steps fail."""
    if not run.load_requester():
        _create_secret(run)
        return SOON_S
    yield from refresh_status(run)
    _create_missing(run)
    desired = yield from _resources(run)
    ends_after_s = yield from stateful_set_step(run, desired)
    if ends_after_s is not None:
        return ends_after_s
    run.full = True
    if run.line.writes_endpoints:
        yield from listener_step(run)
    yield from refresh_status(run)
    if run.line.on_serving_gate:
        yield from gates_step(run)
    return FULL_PASS_S


def _create_secret(run: Pass) -> None:
    try:
        run.applier.create("secrets", templates.bootstrap_secret(run.cr, run.rng))
    except ApiError:
        return


def _create_missing(run: Pass) -> None:
    """ConfigMap and default plugins, created once; each creation ends the pass with "not found"."""
    namespace = run.cr["metadata"]["namespace"]
    wanted = [("configmaps", templates.plugins_config(run.cr))]
    existing = run.store.list("emqxplugins", namespace)
    wanted += [("emqxplugins", each) for each in templates.plugin_resources(run.cr, run.line, existing)]
    for plural, obj in wanted:
        if run.store.find(plural, namespace, obj["metadata"]["name"]) is None:
            try:
                run.applier.create(plural, obj)
            except ApiError as refused:
                raise from_api(refused).wrapped("failed to create resource") from refused
            raise PassError(f"failed to get resource: {obj['metadata']['name']} not found", is_common=True)


def _resources(run: Pass) -> Generator[float, None, Object]:
    """Licence, ACL and Services; returns the StatefulSet that the resource asks for."""
    ports: list[Object] = []
    if not run.line.writes_endpoints:
        ports = yield from listener_ports(run)
    licence = _licence(run)
    try:
        if licence is not None and "secretName" not in (run.cr["spec"].get("license") or {}):
            run.applier.create_or_update("secrets", licence)
        run.applier.create_or_update("configmaps", templates.acl_config(run.cr))
        run.applier.create_or_update("services", templates.headless_service(run.cr))
        service = None if run.line.writes_endpoints else selecting_service(run, ports)
        if service is not None:
            run.applier.create_or_update("services", service)
    except ApiError as refused:
        raise from_api(refused).wrapped("failed to create or update resource") from refused
    return _desired(run, licence)


def _licence(run: Pass) -> Object | None:
    name = (run.cr["spec"].get("license") or {}).get("secretName")
    if not name:
        return templates.licence_secret(run.cr)
    try:
        licence = run.store.get("secrets", run.cr["metadata"]["namespace"], name)
    except ApiError as refused:
        raise from_api(refused).wrapped("failed to get license") from refused
    keys = list(licence.get("data") or {})
    if len(keys) > 1:
        # Go walks a map in random order, so the file name changes from pass to pass.
        run.rng.shuffle(keys)
        licence = {**licence, "data": {key: licence["data"][key] for key in keys}}
    return licence


def _desired(run: Pass, licence: Object | None) -> Object:
    """Generated anew only when something it is made of changed: identity then tells equal templates apart."""
    metadata = run.cr["metadata"]
    file = None if licence is None else next(iter(licence.get("data") or {}), None)
    source = (run.cr["spec"], metadata.get("labels"), metadata.get("annotations"), file)
    known = run.generated_sets.get(metadata["uid"])
    if known is not None and known[0] == source:
        return known[1]
    desired = stateful_set(run.cr, run.line, licence)
    if known is not None and known[1]["spec"]["template"] == desired["spec"]["template"]:
        desired["spec"]["template"] = known[1]["spec"]["template"]
    run.generated_sets[metadata["uid"]] = (source, desired)
    return desired
