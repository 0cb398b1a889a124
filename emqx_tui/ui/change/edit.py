"""PURE: one edit of a cluster, as text and as a form that say the same.

The text is the truth: the form shows what stands in it and writes into it, one value at a time. A text that cannot
be read keeps the form as it was, and says line and column. Secrets are shown redacted (`masking.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from emqx_tui.model.emqx_enterprise import BlueGreenUpdate, EmqxEnterprise
from emqx_tui.model.wire import Unparsable
from emqx_tui.model.yaml_writing import write
from emqx_tui.rollout import change as changes
from emqx_tui.rollout.change import Change, Draft, Verdict
from emqx_tui.rollout.policy import is_closed
from emqx_tui.ui.change import masking
from emqx_tui.ui.change.yaml_document import Document, Path, Uneditable

_IMAGE: Path = ("spec", "template", "spec", "emqxContainer", "image")
_PARAMETERS: Path = ("spec", "blueGreenUpdate")
_STRATEGY: Path = (*_PARAMETERS, "evacuationStrategy")

PATHS: dict[str, Path] = {
    "repository": (*_IMAGE, "repository"),
    "version": (*_IMAGE, "version"),
    "initial_delay_s": (*_PARAMETERS, "initialDelaySeconds"),
    "wait_takeover_s": (*_STRATEGY, "waitTakeover"),
    "conn_evict_rate_per_s": (*_STRATEGY, "connEvictRate"),
    "sess_evict_rate_per_s": (*_STRATEGY, "sessEvictRate"),
}
"""Fields of the form and where they stand in the text."""
HEADING = "# EmqxEnterprise {namespace}/{name}\n# Dots hide secrets: values left as dots are not changed.\n"
NOT_EDITED_HERE = "cannot be edited here and would not be sent"
NUMBERS = tuple(name for name in PATHS if name not in ("repository", "version"))


@dataclass(frozen=True)
class Located:
    """What is wrong, and where in the text. Lines and columns count from 1."""

    sentence: str
    path: str = ""
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True)
class Edit:
    """An unsent edit. `draft` and `change` are None while the text cannot be read."""

    original: EmqxEnterprise
    text: str
    begun_as: str
    """The text that the edit began with."""
    fields: Mapping[str, str]
    """What the form shows."""
    draft: Draft | None = None
    change: Change | None = None
    problems: tuple[Located, ...] = ()
    is_readable: bool = True
    is_left: bool = False
    """The delay holds the operator, and no release stands: it may be set."""
    _document: Document | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, resource: EmqxEnterprise) -> Edit:
        """An edit that changes nothing yet."""
        text = text_of(resource)
        return cls(resource, text, text, {}).with_text(text)

    @property
    def is_held(self) -> bool:
        """A release is under way: its console holds the operator by the delay, and nothing else may be sent."""
        parameters = self.original.blue_green
        return parameters is not None and is_closed(parameters.effective_delay_s) and not self.is_left

    @property
    def is_changed(self) -> bool:
        """There is something to send or to lose."""
        if self.change is None or self.change.verdict is not Verdict.UNCHANGED:
            return self.text != self.begun_as or bool(self.change and self.change.differences)
        return False

    def with_text(self, text: str) -> Edit:
        """The edit after the text was edited."""
        try:
            document = Document.read(text)
            tree = document.value()
        except Unparsable as error:
            where = Located(error.problem, "", error.line, error.column)
            return replace(self, text=text, draft=None, change=None, problems=(where,), is_readable=False)
        return _read(replace(self, text=text, is_readable=True, _document=document), document, tree)

    def with_field(self, name: str, value: str) -> Edit:
        """The edit after a field of the form was edited; an empty one removes the value. Raises Uneditable."""
        if not self.is_readable or self._document is None:
            raise Uneditable("the template is not valid YAML: correct it first")
        wanted: str | int | None = value or None
        if name in NUMBERS and value.isdecimal():
            wanted = int(value)
        quotes = Document.read(self.begun_as).quotes_at(PATHS[name])
        return self.with_text(self._document.with_scalar(PATHS[name], wanted, quotes=quotes))

    def rebased(self, resource: EmqxEnterprise) -> Edit:
        """The same text against a newer state of the object."""
        return replace(self, original=resource).with_text(self.text)


def text_of(resource: EmqxEnterprise) -> str:
    """What may be edited of a cluster, as YAML, secrets redacted."""
    spec: dict[str, Any] = {}
    raw = resource.raw.get("spec", {})
    if "blueGreenUpdate" in raw:
        spec["blueGreenUpdate"] = raw["blueGreenUpdate"]
    spec["template"] = masking.mask(resource.template)
    return HEADING.format(namespace=resource.namespace, name=resource.name) + write({"spec": spec})


def _read(edit: Edit, document: Document, tree: Any) -> Edit:
    fields = {name: _shown(_dig(tree, path)) for name, path in PATHS.items()}
    problems = list(_shape_problems(tree))
    draft = None
    if not problems:
        try:
            draft = _draft(edit.original, tree["spec"])
        except masking.Unknown as error:
            problems.append(Located("hidden values cannot be moved or copied: type the value itself", error.path))
    problems += [Located(sentence, path) for path, sentence in _parameter_problems(edit.original, tree)]
    change = changes.assess(draft) if draft and not problems else None
    if change:
        problems += [Located(problem.sentence, problem.path) for problem in change.problems]
    located = tuple(replace(problem, line=document.line_of(problem.path)) for problem in problems)
    return replace(edit, fields=fields, draft=draft if change else None, change=change, problems=located)


def _shape_problems(tree: Any):
    if not isinstance(tree, Mapping) or not isinstance(tree.get("spec"), Mapping):
        yield Located("spec with template and blueGreenUpdate is required", "spec")
        return
    for key in tree:
        if key not in ("spec", "apiVersion", "kind", "metadata", "status"):
            yield Located(NOT_EDITED_HERE, str(key))
    spec = tree["spec"]
    for key in spec:
        if key not in ("template", "blueGreenUpdate"):
            yield Located(NOT_EDITED_HERE, f"spec.{key}")
    if not isinstance(spec.get("template"), Mapping):
        yield Located("must be a map", "spec.template")
    parameters = spec.get("blueGreenUpdate")
    if parameters is not None and not isinstance(parameters, Mapping):
        yield Located("must be a map", "spec.blueGreenUpdate")
    elif not isinstance((parameters or {}).get("evacuationStrategy") or {}, Mapping):
        yield Located("must be a map", "spec.blueGreenUpdate.evacuationStrategy")


def _parameter_problems(original: EmqxEnterprise, tree: Any):
    before = original.blue_green
    for name in NUMBERS:
        value, path = _dig(tree, PATHS[name]), ".".join(PATHS[name])
        if value is None:
            if before is not None and getattr(before, name) is not None:
                yield path, f"cannot be removed, only changed (now {getattr(before, name)})"
        elif not isinstance(value, int) or isinstance(value, bool):
            yield path, "must be a whole number"
    for key in _dig(tree, _PARAMETERS) or {}:
        if key not in ("initialDelaySeconds", "evacuationStrategy"):
            yield f"spec.blueGreenUpdate.{key}", "is not a field of blueGreenUpdate"


def _draft(original: EmqxEnterprise, spec: Mapping[str, Any]) -> Draft:
    numbers = {name: _dig({"spec": spec}, PATHS[name]) for name in NUMBERS}
    whole = {name: value if isinstance(value, int) else None for name, value in numbers.items()}
    template = masking.unmask(spec["template"], original.template, "spec.template")
    return Draft(original, template, BlueGreenUpdate(**whole))


def _shown(value: Any) -> str:
    return "" if value is None or isinstance(value, Mapping | list) else str(value)


def _dig(tree: Any, path: Path) -> Any:
    for part in path:
        if not isinstance(tree, Mapping):
            return None
        tree = tree.get(part)
    return tree
