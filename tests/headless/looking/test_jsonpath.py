"""kubectl's templates: what is understood, what is printed, and what is refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.headless.looking.jsonpath import InvalidTemplate, Template

DOCUMENT: dict[str, Any] = {
    "kind": "List",
    "items": [
        {
            "metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "emqx"}},
            "spec": {"replicas": 3, "on": True, "none": None},
            "status": {"conditions": [{"type": "Running", "status": "True"}, {"type": "Other", "status": "False"}]},
        },
        {"metadata": {"name": "b"}},
    ],
}

RENDERED = {
    "no brace": "no brace",
    "{.items[*].metadata.name}": "a b",
    "{.items[0].metadata.name}-{.items[-1].metadata.name}": "a-b",
    "{$.kind}": "List",
    "{@.kind}": "List",
    "{kind}": "List",
    "{['kind']}": "List",
    "{..name}": "a b",
    "{.items[0:1].metadata.name}": "a",
    '{.items[0].status.conditions[?(@.type=="Running")].status}': "True",
    '{.items[?(@.metadata.name=="b")].metadata.name}': "b",
    "{.items[0].metadata.labels.app\\.kubernetes\\.io/name}": "emqx",
    "{.items[0].spec}": '{"none":null,"on":true,"replicas":3}',
    "{.items[0].spec.none}|": "|",
    "{.nothing.there}|": "|",
    '{range .items[*]}{.metadata.name}{"\\t"}{.spec.replicas}{"\\n"}{end}': "a\t3\nb\t\n",
    "{range .items[*]}{range .status.conditions[*]}{.type},{end};{end}": "Running,Other,;;",
    '{"a } in a text"}': "a } in a text",
}


@pytest.mark.parametrize(("template", "expected"), RENDERED.items(), ids=RENDERED)
def test_a_template_is_rendered(template: str, expected: str) -> None:
    assert Template.parse(template).render(DOCUMENT) == expected


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{.a", "a brace is not closed"),
        ('{"}', "a brace is not closed"),
        ("{end}", "{end} without {range}"),
        ("{range .items[*]}x", "{range} without {end}"),
        ("{.items[}", "is no path"),
        ('{"\\q"}', "is not a quoted text"),
    ],
)
def test_a_wrong_template_is_refused(template: str, reason: str) -> None:
    with pytest.raises(InvalidTemplate, match=reason.replace("{", r"\{").replace("}", r"\}")):
        Template.parse(template)


def test_what_a_terminal_would_obey_is_not_printed() -> None:
    assert "\x1b" not in Template.parse("{.a}").render({"a": "\x1b[2J"})


@given(st.text(max_size=40))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        template = Template.parse(text)
    except InvalidTemplate:
        return
    assert isinstance(template.render(DOCUMENT), str)
