"""Discovery documents: groups, versions and kinds.

Pure functions of the registered resources, in the unaggregated form, which every kubectl reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from emqx_tui.sandbox.kube.resources import Resource

Document = dict[str, Any]

GIT_VERSION = "v1.32.4"
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


def version() -> Document:
    """`GET /version`."""
    return {
        "major": "1",
        "minor": "32",
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2025-04-22T15:56:15Z",
        "goVersion": "go1.23.6",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def core_versions(server: str) -> Document:
    """`GET /api`."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": server}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def group_versions(resources: Iterable[Resource]) -> dict[str, list[Resource]]:
    """Resources by group version, in the order of registration."""
    grouped: dict[str, list[Resource]] = {}
    for resource in resources:
        grouped.setdefault(resource.group_version, []).append(resource)
    return grouped


def group_list(resources: Iterable[Resource]) -> Document:
    """`GET /apis`."""
    names = dict.fromkeys((each.group, each.version) for each in resources if each.group)
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*each) for each in names]}


def group(resources: Iterable[Resource], name: str) -> Document | None:
    """`GET /apis/<group>`, None when there is no such group."""
    for each in resources:
        if each.group == name:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, each.version)}
    return None


def _group(name: str, version_name: str) -> Document:
    served = {"groupVersion": f"{name}/{version_name}", "version": version_name}
    return {"name": name, "versions": [served], "preferredVersion": served}


def resource_list(resources: Iterable[Resource], group_version: str) -> Document | None:
    """`GET /api/v1` or `/apis/<group>/<version>`, None when nothing is served there."""
    listed = [entry for each in resources if each.group_version == group_version for entry in _entries(each)]
    if not listed:
        return None
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


def _entries(resource: Resource) -> list[Document]:
    main: Document = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": ["create"] if resource.virtual else list(_VERBS),
    }
    if resource.short_names:
        main["shortNames"] = list(resource.short_names)
    if resource.categories:
        main["categories"] = list(resource.categories)
    entries = [main, *(_subresource(resource, name) for name in sorted(resource.subresources))]
    if resource.plural == "pods":
        entries.append(
            {
                "name": "pods/portforward",
                "singularName": "",
                "namespaced": True,
                "kind": "PodPortForwardOptions",
                "verbs": ["create", "get"],
            }
        )
    return entries


def _subresource(resource: Resource, name: str) -> Document:
    entry: Document = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": ["get", "patch", "update"],
    }
    if name == "scale":
        entry |= {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    return entry
