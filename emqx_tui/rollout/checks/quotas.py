"""Do the namespace's quotas leave room for a second generation?

PURE. Green is as large as blue and stands beside it, so for the length of a release everything that blue takes is
taken twice. A quota that is too small lets the StatefulSet controller fail pod by pod: green never becomes complete.
Quotas with scopes bind some pods only and are not judged. Room on the machines is not looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from emqx_tui.model.quantities import quantity

Json = Mapping[str, Any]


def why_over_quota(quotas: Iterable[Json], pod: Json, replicas: int) -> str:
    """Empty when `replicas` more pods like this one fit in; else which quota they do not fit in, and by how much."""
    wanted = {name: amount * replicas for name, amount in _needs(pod).items()}
    wanted["count/statefulsets.apps"] = Decimal(1)
    for quota in quotas:
        spec, status = quota.get("spec") or {}, quota.get("status") or {}
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        for name, hard in (status.get("hard") or spec.get("hard") or {}).items():
            need = wanted.get(name, Decimal(0))
            free = quantity(hard) - quantity((status.get("used") or {}).get(name, 0))
            if need > free:
                called = (quota.get("metadata") or {}).get("name", "")
                return (
                    f"quota {called}: green needs {_plain(need)} more {name}, {_plain(max(free, Decimal(0)))} are left"
                )
    return ""


def _needs(pod: Json) -> dict[str, Decimal]:
    """What one pod counts in a quota, under every name that quotas use for it."""
    spec = pod.get("spec") or {}
    found: dict[str, Decimal] = defaultdict(Decimal)
    for kind in ("requests", "limits"):
        running = _sum(spec.get("containers") or (), kind)
        starting = [_sum([each], kind) for each in spec.get("initContainers") or ()]
        for name in {*running, *(name for each in starting for name in each)}:
            # Init containers run before the others, one after the other.
            amount = max([running[name], *(each[name] for each in starting)])
            found[f"{kind}.{name}"] += amount
            if kind == "requests":
                found[name] += amount
    claims = sum("persistentVolumeClaim" in volume for volume in spec.get("volumes") or ())
    one, volumes = Decimal(1), Decimal(claims)
    counts = {
        "pods": one,
        "count/pods": one,
        "persistentvolumeclaims": volumes,
        "count/persistentvolumeclaims": volumes,
    }
    return {**found, **counts}


def _sum(containers: Iterable[Json], kind: str) -> defaultdict[str, Decimal]:
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for container in containers:
        for name, amount in ((container.get("resources") or {}).get(kind) or {}).items():
            found[name] += quantity(amount)
    return found


def _plain(amount: Decimal) -> str:
    """Binary sizes in the largest unit of which they are a whole number, everything else as a plain number."""
    for unit, size in (("Gi", 2**30), ("Mi", 2**20)):
        if amount >= size and amount % size == 0:
            return f"{amount // size}{unit}"
    return f"{amount.normalize():f}"
