"""A world with one cluster of a given shape, such as that of a real one.

A shape is a JSON object: the EmqxEnterprise to create, the operator's release, clients and kept sessions by node, and
how long a pod boots. Whoever describes a cluster leaves out what is secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.operator.lines import LINES
from emqx_tui.sandbox.world.world import World, WorldConfig

PRESET = "device"
"""Clients that come back until they are let in: most SDKs do."""
CHURN_PER_CLIENT_S = 5e-5


@dataclass(frozen=True)
class Shape:
    """What a world is made from."""

    manifest: Object
    operator: str
    """A release of the operator, as `2.2.29`."""
    clients: tuple[int, ...]
    """By node, in the order of their ordinals."""
    kept_sessions: tuple[int, ...]
    boot_s: float


def read_shape(path: Path) -> Shape:
    """The shape in a file. Raises OSError, ValueError, KeyError."""
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Shape(
        told["manifest"], told["operator"], tuple(told["clients"]), tuple(told["kept_sessions"]), told["boot_s"]
    )


def line_of(release: str) -> str:
    """The simulated operator line that behaves as a release does: the newest of its minor release."""
    numbers = tuple(int(part) if part.isdigit() else 0 for part in release.lstrip("v").split("-")[0].split("."))
    if numbers >= (2, 2):
        return "2.2.29"
    if numbers >= (2, 1, 3):
        return "2.1.4"
    return "2.1.2" if numbers >= (2, 1, 2) else "2.1.0"


def shaped(
    shape: Shape,
    *,
    seed: int = 1,
    prepare: Callable[[Store], None] | None = None,
    **config: Any,
) -> World:
    """A settled world; `config` takes any other field of WorldConfig."""
    clients = sum(shape.clients)
    made = WorldConfig(
        clients=clients,
        preset=PRESET,
        churn_per_s=clients * CHURN_PER_CLIENT_S,
        operator=shape.operator if shape.operator in LINES else line_of(shape.operator),
        pod_boot_s=shape.boot_s,
        spread=shape.clients,
        kept_sessions=shape.kept_sessions,
        **config,
    )
    world = World(made, seed=seed, prepare=prepare)
    namespace = shape.manifest["metadata"]["namespace"]
    if world.store.find("namespaces", "", namespace) is None:
        world.store.create("namespaces", {"metadata": {"name": namespace}, "spec": {}})
    world.settle_cluster(shape.manifest)
    return world
