"""CustomResourceDefinition objects of the kinds that are custom here.

Only for reading: `kubectl get crd`, and clients that look whether a definition is there and established. What the
server really enforces comes from the same schemas, not from these objects.
"""

from __future__ import annotations

from typing import Any

from emqx_tui.sandbox.kube.resources import Resource
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.kube.timestamps import rfc3339
from emqx_tui.sandbox.schema.catalog import custom_schema

Object = dict[str, Any]

_STATUS_COLUMN = {"name": "Status", "type": "string", "jsonPath": '.status.conditions[?(@.status=="True")].type'}
_AGE_COLUMN = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def install_definitions(store: Store) -> None:
    """Create the definitions that are not there yet."""
    for resource in list(store.resources.values()):
        if resource.custom and store.find("customresourcedefinitions", None, resource.qualified) is None:
            made = definition(resource)
            status = _established(made, rfc3339(store.timeline.now))
            store.create("customresourcedefinitions", {**made, "status": status})


def definition(resource: Resource) -> Object:
    """The definition of a custom kind, as an installer would bring it."""
    names = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.singular,
    }
    return {
        "metadata": {"name": resource.qualified},
        "spec": {
            "group": resource.group,
            "names": names,
            "scope": "Namespaced",
            "versions": [_version(resource)],
            "conversion": {"strategy": "None"},
        },
    }


def _established(made: Object, now: str) -> Object:
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message}
        for kind, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    versions = [version["name"] for version in made["spec"]["versions"]]
    return {"acceptedNames": made["spec"]["names"], "conditions": conditions, "storedVersions": versions}


def _version(resource: Resource) -> Object:
    version: Object = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": custom_schema(resource.kind)},
        "subresources": {"status": {}},
    }
    if "scale" in resource.subresources:
        paths = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
        version["subresources"]["scale"] = paths
        version["additionalPrinterColumns"] = [_STATUS_COLUMN, _AGE_COLUMN]
    return version
