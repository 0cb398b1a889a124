"""What the operator did to one cluster, read from the audit log and from the requests that EMQX got.

Owns no state. Kubernetes Events are left out on purpose: client-go drops and merges them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.case import Case, Cluster, received_at

Object = dict[str, Any]
OPERATOR = "emqx-operator-controller-manager"
PASS_S = 20.0
"""between two passes of an operator that is not held"""


@dataclass(frozen=True)
class Start:
    """One `evacuation/start` as EMQX got it from the operator."""

    at: float
    pod: str
    body: Object
    answer: Object


@dataclass(frozen=True)
class Scaled:
    """The operator wrote another number of replicas."""

    at: float
    name: str
    before: int
    after: int


def only_the_real(cluster: Cluster, why: str) -> None:
    """Skips what the simulated operator of a bed cannot show, since it lives in the bed's own process."""
    if cluster.control.get("/operator")["kind"] != "real":
        pytest.skip(f"only with the real operator: {why}")


def status_writes(case: Case) -> list[float]:
    """When the operator wrote the status of the EmqxEnterprise: first thing of a pass, and again at its end."""
    return [received_at(each) for each in case.audit("emqxenterprises", "status", OPERATOR)]


def passes(case: Case) -> list[float]:
    """Starts of passes, by the writes of the status: those of one pass are within a second or two."""
    found: list[float] = []
    for at in status_writes(case):
        if not found or at - found[-1] > PASS_S / 4:
            found.append(at)
    return found


def starts(case: Case) -> list[Start]:
    """Evacuations that the operator asked for, whatever EMQX answered."""
    return [
        Start(
            each["at"],
            re.search(r"@([^.]+)\.", each["path"])[1],  # type: ignore[index]
            json.loads(each["body"]),
            json.loads(each["answer"]),
        )
        for each in case.asked("/evacuation/start")
        if each["way"] == "direct"
    ]


def started(case: Case) -> list[str]:
    """The pods of `starts`, shortened: "blue-2"."""
    colours = {each["metadata"]["name"]: colour for each, colour in zip(case.sets, ("blue", "green"), strict=False)}
    return [_short(each.pod, colours) for each in starts(case)]


def _short(pod: str, colours: dict[str, str]) -> str:
    name, _, ordinal = pod.rpartition("-")
    return f"{colours.get(name, name)}-{ordinal}"


def scalings(case: Case) -> list[Scaled]:
    """Writes of the operator that changed how many pods a StatefulSet wants, and were accepted."""
    return list(_scalings(case))


def _scalings(case: Case) -> Iterator[Scaled]:
    wanted: dict[str, int] = {}
    for entry in case.audit("statefulsets", "", OPERATOR):
        replicas = ((entry.get("requestObject") or {}).get("spec") or {}).get("replicas")
        if replicas is None or entry["responseStatus"]["code"] >= 300:
            continue
        name = entry["objectRef"]["name"]
        if wanted.setdefault(name, replicas) != replicas:
            yield Scaled(received_at(entry), name, wanted[name], replicas)
            wanted[name] = replicas


def is_ready(pod: Object | None) -> bool:
    conditions = (((pod or {}).get("status")) or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def clients_on(case: Case, colour: Object) -> int:
    """Live connections on the pods of a StatefulSet."""
    name = colour["metadata"]["name"]
    return sum(live for pod, live in case.live().items() if pod.rpartition("-")[0] == name)
