"""Blue's template, worked out from the pods of both generations as the simulated operator makes them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from emqx_tui.model.kube_object import fingerprint
from emqx_tui.rollout.change import merge_diff
from emqx_tui.rollout.ungated.original_template import first_difference, is_made_from, original_template
from emqx_tui.sandbox.operator.lines import LINES
from emqx_tui.sandbox.operator.pod_template import stateful_set
from tests.support.desk import small_world


def resource() -> dict[str, Any]:
    """As the server stores it, with the webhook's defaults."""
    return small_world().store.get("emqxenterprises", "default", "emqx-ee")


BEFORE = resource()


def pods_of(template: dict[str, Any]) -> dict[str, Any]:
    made = {**BEFORE, "spec": {**BEFORE["spec"], "template": template}}
    return stateful_set(made, LINES["G3"], None)["spec"]["template"]


def edited(patch: dict[str, Any]) -> dict[str, Any]:
    """The template before, with a merge patch of `spec`."""

    def merged(one: Any, other: Any) -> Any:
        if not isinstance(other, dict):
            return other
        base = dict(one) if isinstance(one, dict) else {}
        for key, value in other.items():
            base.pop(key, None) if value is None else base.update({key: merged(base.get(key), value)})
        return base

    template = copy.deepcopy(BEFORE["spec"]["template"])
    return {**template, "spec": merged(template["spec"], patch)}


OLD = edited(
    {
        "emqxContainer": {
            "image": {"registry": "registry.example.com", "prefix": "v", "suffix": "-elixir"},
            "emqxConfig": {"mqtt.max_packet_size": "1MB"},
            "env": [{"name": "TZ", "value": "UTC"}],
            "resources": {"requests": {"cpu": "1"}},
        },
        "nodeSelector": {"disk": "ssd"},
    }
)


def changed(patch: dict[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(OLD)
    for path, value in patch.items():
        *above, last = path.split("/")
        into = found["spec"]
        for part in above:
            into = into.setdefault(part, {})
        into.pop(last, None) if value is None else into.update({last: value})
    return found


@pytest.mark.parametrize(
    "patch",
    [
        {"emqxContainer/image/version": "4.4.15"},
        {"emqxContainer/image/repository": "emqx/emqx-ee-mine"},
        {"emqxContainer/emqxConfig/mqtt.max_packet_size": "2MB"},
        {"emqxContainer/emqxConfig/mqtt.max_packet_size": None},
        {"emqxContainer/emqxConfig/zone.external.idle_timeout": "15s"},
        {"emqxContainer/env": [{"name": "TZ", "value": "CET"}]},
        {"emqxContainer/env": []},
        {"emqxContainer/env": [{"name": "TZ", "value": "UTC"}, {"name": "EMQX_X", "value": "1"}]},
        {"emqxContainer/resources": {"requests": {"cpu": "2"}}},
        {"emqxContainer/resources": None},
        {"nodeSelector": {"disk": "hdd"}},
        {"nodeSelector": None},
        {"emqxContainer/image/version": "4.4.15", "emqxContainer/emqxConfig/mqtt.max_packet_size": "2MB"},
    ],
    ids=str,
)
def test_it_is_what_the_operator_made_blue_from(patch: dict[str, Any]) -> None:
    new = changed(patch)
    found = original_template(new, pods_of(OLD), pods_of(new))
    assert found.template is not None, found.problem
    assert pods_of(dict(found.template)) == pods_of(OLD), "no third StatefulSet"
    if patch.get("emqxContainer/env", 1):
        assert fingerprint(found.template) == fingerprint(OLD), merge_diff(OLD, found.template)
    back = original_template(OLD, pods_of(new), pods_of(OLD))
    assert back.template is not None, back.problem
    assert pods_of(dict(back.template)) == pods_of(new), "the other way round as well"


@pytest.mark.parametrize(
    ("patch", "where"),
    [
        ({"emqxContainer/image/registry": "other.example.com"}, "image"),
        ({"emqxContainer/image/prefix": "e"}, "image"),
        ({"volumes": [{"name": "more", "emptyDir": {}}]}, "volumes"),
        ({"reloaderImage": "emqx/emqx-operator-reloader:0.0.3"}, "containers.reloader.image"),
        ({"emqxContainer/lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}, "containers.emqx.lifecycle"),
    ],
    ids=str,
)
def test_what_cannot_be_known_is_named(patch: dict[str, Any], where: str) -> None:
    new = changed(patch)
    found = original_template(new, pods_of(OLD), pods_of(new))
    assert found.template is None
    assert where in found.problem


def test_a_variable_that_comes_from_elsewhere_goes_back_to_env_whatever_its_name() -> None:
    """`emqxConfig` has values only."""
    field = {"name": "EMQX_NODE__IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    made = pods_of(OLD)
    made["spec"]["containers"][0]["env"].append(field)
    found = original_template(OLD, made, pods_of(OLD))
    assert found.template is not None, found.problem
    assert field in found.template["spec"]["emqxContainer"]["env"]


def test_a_statefulset_that_was_not_read_tells_nothing() -> None:
    assert original_template(OLD, {}, pods_of(OLD)).template is None


def test_a_template_is_told_from_another_by_what_was_made_of_it() -> None:
    new = changed({"emqxContainer/image/version": "4.4.15"})
    config = changed({"emqxContainer/emqxConfig/mqtt.max_packet_size": "2MB"})
    assert is_made_from(OLD, pods_of(OLD))
    assert not is_made_from(OLD, pods_of(new))
    assert not is_made_from(config, pods_of(OLD))
    assert not is_made_from(changed({"emqxContainer/emqxConfig/zone.external.idle_timeout": "15s"}), pods_of(OLD))
    assert not is_made_from(OLD, {})


def test_defaults_that_the_server_adds_to_a_statefulset_are_no_difference() -> None:
    probing = changed({"emqxContainer/livenessProbe": {"httpGet": {"path": "/status", "port": 8081}}})
    made = pods_of(probing)
    made["spec"]["containers"][0]["livenessProbe"] |= {"timeoutSeconds": 1, "periodSeconds": 10}
    assert is_made_from(probing, made)


def test_the_first_difference_is_named_by_its_path() -> None:
    assert first_difference({"a": {"b": 1}, "c": 1}, {"a": {"b": 2}, "c": 2}) == "a.b"
    assert first_difference({"a": 1}, {"a": 1}) == ""
