"""Who owns a field, by `managedFields` as the tools write them."""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.model.owners import Keeps, Owners, owner
from emqx_tui.model.wire import Fields, Malformed

VERSION = "spec.template.spec.emqxContainer.image.version"


def spec(**fields: Any) -> dict[str, Any]:
    return {"f:spec": {f"f:{name}": value for name, value in fields.items()}}


def owners(*entries: dict[str, Any]) -> Owners:
    return Owners.from_fields(Fields({"managedFields": list(entries)}))


def entry(fields: dict[str, Any], manager: str = "helm", operation: str = "Update", **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": fields, **more}


@pytest.mark.parametrize(
    ("manager", "operation", "name", "keeps"),
    [
        ("argocd-controller", "Apply", "Argo CD", Keeps.ALWAYS),
        ("argocd-application-controller", "Update", "Argo CD", Keeps.ALWAYS),
        ("kustomize-controller", "Apply", "Flux", Keeps.ALWAYS),
        ("helm-controller", "Update", "Flux", Keeps.ALWAYS),
        ("Helm", "Update", "Helm", Keeps.NEXT_TIME),
        ("terraform-provider-kubernetes", "Update", "Terraform", Keeps.NEXT_TIME),
        ("kubectl-client-side-apply", "Update", "kubectl apply", Keeps.NEXT_TIME),
        ("kubectl", "Apply", "kubectl apply", Keeps.NEXT_TIME),
        ("kubectl-edit", "Update", "a person", Keeps.NOT),
        ("kubectl-patch", "Update", "a person", Keeps.NOT),
        ("emqx-tui", "Update", "emqx-tui", Keeps.NOT),
        ("our-pipeline", "Apply", "our-pipeline", Keeps.NEXT_TIME),
        ("our-script", "Update", "our-script", Keeps.NOT),
        ("kubectl", "Update", "kubectl", Keeps.NOT),
    ],
)
def test_a_manager_is_told_by_name_and_by_what_it_does_to_another_value(manager, operation, name, keeps):
    found = owner(manager, operation)
    assert (found.name, found.keeps, found.manager) == (name, keeps, manager)


@pytest.mark.parametrize(
    ("fields", "path", "is_owned"),
    [
        pytest.param(spec(replicas={}), "spec.replicas", True, id="the field"),
        pytest.param(spec(replicas={}), "spec.template", False, id="another one"),
        pytest.param(spec(template={"f:spec": {}}), "spec.template", True, id="something below it"),
        pytest.param(spec(template={}), "spec.template.spec.x", True, id="all of a parent"),
        pytest.param(spec(config={"f:log.level": {}}), "spec.config.log.level", True, id="a key with dots"),
        pytest.param(spec(config={"f:log.level": {}}), "spec.config.log", False, id="half a key with dots"),
        pytest.param(spec(config={"f:a": {"f:b": {}}, "f:a.b": {}}), "spec.config.a.c", False, id="a sibling"),
        pytest.param(spec(env={'k:{"name":"A"}': {}}), "spec.env", True, id="an entry of a list"),
        pytest.param(spec(replicas={}), "", False, id="no path"),
        pytest.param({"f:spec": "x"}, "spec.replicas", False, id="no tree"),
    ],
)
def test_a_field_is_found_by_its_path(fields, path, is_owned):
    assert bool(owners(entry(fields)).of(path)) is is_owned


def test_the_owner_that_keeps_its_value_comes_first_and_a_status_writer_is_none():
    fields = spec(template={"f:spec": {"f:emqxContainer": {"f:image": {"f:version": {}}}}})
    found = owners(
        entry(fields, "kubectl-edit"),
        entry(fields, "helm"),
        entry(fields, "argocd-controller", "Apply"),
        entry(fields, "helm"),
        entry(fields, "manager", subresource="status"),
    )
    assert [each.manager for each in found.of(VERSION)] == ["argocd-controller", "helm", "kubectl-edit"]


def test_an_object_without_managed_fields_has_no_owners():
    assert Owners.from_fields(Fields({})).of(VERSION) == ()


def test_a_list_that_is_none_is_malformed():
    with pytest.raises(Malformed):
        Owners.from_fields(Fields({"managedFields": "x"}))
