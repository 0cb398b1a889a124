"""An edit of the custom resource: its differences, what saving it would do, and the plan of the release it starts."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from emqx_tui.model.emqx_enterprise import BlueGreenUpdate, EmqxEnterprise
from emqx_tui.model.owners import Owner, Owners
from emqx_tui.model.records import AT_LEAST
from emqx_tui.rollout.forecast.start_forecast import StartForecast
from emqx_tui.rollout.policy import Approval, is_closed
from emqx_tui.rollout.redaction import redact_value

INT32_MAX = 2_147_483_647


class Verdict(StrEnum):
    """What saving an edit would do."""

    STARTS_RELEASE = "starts a release"
    NEXT_RELEASE = "used by the next release"
    THIS_RELEASE = "used at once by the release that the operator runs"
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
class Owned:
    """The changed fields of one owner."""

    owner: Owner
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """The result of an edit. `patch` is the merge patch of spec, without the valve; empty when nothing changed."""

    verdict: Verdict
    differences: tuple[Difference, ...]
    problems: tuple[Problem, ...]
    patch: Mapping[str, Any] = field(repr=False)
    owned: tuple[Owned, ...] = ()
    """Whose fields are changed, those that put their value back first."""


@dataclass(frozen=True)
class ReleaseOptions:
    """How a release is run; no part of the object. Its plan says what each means."""

    approval: Approval = Approval.EVERY_NODE
    late_removal: bool = False
    parallel_drains: int = 1
    freeze_on_silence: bool = True


@dataclass(frozen=True, kw_only=True)
class ReleaseSpec:
    """What a release is to do: planned by a person, then kept in the journal."""

    namespace: str
    name: str
    uid: str
    """Of the EmqxEnterprise: a re-created object is another release."""
    resource_version: str
    """Of the object that the person was looking at."""
    metadata_generation: int = 0
    """Of that object: the first patch goes to no other. The operator's status writes move the resourceVersion every
    20 s and leave this alone."""
    from_image: str
    to_image: str
    patch: Mapping[str, Any] = field(repr=False)
    """Merge patch of `spec.template`."""
    rates: Rates
    approval: Approval
    target_mark: str = ""
    """Fingerprint of the template as the server admitted it in the dry-run; empty while it was not asked."""
    parallel_drains: int = 1
    late_removal: bool = False
    """Take a blue address out of the Service only when its node has no client left."""
    freeze_on_silence: bool = True
    """Stop a drain, too, when a node that its clients go to does not answer, or no node does; else only hold."""
    forecast: StartForecast | None = None
    """What the person who starts it is told; None where a node was not counted, and of releases that were adopted."""


@dataclass(frozen=True, kw_only=True)
class Plan(ReleaseSpec):
    """A release that can be started."""

    from_version: str
    to_version: str
    differences: tuple[Difference, ...]
    delay_s: int
    """The user's own initialDelaySeconds, waited out before the cut-over and restored at the end."""
    delay_was_absent: bool


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
        is_releasing = draft.original.blue_green_status is not None
        used = Verdict.THIS_RELEASE if is_releasing else Verdict.NEXT_RELEASE
        verdict = used if patch else Verdict.UNCHANGED
    return Change(verdict, differences, problems, patch, tuple(_owned(draft.original.owners, differences)))


def _owned(owners: Owners, differences: tuple[Difference, ...]) -> Iterator[Owned]:
    paths: dict[Owner, list[str]] = {}
    for difference in differences:
        for owner in owners.of(difference.path):
            paths.setdefault(owner, []).append(difference.path)
    for owner in sorted(paths):
        yield Owned(owner, tuple(paths[owner]))


def parameters_json(parameters: BlueGreenUpdate) -> dict[str, Any]:
    """The four parameters as the API spells them; those not given are left out."""
    spelled: dict[str, Any] = {"evacuationStrategy": {}}
    for parameter in _PARAMETERS:
        value = getattr(parameters, parameter.name)
        if value is not None:
            *above, last = parameter.path
            (spelled[above[0]] if above else spelled)[last] = value
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
    return json.dumps(value, sort_keys=True)


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
    image = image if isinstance(image, Mapping) else {}
    version = image.get("version")
    if not isinstance(version, str) or not version:
        yield Problem(f"{path}.image.version", "is required")
    elif sentence := version_problem(version):
        yield Problem(f"{path}.image.version", sentence)
    for name in ("registry", "repository"):
        if not isinstance(image.get(name) or "", str):
            yield Problem(f"{path}.image.{name}", "must be a string: put the value in quotes")
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


@dataclass(frozen=True)
class _Parameter:
    """A field of BlueGreenUpdate and where it stands in `spec.blueGreenUpdate`."""

    name: str
    path: tuple[str, ...]
    least: int
    unit: str

    def __str__(self) -> str:
        return ".".join(("spec.blueGreenUpdate", *self.path))


_PARAMETERS = (
    _Parameter("initial_delay_s", ("initialDelaySeconds",), 0, "s"),
    _Parameter("wait_takeover_s", ("evacuationStrategy", "waitTakeover"), 0, "s"),
    _Parameter("conn_evict_rate_per_s", ("evacuationStrategy", "connEvictRate"), 1, "per second"),
    _Parameter("sess_evict_rate_per_s", ("evacuationStrategy", "sessEvictRate"), 1, "per second"),
)


def parameter_problems(parameters: BlueGreenUpdate) -> Iterator[Problem]:
    """Why the CRD or this console refuses blue-green parameters; those that are None are not asked about."""
    for parameter in _PARAMETERS:
        value, least = getattr(parameters, parameter.name), parameter.least
        if value is not None and not least <= value <= INT32_MAX:
            sentence = f"{value} is out of range: {least} to {INT32_MAX} {parameter.unit}"
            yield Problem(str(parameter), sentence)
        elif value is not None and parameter.name == "initial_delay_s" and is_closed(value):
            sentence = f"{value} is a value that holds the operator; give the delay that you want"
            yield Problem(str(parameter), sentence)


def _parameter_differences(before: BlueGreenUpdate, after: BlueGreenUpdate):
    for parameter in _PARAMETERS:
        old, new = getattr(before, parameter.name), getattr(after, parameter.name)
        if old != new:
            yield Difference(str(parameter), old, new)


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
