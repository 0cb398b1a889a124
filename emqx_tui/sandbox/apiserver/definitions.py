"""CustomResourceDefinition objects of the custom kinds.

For reading only: `kubectl get crd`, and clients that check whether a definition is there and established. The server
enforces the same schemas, but does not take them from these objects.
"""

from __future__ import annotations

from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.kube.timestamps import rfc3339
from emqx_tui.sandbox.schema.catalog import custom_definition


def install_definitions(store: Store) -> None:
    """Create the definitions that are not there yet."""
    for resource in list(store.resources.values()):
        if resource.custom and store.find("customresourcedefinitions", None, resource.qualified) is None:
            definition = custom_definition(resource.kind)
            spec = {**definition["spec"], "conversion": {"strategy": "None"}}
            status = _established(definition, rfc3339(store.timeline.now))
            store.create("customresourcedefinitions", {**definition, "spec": spec, "status": status})


def _established(definition: Object, now: str) -> Object:
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message}
        for kind, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    versions = [version["name"] for version in definition["spec"]["versions"]]
    return {"acceptedNames": definition["spec"]["names"], "conditions": conditions, "storedVersions": versions}
