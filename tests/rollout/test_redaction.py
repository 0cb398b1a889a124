"""No secret survives: planted wherever this console can meet one, looked for in everything that it shows or keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.rollout.change import Draft, assess
from emqx_tui.rollout.commands import ApplyTemplate, RestoreTemplate, Target
from emqx_tui.rollout.redaction import REDACTED, redact, redact_text, redact_value
from tests.support import scenes as build

SECRET = "Pl4nted-s3cret"

PLACES: dict[str, Any] = {
    "database password": {"emqxConfig": {"auth.mysql.password": SECRET}},
    "database password in a list of servers": {"emqxConfig": {"auth.pgsql.ssl.keyfile_password": SECRET}},
    "authentication with a name of its own": {"emqxConfig": {"auth.user.1.pass": SECRET}},
    "dashboard password": {"emqxConfig": {"dashboard.default_user.password": SECRET}},
    "management secret": {"emqxConfig": {"management.default_application.secret": SECRET}},
    "Erlang cookie": {"emqxConfig": {"node.cookie": SECRET}},
    "token": {"emqxConfig": {"bridge.http.token": SECRET}},
    "URL with user": {"emqxConfig": {"bridge.kafka.servers": f"kafka://admin:{SECRET}@kafka:9092"}},
    "URL without user": {"emqxConfig": {"auth2.redis": f"redis://:{SECRET}@redis:6379"}},
    "environment": {"env": [{"name": "LICENCE_SERVER", "value": SECRET}]},
    "environment of a sidecar": {"extraContainers": [{"name": "x", "env": [{"name": "A", "value": SECRET}]}]},
    "API key": {"bootstrapAPIKeys": [{"key": "app", "secret": SECRET}]},
    "argument": {"args": [f"--password={SECRET}"]},
    "header in an argument": {"command": ["curl", "-H", f"Authorization: Bearer {SECRET}"]},
    "header of a probe": {"livenessProbe": {"httpGet": {"httpHeaders": [{"name": "X-Auth", "value": SECRET}]}}},
    "annotation": {"annotations": {"vault/token": SECRET}},
    "licence": {"license": {"data": SECRET}},
    "licence text": {"license": {"stringData": SECRET}},
    "plain Secret": {"stringData": {"anything": SECRET}},
    "data of a Secret": {"kind": "Secret", "data": {"emqx.lic": SECRET}},
    "what kubectl applied last": {
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"env": [{"name": "A", "value": SECRET}]})
        }
    },
    "what the operator applied last": {"annotations": {"apps.emqx.io/last-applied": SECRET}},
}


def resource(container: Any) -> EmqxEnterprise:
    image = {"image": {"repository": "emqx/emqx-ee", "version": "4.4.14"}}
    spec = {"template": {"spec": {"emqxContainer": {**image, **container}}}}
    return EmqxEnterprise.from_json({"metadata": {"name": "emqx-ee", "namespace": "default"}, "spec": spec})


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_redact_takes_it_out(place: Any) -> None:
    assert SECRET not in str(redact({"spec": {"template": {"spec": {"emqxContainer": place}}}}))


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_commands_neither_describe_nor_repr_it(place: Any) -> None:
    template = {"spec": {"emqxContainer": place}}
    target = Target("default", "emqx-ee", "uid", "5")
    commands = (ApplyTemplate(target, template, 1_000_000_000), RestoreTemplate(target, 1, template, target, 1))
    for command in commands:
        assert SECRET not in command.describe()
        assert SECRET not in repr(command)
        assert SECRET not in repr(command.request())
        assert SECRET in str(command.request().body)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_differences_hide_it_on_both_sides(place: Any) -> None:
    with_it, without = resource(place), resource({})
    for before, after in ((with_it, without), (without, with_it)):
        draft = replace(Draft.of(before), template=after.template)
        change = assess(draft)
        assert change.differences
        assert SECRET not in repr(change)
        assert SECRET not in str(change.differences)
        assert SECRET not in repr(draft)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_journal_and_plan_do_not_repr_it(place: Any) -> None:
    template = {"spec": {"emqxContainer": place}}
    journal = build.journal(patch=template)
    journal = replace(journal, originals=replace(journal.originals, template=template))
    assert SECRET in journal.dumps()
    assert SECRET not in repr(journal)
    assert SECRET not in repr(build.plan(patch=template))


_words = st.text(st.sampled_from("abcXYZ019_-"), min_size=8, max_size=20)
_names = st.sampled_from(["image", "name", "labels", "log.level", "resources", "volumes"])


@given(_words, st.lists(_names, max_size=3), st.sampled_from(sorted(PLACES)))
def test_however_deep_it_lies_it_is_found(secret: str, above: list[str], place: str) -> None:
    secret = f"Q{secret}Q"
    value: Any = _planted(PLACES[place], secret)
    for name in above:
        value = {name: [value, "ordinary"]}
    assert secret not in str(redact(value))


def _planted(value: Any, secret: str) -> Any:
    if isinstance(value, dict):
        return {key: _planted(entry, secret) for key, entry in value.items()}
    if isinstance(value, list):
        return [_planted(entry, secret) for entry in value]
    return value.replace(SECRET, secret)


KEPT: dict[str, Any] = {
    "image": {"image": {"repository": "emqx/emqx-ee", "version": "4.4.14"}},
    "configuration": {"emqxConfig": {"log.level": "debug", "zone.external.max_mqueue_len": "100"}},
    "secret volume": {"volumes": [{"name": "tls", "secret": {"secretName": "emqx-tls", "defaultMode": 420}}]},
    "pull secret": {"imagePullSecrets": [{"name": "registry"}]},
    "licence by name": {"license": {"secretName": "emqx-license"}},
    "environment from a Secret": {
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}}]
    },
    "numbers and flags": {"replicas": 3, "hostNetwork": True, "nothing": None, "automountServiceAccountToken": False},
    "data of a ConfigMap": {"kind": "ConfigMap", "data": {"acl.conf": "{allow, all}."}},
    "what kubectl applied last": {
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": '{"spec":{"replicas":3}}'}
    },
    "what kubectl applied last, in any script": {
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": '{"spec":{"team":"Zürich 東京"}}'}
    },
    "an ordinary URL": {"emqxConfig": {"auth2.http": "http://auth:8080/check"}},
}


@pytest.mark.parametrize("value", KEPT.values(), ids=KEPT)
def test_what_is_no_secret_can_still_be_read(value: Any) -> None:
    assert redact(value) == value


def test_names_stay_where_only_values_are_secret() -> None:
    shown = redact({"env": [{"name": "A", "value": "x"}], "bootstrapAPIKeys": [{"key": "app", "secret": "y"}]})
    assert shown == {
        "env": [{"name": "A", "value": REDACTED}],
        "bootstrapAPIKeys": [{"key": "app", "secret": REDACTED}],
    }
    assert redact({"kind": "Secret", "data": {"emqx.lic": "y"}}) == {"kind": "Secret", "data": {"emqx.lic": REDACTED}}


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("spec.template.spec.emqxContainer.image.version", "4.4.15", "4.4.15"),
        ("spec.template.spec.emqxContainer.emqxConfig.auth.user.1.pass", "x", REDACTED),
        ("spec.template.spec.emqxContainer.emqxConfig.node.cookie", "x", REDACTED),
        ("spec.license.data", "x", REDACTED),
        ("spec.license.secretName", "emqx-license", "emqx-license"),
        ("spec.template.spec.emqxContainer.env", [{"name": "A", "value": "x"}], [{"name": "A", "value": REDACTED}]),
        ("spec.template.spec.volumes", [{"secret": {"secretName": "a"}}], [{"secret": {"secretName": "a"}}]),
        ("spec.replicas", 3, 3),
        ("spec.password", None, None),
    ],
)
def test_a_value_at_its_path(path: str, value: Any, shown: Any) -> None:
    assert redact_value(path, value) == shown


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Basic {SECRET}",
        f"authorization: bearer {SECRET}",
        f"password={SECRET}",
        f"api_key: {SECRET}",
        f"amqp://user:{SECRET}@host/vhost",
        f"redis://:{SECRET}@host",
        f'{{"password":"{SECRET}"}}',
        f'{{"password": "{SECRET}", "user": "x"}}',
        f'password="a {SECRET}"',
        f"password='a {SECRET}'",
        f'"secret":"a\\"{SECRET}"',
        f'{{\\"token\\":\\"a {SECRET}\\"}}',
        f'token="cut off {SECRET}',
        f"access_token={SECRET}",
        f"MYSQL_PASSWORD={SECRET}",
        f'"Authorization":"Bearer {SECRET}"',
        f"authorization=Bearer {SECRET}",
    ],
)
def test_credentials_inside_a_text(text: str) -> None:
    assert SECRET not in redact_text(text)
    assert REDACTED in redact_text(text)


@given(st.text(max_size=60))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redact_text(redact_text(text)) == redact_text(text)
