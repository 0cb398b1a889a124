"""PersistentVolumeClaims, and which of them no pod uses any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from emqx_tui.model.kube_object import KubeObject, Meta
from emqx_tui.model.wire import Fields
from emqx_tui.model.workloads import Pod, StatefulSet

INSTANCE_LABEL = "apps.emqx.io/instance"
"""The operator's label for everything that belongs to one cluster."""


@dataclass(frozen=True)
class Claim(KubeObject):
    """One PersistentVolumeClaim."""

    phase: str
    capacity: str
    """As bound or, before, as asked for; empty when neither is told."""
    storage_class: str

    @classmethod
    def from_json(cls, value: Any) -> Claim:
        """Read a `v1` PersistentVolumeClaim. Raises Malformed."""
        fields = Fields(value)
        spec, status = fields.child("spec"), fields.child("status")
        asked = spec.child("resources").child("requests").text("storage", "")
        return cls(
            meta=Meta.from_fields(fields),
            phase=status.text("phase", "Pending"),
            capacity=status.child("capacity").text("storage", asked),
            storage_class=spec.text("storageClassName", ""),
        )


def orphaned(claims: Iterable[Claim], sets: Iterable[StatefulSet], pods: Iterable[Pod]) -> tuple[Claim, ...]:
    """The claims of pods that are neither there nor wanted: the StatefulSet is gone, or smaller by now.

    A claim of a StatefulSet is named `<template>-<pod>`; Kubernetes keeps it when the set is scaled down or deleted.
    """
    wanted = {f"{s.name}-{ordinal}" for s in sets for ordinal in range(s.replicas)} | {pod.name for pod in pods}
    return tuple(claim for claim in claims if not any(claim.name.endswith(f"-{pod}") for pod in wanted))
