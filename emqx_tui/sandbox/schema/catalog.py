"""Which kind has which schema: the one place that knows all types.

Owns the assembled catalogue. Schemas are shared and must not be changed by anybody.
"""

from __future__ import annotations

from emqx_tui.sandbox.schema.builtin import BUILTIN_TYPES
from emqx_tui.sandbox.schema.containers import CONTAINER_TYPES
from emqx_tui.sandbox.schema.emqx import EMQX_TYPES
from emqx_tui.sandbox.schema.notation import Schema, Types
from emqx_tui.sandbox.schema.pods import POD_TYPES
from emqx_tui.sandbox.schema.volumes import VOLUME_TYPES

EMQX_API_VERSION = "apps.emqx.io/v1beta4"
CUSTOM_KINDS = {"EmqxEnterprise": "emqxenterprises", "EmqxPlugin": "emqxplugins"}
BUILTIN_KINDS: dict[str, tuple[str, ...]] = {
    "v1": (
        "ConfigMap",
        "Endpoints",
        "Event",
        "Namespace",
        "Node",
        "PersistentVolumeClaim",
        "Pod",
        "Secret",
        "Service",
        "ServiceAccount",
    ),
    "apps/v1": ("Deployment", "StatefulSet"),
    "coordination.k8s.io/v1": ("Lease",),
    "discovery.k8s.io/v1": ("EndpointSlice",),
}


def _types() -> Types:
    types = Types()
    for table in (CONTAINER_TYPES, VOLUME_TYPES, POD_TYPES, BUILTIN_TYPES, EMQX_TYPES):
        types.add(table)
    return types


TYPES = _types()
OBJECT_META = TYPES.inline("ObjectMeta", builtin=True)
_ANYTHING: Schema = {"type": "object", "properties": {"metadata": OBJECT_META}}


def custom_schema(kind: str) -> Schema:
    """The structural schema of a custom resource, as its definition would carry it."""
    return TYPES.inline(kind, builtin=False)


def is_known(api_version: str, kind: str) -> bool:
    """Whether there is a schema for this kind."""
    return kind in BUILTIN_KINDS.get(api_version, ()) or (api_version == EMQX_API_VERSION and kind in CUSTOM_KINDS)


def _owned_schema(api_version: str, kind: str) -> Schema:
    if api_version == EMQX_API_VERSION and kind in CUSTOM_KINDS:
        custom = custom_schema(kind)
        return {**custom, "properties": {**custom["properties"], "metadata": OBJECT_META}}
    if kind in BUILTIN_KINDS.get(api_version, ()):
        return TYPES.inline(kind, builtin=True)
    return _ANYTHING


_OWNED = {
    (api_version, kind): _owned_schema(api_version, kind)
    for api_version, kinds in [*BUILTIN_KINDS.items(), (EMQX_API_VERSION, tuple(CUSTOM_KINDS))]
    for kind in kinds
}


def owned_schema(api_version: str, kind: str) -> Schema:
    """The schema of whole objects of a kind, ObjectMeta included; of an unknown kind only ObjectMeta."""
    return _OWNED.get((api_version, kind), _ANYTHING)
