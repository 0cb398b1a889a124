"""Label and field selectors as the API server reads them.

Pure: text in, predicate on objects out. The field labels that a kind supports are listed here, because asking for
another one is refused by a real server rather than answered with everything.
Grammar: apimachinery `pkg/labels/selector.go` and `pkg/fields/selector.go`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from emqx_tui.sandbox.kube import api_error
from emqx_tui.sandbox.kube.objects import Object

Predicate = Callable[[Object], bool]
_Labels = dict[str, str]

_SET_TERM = re.compile(r"(?P<key>\S+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)")
_COMPARISON = re.compile(r"(?P<left>.*?)(?P<op>!=|==|=)(?P<right>.*)")
_KEY = re.compile(r"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?")
_COMMON_FIELDS = ("metadata.name", "metadata.namespace")
_FIELDS = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "services": ("spec.clusterIP", "spec.type"),
}


def label_selector(text: str | None) -> Predicate | None:
    """A predicate for `labelSelector=text`, None when it selects everything; ApiError 400."""
    terms = [_label_term(term.strip()) for term in _split_terms(text or "")]
    if not terms:
        return None

    def matches(obj: Object) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(term(labels) for term in terms)

    return matches


def _split_terms(text: str) -> list[str]:
    """Commas separate terms, except within parentheses."""
    return [term for term in re.split(r",(?![^()]*\))", text) if term.strip()]


def _label_term(term: str) -> Callable[[_Labels], bool]:
    if found := _SET_TERM.fullmatch(term):
        key, values = _key(found["key"]), {value.strip() for value in found["values"].split(",")}
        if found["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if compared := _COMPARISON.fullmatch(term):
        key, value = _key(compared["left"].strip()), _value(compared["right"].strip())
        if compared["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if term.startswith("!"):
        absent = _key(term[1:].strip())
        return lambda labels: absent not in labels
    key = _key(term)
    return lambda labels: key in labels


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise api_error.bad_request(f"unable to parse requirement: invalid label key {text!r}")
    return text


def _value(text: str) -> str:
    if not _VALUE.fullmatch(text):
        raise api_error.bad_request(f"unable to parse requirement: invalid label value {text!r}")
    return text


def field_selector(text: str | None, plural: str) -> Predicate | None:
    """A predicate for `fieldSelector=text`, None when it selects everything; ApiError 400."""
    terms = [_field_term(term.strip(), plural) for term in (text or "").split(",") if term.strip()]
    return (lambda obj: all(term(obj) for term in terms)) if terms else None


def selected_name(text: str | None) -> str | None:
    """The one name that a field selector asks for, None when it does not."""
    terms = (_COMPARISON.fullmatch(term.strip()) for term in (text or "").split(","))
    return next(
        (each["right"] for each in terms if each and each["op"] != "!=" and each["left"] == "metadata.name"), None
    )


def _field_term(term: str, plural: str) -> Predicate:
    compared = _COMPARISON.fullmatch(term)
    if compared is None:
        raise api_error.bad_request(f"invalid field selector: {term!r}")
    field, value = compared["left"], compared["right"]
    if field not in (*_COMMON_FIELDS, *_FIELDS.get(plural, ())):
        raise api_error.bad_request(f"field label not supported: {field}")
    if compared["op"] == "!=":
        return lambda obj: _field(obj, field) != value
    return lambda obj: _field(obj, field) == value


def _field(obj: Object, path: str) -> str:
    if path == "source":
        return (obj.get("source") or {}).get("component") or obj.get("reportingComponent") or ""
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def selection(plural: str, labels: str | None, fields: str | None) -> Predicate | None:
    """Both selectors in one predicate, None when everything is selected."""
    by_label, by_field = label_selector(labels), field_selector(fields, plural)
    if by_label and by_field:
        return lambda obj: by_label(obj) and by_field(obj)
    return by_label or by_field
