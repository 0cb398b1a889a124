"""PURE: what `--fault` says: names of faults, when they strike, and for how long.

`green-pod-restart@4m,api-down@6m+90s`: NAME@TIME[+DURATION]. Times count from the start of the release, in the
cluster's time. Loads nothing of a world: help and completion list the names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A fault that a sandbox can cause."""

    summary: str
    lasts_s: float | None = None
    """Until it is mended, where nothing else is asked for; None for what happens at one instant."""


KINDS: Mapping[str, Kind] = {
    "green-pod-restart": Kind("the containers of a green pod restart"),
    "blue-pod-restart": Kind("the containers of a blue pod restart"),
    "green-pod-lost": Kind("the machine of a green pod dies"),
    "blue-pod-lost": Kind("the machine of a blue pod dies"),
    "green-pod-unready": Kind("a green pod fails its readiness probe", 45.0),
    "green-broker-hangs": Kind("a green broker hangs, its connections stay open", 90.0),
    "blue-broker-hangs": Kind("a blue broker hangs, its connections stay open", 90.0),
    "green-broker-split": Kind("a green broker sees only itself", 60.0),
    "blue-slow": Kind("blue nodes evict at a fifth of their rate", 120.0),
    "emqx-api-down": Kind("no broker answers its management API", 45.0),
    "emqx-unauthorized": Kind("every broker answers 401", 45.0),
    "api-down": Kind("the Kubernetes API server is away", 60.0),
    "operator-down": Kind("the operator is down", 90.0),
    "operator-restart": Kind("the operator restarts"),
    "operator-without-emqx": Kind("the operator does not reach EMQX", 45.0),
    "valve-opened": Kind("somebody sets initialDelaySeconds to 1"),
    "rates-edited": Kind("somebody sets both eviction rates to 3"),
    "replicas-raised": Kind("somebody asks for one node more"),
    "blue-scaled-down": Kind("somebody scales blue to one node"),
    "endpoints-emptied": Kind("somebody takes all addresses out of the Service"),
    "service-removed": Kind("somebody removes the listener Service"),
    "journal-removed": Kind("somebody removes the journal"),
}


class InvalidFault(ValueError):
    """A spec that cannot be read; the message is one line."""


@dataclass(frozen=True)
class Fault:
    """One fault, as it was asked for."""

    name: str
    at_s: float
    """Since the start of the release."""
    for_s: float | None = None
    """Until it is mended; None for what happens at one instant."""

    def __str__(self) -> str:
        return f"{self.name}@{_spelled(self.at_s)}" + ("" if self.for_s is None else f"+{_spelled(self.for_s)}")


_FORM = re.compile(r"(?P<name>[^@+]*)(?:@(?P<at>[^@+]*))?(?:\+(?P<span>[^@+]*))?")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_TIME = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,6}(?:\.\d{1,3})?)s)?")
LONGEST_S = 86_400.0


def parse(text: str) -> tuple[Fault, ...]:
    """The faults of one spec, in the order in which they strike. Raises InvalidFault."""
    return tuple(sorted((_parsed(item.strip()) for item in text.split(",")), key=lambda fault: fault.at_s))


def spelled(faults: tuple[Fault, ...]) -> str:
    """A spec of these faults."""
    return ",".join(map(str, faults))


def _parsed(item: str) -> Fault:
    found = _FORM.fullmatch(item)
    if found is None or not found["name"] or found["at"] is None:
        raise InvalidFault(f"expected NAME@TIME[+DURATION], such as api-down@6m+90s, found {item!r}")
    name = found["name"]
    if (kind := KINDS.get(name)) is None:
        raise InvalidFault(f"no fault {name!r}; there are {', '.join(KINDS)}")
    at_s = _seconds(found["at"], item)
    if kind.lasts_s is None and found["span"] is not None:
        raise InvalidFault(f"{name} happens at one instant: no +DURATION, found {item!r}")
    if kind.lasts_s is None:
        return Fault(name, at_s)
    for_s = kind.lasts_s if found["span"] is None else _seconds(found["span"], item)
    if not for_s:
        raise InvalidFault(f"a fault lasts longer than 0 s, found {item!r}")
    return Fault(name, at_s, for_s)


def _seconds(text: str, item: str) -> float:
    found = _TIME.fullmatch(text)
    if not text or found is None:
        raise InvalidFault(f"expected a time such as 90s, 4m or 1h30m, found {text!r} in {item!r}")
    total = sum(float(part or 0) * unit for part, unit in zip(found.groups(), _UNITS.values(), strict=True))
    if total > LONGEST_S:
        raise InvalidFault(f"longer than a day: {text!r} in {item!r}")
    return total


def _spelled(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60.0)
    told = f"{minutes:.0f}m" if minutes else ""
    return told + (f"{rest:.3f}".rstrip("0").rstrip(".") + "s" if rest or not told else "")
