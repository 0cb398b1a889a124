"""PURE: what a release is asked to change, from `--set` and `--template`, and the draft that it makes.

Owns the names that `--set` takes and their types. Anything wrong is an InvalidOption: one sentence that says what,
where and what to do.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from emqx_tui.model.emqx_enterprise import BlueGreenUpdate, EmqxEnterprise
from emqx_tui.rollout import change as changes
from emqx_tui.rollout.change import Draft
from emqx_tui.rollout.state.journal import Journal

_PARAMETERS = {
    "initialDelaySeconds": "initial_delay_s",
    "waitTakeover": "wait_takeover_s",
    "connEvictRate": "conn_evict_rate_per_s",
    "sessEvictRate": "sess_evict_rate_per_s",
}
_IMAGE = {"image.version": "version", "image.repository": "repository"}
NAMES = (*_IMAGE, *_PARAMETERS)


class InvalidOption(ValueError):
    """What is wrong with `--set` or `--template`, in one sentence."""


@dataclass(frozen=True)
class Edit:
    """What is to be different. Nothing in it = nothing was asked for."""

    image: Mapping[str, str] = field(default_factory=dict)
    """`version` and `repository`."""
    parameters: Mapping[str, int] = field(default_factory=dict)
    """By field of BlueGreenUpdate."""
    template: Mapping[str, Any] | None = field(default=None, repr=False)
    """The whole new `spec.template`."""

    def __bool__(self) -> bool:
        return bool(self.image or self.parameters or self.template is not None)

    def draft(self, resource: EmqxEnterprise) -> Draft:
        """The edit made on an object. Raises InvalidOption where its template has another shape."""
        draft = Draft.of(resource)
        template = copy.deepcopy(dict(self.template if self.template is not None else draft.template))
        if self.image:
            image = _descend(template, "spec", "emqxContainer", "image")
            image.update(self.image)
        return replace(draft, template=template, blue_green=replace(draft.blue_green, **self.parameters))


def parse_sets(given: Sequence[str]) -> Edit:
    """The edit that `--set NAME=VALUE` arguments ask for; later ones win. Raises InvalidOption."""
    image: dict[str, str] = {}
    parameters: dict[str, int] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidOption(f"--set {text}: expected NAME=VALUE, such as image.version=4.4.15")
        if name in _IMAGE:
            if not value:
                raise InvalidOption(f"--set {text}: a value is missing")
            if name == "image.version" and (problem := changes.version_problem(value)):
                raise InvalidOption(f"--set {text}: {problem}")
            image[_IMAGE[name]] = value
        elif name in _PARAMETERS:
            parameters[_PARAMETERS[name]] = _number(text, _PARAMETERS[name], value)
        else:
            close = difflib.get_close_matches(name, NAMES, 1, 0.4)
            meant = f"; did you mean {close[0]}?" if close else ""
            raise InvalidOption(f"--set {text}: unknown name {name!r}{meant} (known: {', '.join(NAMES)})")
    return Edit(image, parameters)


def _number(text: str, field_name: str, value: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise InvalidOption(f"--set {text}: expected a whole number, found {value!r}")
    alone = replace(BlueGreenUpdate(None, None, None, None), **{field_name: int(value)})
    for problem in changes.parameter_problems(alone):
        raise InvalidOption(f"--set {text}: {problem.sentence}")
    return int(value)


def read_template(value: Any, place: str) -> Mapping[str, Any]:
    """`spec.template`, from a document that is it, or that is a whole EmqxEnterprise. Raises InvalidOption."""
    if isinstance(value, Mapping) and value.get("kind") == "EmqxEnterprise":
        spec = value.get("spec")
        value = spec.get("template") if isinstance(spec, Mapping) else None
        if value is None:
            raise InvalidOption(f"{place}: the EmqxEnterprise in it has no spec.template")
    spec = value.get("spec") if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(spec, Mapping) or "emqxContainer" not in spec:
        raise InvalidOption(f"{place}: expected spec.template (a mapping with spec.emqxContainer) or an EmqxEnterprise")
    return value


def differs_from(edit: Edit, journal: Journal, resource: EmqxEnterprise) -> str:
    """Why an edit is not the release that is under way, empty when it is."""
    before = {**resource.raw, "spec": {**resource.raw.get("spec", {}), "template": dict(journal.originals.template)}}
    original = replace(resource, raw=before, blue_green=_parameters(journal))
    wanted = edit.draft(original)
    if changes.merge_diff(original.template, wanted.template) != dict(journal.patch):
        return f"another change is under way: {journal.from_image} to {journal.to_image}"
    if wanted.blue_green != _parameters(journal):
        rates = journal.rates
        return (
            "the release under way uses other parameters: "
            f"connEvictRate={rates.conn_evict_rate_per_s}, sessEvictRate={rates.sess_evict_rate_per_s}, "
            f"waitTakeover={rates.wait_takeover_s}, initialDelaySeconds={journal.originals.delay_s}"
        )
    return ""


def _parameters(journal: Journal) -> BlueGreenUpdate:
    rates = journal.rates
    return BlueGreenUpdate(
        journal.originals.delay_s, rates.wait_takeover_s, rates.conn_evict_rate_per_s, rates.sess_evict_rate_per_s
    )


def _descend(value: dict[str, Any], *path: str) -> dict[str, Any]:
    """The mapping at `path`, made where it is missing."""
    for part in path:
        inner = value.setdefault(part, {})
        if not isinstance(inner, dict):
            raise InvalidOption(f"spec.template.{'.'.join(path)}: expected a mapping")
        value = inner
    return value
