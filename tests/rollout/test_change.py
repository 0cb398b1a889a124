"""What an edit comes to: verdict, patch and differences."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emqx_tui.model.emqx_enterprise import BlueGreenStatus, BlueGreenUpdate, EmqxEnterprise
from emqx_tui.model.owners import Owners, owner
from emqx_tui.rollout.change import (
    INT32_MAX,
    Change,
    Draft,
    Rates,
    Verdict,
    assess,
    merge_diff,
    parse_version,
    rates_of,
)
from emqx_tui.rollout.policy import CLOSED_S

CONTAINER: dict[str, Any] = {
    "image": {"repository": "emqx/emqx-ee", "version": "4.4.14"},
    "emqxConfig": {"name": "emqx-ee", "cluster.discovery": "dns", "log.level": "warning"},
    "emqxACL": ["{allow, all}."],
    "bootstrapAPIKeys": [{"key": "app", "secret": "s3cr3t"}],
}
GIVEN = BlueGreenUpdate(60, 5, 200, 200)
PATH = "spec.template.spec.emqxContainer"


def resource(container: Any = CONTAINER, parameters: Mapping[str, Any] | None = None) -> EmqxEnterprise:
    spec: dict[str, Any] = {"template": {"spec": {"emqxContainer": container}}}
    if parameters is None:
        parameters = {
            "initialDelaySeconds": 60,
            "evacuationStrategy": {"waitTakeover": 5, "connEvictRate": 200, "sessEvictRate": 200},
        }
    spec["blueGreenUpdate"] = parameters
    return EmqxEnterprise.from_json({"metadata": {"name": "emqx-ee", "namespace": "default"}, "spec": spec})


def edited(path: str, to: Any, *, blue_green: BlueGreenUpdate = GIVEN) -> Draft:
    """An edit of one value below `spec.template`; `...` removes the key."""
    draft = replace(Draft.of(resource()), blue_green=blue_green)
    template = copy.deepcopy(dict(draft.template))
    node: Any = template
    *parents, last = path.split("/")
    for part in parents:
        node = node.setdefault(part, {})
    if to is ...:
        del node[last]
    else:
        node[last] = to
    return replace(draft, template=template)


VERDICTS: dict[str, tuple[Draft, Verdict]] = {
    "nothing": (Draft.of(resource()), Verdict.UNCHANGED),
    "another version": (edited("spec/emqxContainer/image/version", "4.4.15"), Verdict.STARTS_RELEASE),
    "the newest version": (edited("spec/emqxContainer/image/version", "v4.9.9-rc.1"), Verdict.STARTS_RELEASE),
    "another repository": (edited("spec/emqxContainer/image/repository", "mine/emqx"), Verdict.STARTS_RELEASE),
    "a configuration value": (edited("spec/emqxContainer/emqxConfig/log.level", "debug"), Verdict.STARTS_RELEASE),
    "a label of the pods": (edited("metadata/labels/team", "a"), Verdict.STARTS_RELEASE),
    "a volume": (edited("spec/volumes", [{"name": "x", "emptyDir": {}}]), Verdict.STARTS_RELEASE),
    "the ACL alone": (edited("spec/emqxContainer/emqxACL", ["{deny, all}."]), Verdict.NO_EFFECT),
    "the ACL away": (edited("spec/emqxContainer/emqxACL", ...), Verdict.NO_EFFECT),
    "rates": (replace(Draft.of(resource()), blue_green=BlueGreenUpdate(60, 5, 50, 200)), Verdict.NEXT_RELEASE),
    "rates, while the operator releases by itself": (
        replace(
            Draft.of(replace(resource(), blue_green_status=BlueGreenStatus(None, ()))),
            blue_green=BlueGreenUpdate(86_400, 5, 200, 200),
        ),
        Verdict.THIS_RELEASE,
    ),
    "the delay": (replace(Draft.of(resource()), blue_green=BlueGreenUpdate(0, 5, 200, 200)), Verdict.NEXT_RELEASE),
    "a parameter away": (
        replace(Draft.of(resource()), blue_green=BlueGreenUpdate(None, 5, 200, 200)),
        Verdict.NEXT_RELEASE,
    ),
    "rates and a version": (
        edited("spec/emqxContainer/image/version", "4.4.15", blue_green=BlueGreenUpdate(60, 5, 50, 50)),
        Verdict.STARTS_RELEASE,
    ),
}


@pytest.mark.parametrize(("draft", "verdict"), VERDICTS.values(), ids=VERDICTS)
def test_what_saving_would_do(draft: Draft, verdict: Verdict) -> None:
    assert assess(draft).verdict is verdict


REFUSED: dict[str, tuple[Draft, str, str]] = {
    "no version": (edited("spec/emqxContainer/image/version", ...), f"{PATH}.image.version", "is required"),
    "an empty version": (edited("spec/emqxContainer/image/version", ""), f"{PATH}.image.version", "is required"),
    "latest": (
        edited("spec/emqxContainer/image/version", "latest"),
        f"{PATH}.image.version",
        "no semantic version",
    ),
    "a version that is a number": (
        edited("spec/emqxContainer/image/version", 4.4),
        f"{PATH}.image.version",
        "is required",
    ),
    "an image that is no object": (edited("spec/emqxContainer/image", "emqx"), f"{PATH}.image.version", "is required"),
    "a repository that is a number": (
        edited("spec/emqxContainer/image/repository", 4),
        f"{PATH}.image.repository",
        "must be a string",
    ),
    "a registry that is a list": (
        edited("spec/emqxContainer/image/registry", ["docker.io"]),
        f"{PATH}.image.registry",
        "must be a string",
    ),
    "too old": (edited("spec/emqxContainer/image/version", "4.4.13"), f"{PATH}.image.version", "out of range"),
    "5.0.0": (edited("spec/emqxContainer/image/version", "5.0.0"), f"{PATH}.image.version", "out of range"),
    "no container": (edited("spec/emqxContainer", "x"), PATH, "must be an object"),
    "a configuration number": (
        edited("spec/emqxContainer/emqxConfig/log.level", 3),
        f"{PATH}.emqxConfig.log.level",
        "must be a string",
    ),
    "configuration as a list": (
        edited("spec/emqxContainer/emqxConfig", ["a"]),
        f"{PATH}.emqxConfig",
        "must be a map of strings",
    ),
    "the name of the nodes": (
        edited("spec/emqxContainer/emqxConfig/name", "other"),
        f"{PATH}.emqxConfig.name",
        "cannot be changed",
    ),
    "the name of the nodes away": (
        edited("spec/emqxContainer/emqxConfig/name", ...),
        f"{PATH}.emqxConfig.name",
        "cannot be changed",
    ),
    "cluster discovery": (
        edited("spec/emqxContainer/emqxConfig/cluster.discovery", "static"),
        f"{PATH}.emqxConfig.cluster.discovery",
        "cannot be changed",
    ),
    "API keys": (
        edited("spec/emqxContainer/bootstrapAPIKeys", []),
        f"{PATH}.bootstrapAPIKeys",
        "cannot be changed",
    ),
}


@pytest.mark.parametrize(("draft", "path", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_names_the_field(draft: Draft, path: str, sentence: str) -> None:
    change = assess(draft)
    assert change.verdict is Verdict.REFUSED
    assert [(p.path, sentence in p.sentence) for p in change.problems] == [(path, True)]


def test_a_cluster_key_may_be_left_out() -> None:
    assert assess(edited("spec/emqxContainer/emqxConfig/cluster.discovery", ...)).verdict is Verdict.STARTS_RELEASE


BAD_PARAMETERS: dict[str, tuple[BlueGreenUpdate, str]] = {
    "a negative delay": (BlueGreenUpdate(-1, 5, 200, 200), "initialDelaySeconds"),
    "a delay beyond int32": (BlueGreenUpdate(INT32_MAX + 1, 5, 200, 200), "initialDelaySeconds"),
    "a delay that holds the operator": (BlueGreenUpdate(CLOSED_S + 7, 5, 200, 200), "initialDelaySeconds"),
    "a negative wait": (BlueGreenUpdate(60, -1, 200, 200), "waitTakeover"),
    "connections at 0": (BlueGreenUpdate(60, 5, 0, 200), "connEvictRate"),
    "sessions at 0": (BlueGreenUpdate(60, 5, 200, 0), "sessEvictRate"),
    "a rate beyond int32": (BlueGreenUpdate(60, 5, INT32_MAX + 1, 200), "connEvictRate"),
}


@pytest.mark.parametrize(("parameters", "field"), BAD_PARAMETERS.values(), ids=BAD_PARAMETERS)
def test_parameters_out_of_range_are_refused(parameters: BlueGreenUpdate, field: str) -> None:
    change = assess(replace(Draft.of(resource()), blue_green=parameters))
    assert change.verdict is Verdict.REFUSED
    assert [p.path.rpartition(".")[2] for p in change.problems] == [field]


@pytest.mark.parametrize(
    "parameters",
    [BlueGreenUpdate(0, 0, 1, 1), BlueGreenUpdate(INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX)],
    ids=["the least", "the most"],
)
def test_the_ends_of_the_ranges_are_taken(parameters: BlueGreenUpdate) -> None:
    assert assess(replace(Draft.of(resource()), blue_green=parameters)).verdict is Verdict.NEXT_RELEASE


def test_several_problems_are_all_told() -> None:
    draft = edited("spec/emqxContainer/image/version", "latest", blue_green=BlueGreenUpdate(-5, 5, 0, 200))
    assert len(assess(draft).problems) == 3


def test_differences_name_paths_and_hide_secrets() -> None:
    draft = edited("spec/emqxContainer/emqxConfig/auth.mysql.password", "hunter2")
    (difference,) = assess(draft).differences
    assert difference.path == f"{PATH}.emqxConfig.auth.mysql.password"
    assert difference.before is None
    assert "hunter2" not in repr(difference)


# -- patches ------------------------------------------------------------------------------------------------------


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2, word for word."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = merged(target.get(name), value)
    return target


def without_nulls(value: Any) -> Any:
    """A merge patch cannot store null in an object; an API server drops it there as well."""
    if isinstance(value, dict):
        return {key: without_nulls(entry) for key, entry in value.items() if entry is not None}
    return value


_scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"])
_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)
_objects = st.dictionaries(st.sampled_from("abcd"), _json, max_size=4)


def exactly(value: Any) -> Any:
    """Tells 1 from true, which Python does not."""
    if isinstance(value, dict):
        return {key: exactly(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [exactly(entry) for entry in value]
    return (type(value).__name__, value)


@given(_objects, _objects)
@example({"a": 1}, {"a": True})
@example({"a": [0]}, {"a": [False]})
@example({"a": None}, {})
def test_the_patch_makes_before_into_after(before: dict[str, Any], after: dict[str, Any]) -> None:
    kept = copy.deepcopy((before, after))
    patch = merge_diff(before, after)
    assert exactly(without_nulls(merged(before, patch))) == exactly(without_nulls(after))
    assert (before, after) == kept


@given(_objects)
@example({"a": [{"a": 1, "b": 2}]})
def test_no_difference_gives_no_patch_nor_does_another_order_of_keys(value: dict[str, Any]) -> None:
    assert merge_diff(value, copy.deepcopy(value)) == {}
    assert merge_diff(value, turned(value)) == {}


def turned(value: Any) -> Any:
    """With the keys of every object in the other order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(entry) for entry in value] if isinstance(value, list) else value


def parameters_after(change: Change, before: Mapping[str, Any]) -> Any:
    return merged({"blueGreenUpdate": dict(before)}, dict(change.patch))["blueGreenUpdate"]


_parameter = st.none() | st.integers(1, 5)
_parameters = st.builds(BlueGreenUpdate, _parameter, _parameter, _parameter, _parameter)


def spelled(parameters: BlueGreenUpdate) -> dict[str, Any]:
    """The four parameters as a person would write them into the object."""
    strategy = {
        "waitTakeover": parameters.wait_takeover_s,
        "connEvictRate": parameters.conn_evict_rate_per_s,
        "sessEvictRate": parameters.sess_evict_rate_per_s,
    }
    return without_nulls({"initialDelaySeconds": parameters.initial_delay_s, "evacuationStrategy": strategy})


@given(_parameters, _parameters)
def test_saved_parameters_are_the_edited_ones_also_when_one_was_taken_away(
    before: BlueGreenUpdate, after: BlueGreenUpdate
) -> None:
    given_parameters = spelled(before)
    change = assess(replace(Draft.of(resource(parameters=given_parameters)), blue_green=after))
    stored = resource(parameters=parameters_after(change, given_parameters)).blue_green
    assert stored == after
    assert change.patch.get("blueGreenUpdate", {}) is not None


def test_the_patch_says_only_what_changes() -> None:
    assert assess(edited("spec/emqxContainer/image/version", "4.4.15")).patch == {
        "template": {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}}
    }


@pytest.mark.parametrize(
    ("parameters", "rates"),
    [
        (GIVEN, Rates(200, 200, 5)),
        (BlueGreenUpdate(60, None, 200, 100), Rates(200, 100, 0)),
        (BlueGreenUpdate(60, 5, None, 200), None),
        (BlueGreenUpdate(60, 5, 200, None), None),
        (None, None),
    ],
)
def test_rates_are_complete_or_none(parameters: BlueGreenUpdate | None, rates: Rates | None) -> None:
    assert rates_of(parameters) == rates


def test_a_wait_of_zero_means_the_brokers_default() -> None:
    assert Rates(1, 1, 0).effective_wait_takeover_s == 60
    assert Rates(1, 1, 5).effective_wait_takeover_s == 5


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("4.4.14", (4, 4, 14)),
        ("v4.4.14-alpine", (4, 4, 14)),
        ("4.4.14+build", (4, 4, 14)),
        ("4.4", None),
        ("latest", None),
        ("4.4.14 ", None),
    ],
)
def test_versions(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version


def test_a_draft_does_not_share_the_objects_template() -> None:
    original = resource()
    draft = Draft.of(original)
    draft.template["spec"]["emqxContainer"]["image"]["version"] = "9"
    assert original.image.version == original.template["spec"]["emqxContainer"]["image"]["version"] == "4.4.14"


def test_owners_of_the_changed_fields_are_told_and_those_that_put_their_value_back_come_first() -> None:
    below = {"f:template": {"f:spec": {"f:emqxContainer": {"f:image": {"f:version": {}}}}}}
    image, rates = {"f:spec": below}, {"f:spec": {"f:blueGreenUpdate": {}}}
    managers = {"kubectl-edit": image, "argocd-controller": image, "helm": rates}
    owners = Owners(tuple((owner(manager, "Update"), fields) for manager, fields in managers.items()))
    draft = edited("spec/emqxContainer/image/version", "4.4.15")
    found = assess(replace(draft, original=replace(draft.original, owners=owners))).owned
    version = f"{PATH}.image.version"
    assert [(each.owner.manager, each.paths) for each in found] == [
        ("argocd-controller", (version,)),
        ("kubectl-edit", (version,)),
    ]
