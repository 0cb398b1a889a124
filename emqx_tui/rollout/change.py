"""An edit of the custom resource: what differs, what it would do, and the plan of the release that it starts."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from emqx_tui.model.emqx_enterprise import BlueGreenUpdate, EmqxEnterprise
from emqx_tui.model.records import AT_LEAST
from emqx_tui.rollout.policy import Approval, is_closed
from emqx_tui.rollout.redaction import redact_value

INT32_MAX = 2_147_483_647


class Verdict(StrEnum):
    """What saving an edit would do."""

    STARTS_RELEASE = "starts a release"
    NEXT_RELEASE = "used by the next release"
    NO_EFFECT = "no effect on pods"
    UNCHANGED = "nothing changed"
    REFUSED = "refused"


@dataclass(frozen=True)
class Rates:
    """Evacuation parameters, as `evacuation/start` takes them. Rates are clients per second and node, at least 1."""

    conn_evict_rate_per_s: int = field(metadata={AT_LEAST: 1})
    sess_evict_rate_per_s: int = field(metadata={AT_LEAST: 1})
    wait_takeover_s: int
    """0 is not sent: EMQX then waits its default of 60 s."""

    @property
    def effective_wait_takeover_s(self) -> int:
        return self.wait_takeover_s or 60


@dataclass(frozen=True)
class Difference:
    """One value that an edit changes. None = absent. Secret values are redacted."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Problem:
    """Why an edit is refused: the field path and one sentence."""

    path: str
    sentence: str


@dataclass(frozen=True)
class Draft:
    """The user's edit of one EmqxEnterprise: the whole template and the four parameters."""

    original: EmqxEnterprise
    template: Mapping[str, Any] = field(repr=False)
    blue_green: BlueGreenUpdate

    @classmethod
    def of(cls, resource: EmqxEnterprise) -> Draft:
        """An edit that changes nothing yet."""
        empty = BlueGreenUpdate(None, None, None, None)
        return cls(resource, copy.deepcopy(dict(resource.template)), resource.blue_green or empty)


@dataclass(frozen=True)
class Change:
    """What an edit comes to. `patch` is the merge patch of spec, without the valve; empty when nothing changed."""

    verdict: Verdict
    differences: tuple[Difference, ...]
    problems: tuple[Problem, ...]
    patch: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Plan:
    """A release that can be started: what was seen, what is wanted, how fast, and who approves what."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    """Of the object that the person was looking at."""
    metadata_generation: int
    """Of that object. The operator's status writes move the resourceVersion every 20 s and leave this alone: an object
    of the same generation is still the one that was looked at."""
    from_image: str
    to_image: str
    from_version: str
    to_version: str
    patch: Mapping[str, Any] = field(repr=False)
    """Merge patch of `spec.template` alone."""
    differences: tuple[Difference, ...]
    delay_s: int
    """The user's own initialDelaySeconds, waited out before the cut-over and restored at the end."""
    delay_was_absent: bool
    rates: Rates
    approval: Approval
    target_mark: str = ""
    """Fingerprint of the template as the server admitted it in the dry-run; empty while it was not asked."""
    parallel_drains: int = 1
    late_removal: bool = False
    """Take a blue address out of the Service only when its node has no client left."""


def assess(draft: Draft) -> Change:
    """Compare an edit with its original and say what it would do."""
    problems = tuple(_template_problems(draft)) + tuple(parameter_problems(draft.blue_green))
    template_patch = merge_diff(draft.original.template, draft.template)
    before, after = draft.original.blue_green or BlueGreenUpdate(None, None, None, None), draft.blue_green
    differences = tuple(_differences(draft.original.template, draft.template, "spec.template")) + tuple(
        _parameter_differences(before, after)
    )
    patch: dict[str, Any] = {}
    if template_patch:
        patch["template"] = template_patch
    if after != before:
        patch["blueGreenUpdate"] = merge_diff(parameters_json(before), parameters_json(after))
    if problems:
        verdict = Verdict.REFUSED
    elif template_patch:
        verdict = Verdict.STARTS_RELEASE if _changes_pods(template_patch) else Verdict.NO_EFFECT
    else:
        verdict = Verdict.NEXT_RELEASE if patch else Verdict.UNCHANGED
    return Change(verdict, differences, problems, patch)


def parameters_json(parameters: BlueGreenUpdate) -> dict[str, Any]:
    """The four parameters as the API spells them; those not given are left out."""
    strategy = {
        "waitTakeover": parameters.wait_takeover_s,
        "connEvictRate": parameters.conn_evict_rate_per_s,
        "sessEvictRate": parameters.sess_evict_rate_per_s,
    }
    spelled: dict[str, Any] = {}
    if parameters.initial_delay_s is not None:
        spelled["initialDelaySeconds"] = parameters.initial_delay_s
    spelled["evacuationStrategy"] = {key: value for key, value in strategy.items() if value is not None}
    return spelled


def rates_of(parameters: BlueGreenUpdate | None) -> Rates | None:
    """The rates to drain with, or None while a rate is missing (EMQX refuses an omitted rate)."""
    if parameters is None or not parameters.conn_evict_rate_per_s or not parameters.sess_evict_rate_per_s:
        return None
    return Rates(parameters.conn_evict_rate_per_s, parameters.sess_evict_rate_per_s, parameters.wait_takeover_s or 0)


def merge_diff(before: Any, after: Any) -> dict[str, Any]:
    """The RFC 7386 merge patch that makes `before` into `after`; arrays are replaced whole."""
    patch: dict[str, Any] = {}
    for key in sorted(before.keys() | after.keys(), key=str):
        old, new = before.get(key), after.get(key)
        if _is_same(old, new):
            continue
        if key not in after or new is None:
            if old is not None:
                patch[key] = None
        elif isinstance(old, Mapping) and isinstance(new, Mapping):
            if inner := merge_diff(old, new):
                patch[key] = inner
        else:
            patch[key] = _without_nulls(new)
    return patch


def _is_same(one: Any, other: Any) -> bool:
    """Equal as JSON: Python takes true for 1."""
    return one is other or _canonical(one) == _canonical(other)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(entry) for key, entry in value.items() if entry is not None}
    return copy.deepcopy(value)


_ACL_ONLY = {"emqxACL"}


def _changes_pods(template_patch: Mapping[str, Any]) -> bool:
    """False for edits that reach no pod template: the ACL alone goes into a ConfigMap (operator, section 6)."""
    if set(template_patch) != {"spec"} or set(template_patch["spec"] or {}) != {"emqxContainer"}:
        return True
    return not set(template_patch["spec"]["emqxContainer"] or {}) <= _ACL_ONLY


_SEMVER = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:[-+].*)?")


def parse_version(text: str) -> tuple[int, int, int] | None:
    """`4.4.14` as numbers, None when it is not a semantic version."""
    match = _SEMVER.fullmatch(text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def version_problem(version: str) -> str:
    """Why the operator refuses an EMQX version, empty when it takes it."""
    parsed = parse_version(version)
    if parsed is None:
        return f"{version!r} is no semantic version; the operator refuses it"
    if not (4, 4, 14) <= parsed < (5, 0, 0):
        return f"{version} is out of range: the operator takes 4.4.14 up to below 5.0.0"
    return ""


def _template_problems(draft: Draft):
    before, after = draft.original.template, draft.template
    container = _dig(after, "spec", "emqxContainer") or {}
    path = "spec.template.spec.emqxContainer"
    if not isinstance(container, Mapping):
        yield Problem(path, "must be an object")
        return
    image = container.get("image")
    version = image.get("version") if isinstance(image, Mapping) else None
    if not isinstance(version, str) or not version:
        yield Problem(f"{path}.image.version", "is required")
    elif sentence := version_problem(version):
        yield Problem(f"{path}.image.version", sentence)
    config = container.get("emqxConfig") or {}
    if not isinstance(config, Mapping):
        yield Problem(f"{path}.emqxConfig", "must be a map of strings")
    else:
        for key, value in config.items():
            if not isinstance(value, str):
                yield Problem(f"{path}.emqxConfig.{key}", "must be a string: put the value in quotes")
        yield from _frozen_config(_dig(before, "spec", "emqxContainer", "emqxConfig") or {}, config, path)
    if (_dig(before, "spec", "emqxContainer", "bootstrapAPIKeys") or []) != (container.get("bootstrapAPIKeys") or []):
        yield Problem(f"{path}.bootstrapAPIKeys", "cannot be changed after creation")


def _frozen_config(before: Mapping[str, Any], after: Mapping[str, Any], path: str):
    for key, value in before.items():
        fixed = key == "name" or (key.startswith("cluster") and key in after)
        if fixed and after.get(key) != value:
            yield Problem(f"{path}.emqxConfig.{key}", "cannot be changed: the operator refuses it")


def parameter_problems(parameters: BlueGreenUpdate) -> Iterator[Problem]:
    """Why the CRD or this console refuses blue-green parameters; those that are None are not asked about."""
    path = "spec.blueGreenUpdate"
    delay = parameters.initial_delay_s
    if delay is not None and not 0 <= delay <= INT32_MAX:
        yield Problem(f"{path}.initialDelaySeconds", f"{delay} is out of range: 0 to {INT32_MAX} s")
    elif delay is not None and is_closed(delay):
        yield Problem(
            f"{path}.initialDelaySeconds",
            f"{delay} is a value that holds the operator; give the delay that you want after the release",
        )
    strategy = f"{path}.evacuationStrategy"
    takeover = parameters.wait_takeover_s
    if takeover is not None and not 0 <= takeover <= INT32_MAX:
        yield Problem(f"{strategy}.waitTakeover", f"{takeover} is out of range: 0 to {INT32_MAX} s")
    for name, value in (
        ("connEvictRate", parameters.conn_evict_rate_per_s),
        ("sessEvictRate", parameters.sess_evict_rate_per_s),
    ):
        if value is not None and not 1 <= value <= INT32_MAX:
            yield Problem(f"{strategy}.{name}", f"{value} is out of range: 1 to {INT32_MAX} per second")


def _parameter_differences(before: BlueGreenUpdate, after: BlueGreenUpdate):
    names = {
        "spec.blueGreenUpdate.initialDelaySeconds": "initial_delay_s",
        "spec.blueGreenUpdate.evacuationStrategy.waitTakeover": "wait_takeover_s",
        "spec.blueGreenUpdate.evacuationStrategy.connEvictRate": "conn_evict_rate_per_s",
        "spec.blueGreenUpdate.evacuationStrategy.sessEvictRate": "sess_evict_rate_per_s",
    }
    for path, name in names.items():
        if getattr(before, name) != getattr(after, name):
            yield Difference(path, getattr(before, name), getattr(after, name))


def _differences(before: Any, after: Any, path: str):
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted(before.keys() | after.keys(), key=str):
            if not _is_same(before.get(key), after.get(key)):
                yield from _differences(before.get(key), after.get(key), f"{path}.{key}")
    else:
        yield Difference(path, redact_value(path, before), redact_value(path, after))


def _dig(value: Any, *path: str) -> Any:
    for part in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value
