"""Validation of ObjectMeta, the same for every kind: names, labels, annotations, finalizers, owner references.

Owns the formats and their messages (apimachinery, `pkg/util/validation` and `pkg/api/validation`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from emqx_tui.sandbox.schema.validation import Violation, invalid

_ANNOTATIONS_LIMIT = 256 * 1024


class Form(NamedTuple):
    """A format of names."""

    pattern: str
    longest: int
    text: str

    def complaints(self, value: str) -> Iterator[str]:
        """An API server's messages about a value."""
        if len(value) > self.longest:
            yield f"must be no more than {self.longest} bytes"
        if not re.fullmatch(self.pattern, value):
            yield self.text


def _form(pattern: str, longest: int, rule: str, *examples: str) -> Form:
    shown = " or ".join(f"'{each}', " for each in examples)
    return Form(pattern, longest, f"{rule} (e.g. {shown}regex used for validation is '{pattern}')")


_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME_PART = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_ENDS = "and must start and end with an alphanumeric character"

SUBDOMAIN = _form(
    rf"{_LABEL}(\.{_LABEL})*",
    253,
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', {_ENDS}",
    "example.com",
)
DNS_LABEL = _form(
    _LABEL,
    63,
    f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {_ENDS}",
    "my-name",
    "123-abc",
)
DNS_1035_LABEL = _form(
    "[a-z]([-a-z0-9]*[a-z0-9])?",
    63,
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character",
    "my-name",
    "abc-123",
)
_KEY_NAME = _form(
    _NAME_PART,
    63,
    f"name part must consist of alphanumeric characters, '-', '_' or '.', {_ENDS}",
    "MyName",
    "my.name",
    "123-abc",
)
_LABEL_VALUE = _form(
    f"({_NAME_PART})?",
    63,
    f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', {_ENDS}",
    "MyValue",
    "my_value",
    "12345",
)
_NAME_FORMS = {"services": DNS_1035_LABEL, "namespaces": DNS_LABEL}


def metadata_violations(plural: str, metadata: dict[str, Any]) -> list[Violation]:
    """What is wrong with an object's metadata."""
    return [
        *_name(plural, str(metadata.get("name", ""))),
        *label_violations(metadata.get("labels") or {}, "metadata.labels"),
        *_annotations(metadata.get("annotations") or {}),
        *_owners(metadata.get("ownerReferences") or []),
        *_finalizers(metadata.get("finalizers") or []),
    ]


def label_violations(labels: dict[str, str], field: str) -> Iterator[Violation]:
    """What is wrong with a map of labels."""
    for key, value in labels.items():
        yield from _qualified(key, field)
        for why in _LABEL_VALUE.complaints(value):
            yield invalid(field, value, why)


def _name(plural: str, name: str) -> Iterator[Violation]:
    for why in _NAME_FORMS.get(plural, SUBDOMAIN).complaints(name):
        yield invalid("metadata.name", name, why)


def _qualified(key: str, field: str) -> Iterator[Violation]:
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        yield invalid(field, key, "prefix part must be non-empty")
    elif slash:
        for why in SUBDOMAIN.complaints(prefix):
            yield invalid(field, key, f"prefix part {why}")
    if not name:
        yield invalid(field, key, "name part must be non-empty")
    for why in _KEY_NAME.complaints(name):
        yield invalid(field, key, why if why == _KEY_NAME.text else f"name part {why}")


def _annotations(annotations: dict[str, str]) -> Iterator[Violation]:
    for key in annotations:
        yield from _qualified(key.lower(), "metadata.annotations")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > _ANNOTATIONS_LIMIT:
        text = f"Too long: may not be more than {_ANNOTATIONS_LIMIT} bytes"
        yield Violation("FieldValueTooLong", "metadata.annotations", text)


def _owners(owners: list[dict[str, Any]]) -> Iterator[Violation]:
    for index, owner in enumerate(owners):
        for key in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(key):
                yield invalid(f"metadata.ownerReferences[{index}].{key}", "", "must not be empty")
    controllers = [f"{owner.get('kind')}/{owner.get('name')}" for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        names = " and ".join(controllers[:2])
        yield invalid(
            "metadata.ownerReferences",
            owners,
            f'Only one reference can have Controller set to true. Found "true" in references for {names}',
        )


def _finalizers(finalizers: list[str]) -> Iterator[Violation]:
    for index, name in enumerate(finalizers):
        yield from _qualified(name, f"metadata.finalizers[{index}]")
