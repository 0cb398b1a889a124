"""What `--set` and `--template` ask for, and what is said about mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.headless.release.release_options import Edit, InvalidOption, parse_sets, read_template
from emqx_tui.model.emqx_enterprise import EmqxEnterprise

RESOURCE = EmqxEnterprise.from_json(
    {
        "metadata": {"name": "emqx-ee", "namespace": "default", "uid": "u", "resourceVersion": "1"},
        "spec": {
            "blueGreenUpdate": {
                "initialDelaySeconds": 60,
                "evacuationStrategy": {"waitTakeover": 5, "connEvictRate": 200, "sessEvictRate": 200},
            },
            "template": {
                "metadata": {"labels": {"team": "messaging"}},
                "spec": {"emqxContainer": {"image": {"repository": "emqx/emqx-ee", "version": "4.4.14"}}},
            },
        },
    }
)


def image_of(template: Any) -> dict[str, str]:
    return template["spec"]["emqxContainer"]["image"]


def test_all_names_at_once() -> None:
    edit = parse_sets(
        [
            "image.version=4.4.15",
            "image.repository=mirror/emqx-ee",
            "initialDelaySeconds=0",
            "waitTakeover=7",
            "connEvictRate=300",
            "sessEvictRate=400",
        ]
    )
    draft = edit.draft(RESOURCE)
    assert image_of(draft.template) == {"repository": "mirror/emqx-ee", "version": "4.4.15"}
    parameters = draft.blue_green
    assert (parameters.initial_delay_s, parameters.wait_takeover_s) == (0, 7)
    assert (parameters.conn_evict_rate_per_s, parameters.sess_evict_rate_per_s) == (300, 400)
    assert image_of(RESOURCE.template)["version"] == "4.4.14"


def test_the_last_of_two_wins_and_the_rest_stays() -> None:
    draft = parse_sets(["image.version=4.4.14", "image.version=4.4.15"]).draft(RESOURCE)
    assert image_of(draft.template) == {"repository": "emqx/emqx-ee", "version": "4.4.15"}
    assert draft.blue_green == RESOURCE.blue_green
    assert draft.template["metadata"] == {"labels": {"team": "messaging"}}


def test_nothing_asked_for_is_no_edit() -> None:
    assert not parse_sets([])
    assert parse_sets(["waitTakeover=0"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image.version", "expected NAME=VALUE"),
        ("image.version=", "a value is missing"),
        ("imag.version=4.4.15", "did you mean image.version?"),
        ("connevictrate=1", "did you mean connEvictRate?"),
        ("colour=green", "known: image.version"),
        ("connEvictRate=fast", "expected a whole number, found 'fast'"),
        ("connEvictRate=-1", "-1 is out of range: 1 to 2147483647 per second"),
        ("connEvictRate=0", "0 is out of range: 1 to 2147483647 per second"),
        ("sessEvictRate=2147483648", "2147483648 is out of range: 1 to 2147483647 per second"),
        ("waitTakeover=-1", "-1 is out of range: 0 to 2147483647 s"),
        ("initialDelaySeconds=-1", "-1 is out of range: 0 to 2147483647 s"),
        ("initialDelaySeconds=1000000000", "holds the operator"),
        ("waitTakeover=" + "9" * 5_000, "expected a whole number"),
        ("image.version=latest", "'latest' is no semantic version"),
        ("image.version=5.1.0", "5.1.0 is out of range: the operator takes 4.4.14 up to below 5.0.0"),
        ("waitTakeover=5s", "expected a whole number, found '5s'"),
        ("waitTakeover=٥", "expected a whole number"),
    ],
)
def test_mistakes_name_the_argument_and_the_way_out(text: str, words: str) -> None:
    with pytest.raises(InvalidOption) as wrong:
        parse_sets([text])
    assert f"--set {text}" in str(wrong.value)
    assert words in str(wrong.value)


TEMPLATE = {"spec": {"emqxContainer": {"image": {"repository": "emqx/emqx-ee", "version": "4.4.15"}}}}


@pytest.mark.parametrize(
    "document",
    [TEMPLATE, {"kind": "EmqxEnterprise", "spec": {"template": TEMPLATE, "replicas": 3}}],
    ids=["the template", "the whole object"],
)
def test_a_template_replaces_the_template_and_sets_come_on_top(document: Any) -> None:
    template = read_template(document, "file.yaml")
    edit = Edit(parse_sets(["image.version=4.4.16"]).image, {}, template)
    draft = edit.draft(RESOURCE)
    assert draft.template == {"spec": {"emqxContainer": {"image": {"repository": "emqx/emqx-ee", "version": "4.4.16"}}}}
    assert TEMPLATE["spec"]["emqxContainer"]["image"]["version"] == "4.4.15"


@pytest.mark.parametrize(
    "document", [None, [], "text", {}, {"spec": {}}, {"spec": []}, {"kind": "EmqxEnterprise", "spec": {}}]
)
def test_what_is_no_template(document: Any) -> None:
    with pytest.raises(InvalidOption, match=r"^file\.yaml: "):
        read_template(document, "file.yaml")


def test_an_image_that_is_no_mapping() -> None:
    odd = {"spec": {"emqxContainer": {"image": "emqx:1"}}}
    with pytest.raises(InvalidOption, match="expected a mapping"):
        Edit({"version": "4.4.15"}, {}, odd).draft(RESOURCE)
