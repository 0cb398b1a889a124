"""The `spec.template` that blue was made from, worked out where no journal kept it.

The operator makes a pod template of each `spec.template`. What blue's pod template has otherwise than green's is put
back into the template that the object asks for now. That is done only for fields that the operator copies one to one:
with anything else it would answer the restored template with a third StatefulSet, so then the template is not known.
(`controllers/apps/v1beta4/generated.go`)
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_OF_CONTAINER = ("command", "args", "workingDir", "resources", "livenessProbe", "readinessProbe", "startupProbe")
"""Fields of the `emqx` container and of `emqxContainer`, under one name."""
_OF_POD = ("affinity", "tolerations", "nodeName", "nodeSelector", "serviceAccountName", "imagePullSecrets")
"""Fields of the pod's spec and of `spec.template.spec`, under one name."""


@dataclass(frozen=True)
class OriginalTemplate:
    """Blue's `spec.template`, or why it cannot be known."""

    template: Mapping[str, Any] | None = field(repr=False)
    """None: not known."""
    problem: str = ""


def original_template(asked: Mapping[str, Any], blue: Mapping[str, Any], green: Mapping[str, Any]) -> OriginalTemplate:
    """`asked` is the `spec.template` that green was made from; `blue` and `green` are pod templates."""
    if not (_emqx(blue) and _emqx(green)):
        return OriginalTemplate(None, "the StatefulSets' pod templates were not read")
    template = copy.deepcopy(dict(asked))
    spec = template.setdefault("spec", {})
    container = spec.setdefault("emqxContainer", {})
    if not _put_image_back(container, str(_emqx(blue).get("image", "")), str(_emqx(green).get("image", ""))):
        return OriginalTemplate(None, f"the parts of image {_emqx(blue).get('image')} are not known")
    _put_env_back(container, _env(_emqx(blue)), _env(_emqx(green)))
    _put_fields_back(container, _emqx(blue), _emqx(green), _OF_CONTAINER)
    _put_fields_back(spec, _spec(blue), _spec(green), _OF_POD)
    if path := first_difference(_rest(blue), _rest(green)):
        return OriginalTemplate(None, f"the generations differ in {path} of their pods, too")
    return OriginalTemplate(template)


def is_made_from(asked: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    """Whether image, variables and copied fields of a pod template are those of a `spec.template`."""
    spec = asked.get("spec") or {}
    container, made = spec.get("emqxContainer") or {}, _emqx(pod)
    if not made or _image(container.get("image") or {}) != made.get("image"):
        return False
    found = _env(made)
    given = {each.get("name"): each for each in container.get("env") or ()}
    wanted = {_variable(key): str(value) for key, value in (container.get("emqxConfig") or {}).items()}
    is_env = all(_is_in(each, found.get(name)) for name, each in given.items())
    is_config = all(name in given or found.get(name, {}).get("value", "") == value for name, value in wanted.items())
    pairs = [*((container, made, name) for name in _OF_CONTAINER), *((spec, _spec(pod), name) for name in _OF_POD)]
    return is_env and is_config and all(_is_in(one.get(name), two.get(name)) for one, two, name in pairs)


def _is_in(asked: Any, made: Any) -> bool:
    """The API server adds defaults to a StatefulSet, and leaves nothing out but what is empty."""
    if isinstance(asked, Mapping) and isinstance(made, Mapping):
        return all(_is_in(value, made.get(key)) for key, value in asked.items())
    if isinstance(asked, list) and isinstance(made, list):
        return len(asked) == len(made) and all(map(_is_in, asked, made))
    return asked == made or (not asked and not made)


def first_difference(one: Any, other: Any, path: str = "") -> str:
    """The path of the first value that differs; empty when none does."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = sorted(one.keys() | other.keys())
        found = (first_difference(one.get(key), other.get(key), f"{path}.{key}") for key in keys)
        return next((each for each in found if each), "").removeprefix(".")
    return "" if one == other else path.removeprefix(".")


def _spec(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    return pod.get("spec") or {}


def _containers(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(_spec(pod).get("containers") or ())


def _emqx(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((each for each in _containers(pod) if each.get("name") == "emqx"), {})


def _env(container: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(each.get("name")): each for each in container.get("env") or ()}


def _variable(key: str) -> str:
    """The environment variable of a key of `emqxConfig`."""
    return "EMQX_" + key.replace(".", "__").upper()


def _image(image: Mapping[str, Any]) -> str:
    tag = f"{image.get('prefix', '')}{image.get('version', '')}{image.get('suffix', '')}"
    registry = str(image.get("registry", "")).rstrip("/")
    named = f"{image.get('repository', '')}:{tag}"
    return f"{registry}/{named}" if registry else named


def _put_image_back(container: dict[str, Any], blue: str, green: str) -> bool:
    """Version and repository; False where registry, prefix or suffix were others, too."""
    if blue == green:
        return True
    image = container.setdefault("image", {})
    registry = str(image.get("registry", "")).rstrip("/")
    prefix, suffix = str(image.get("prefix", "")), str(image.get("suffix", ""))
    name, _, tag = blue.removeprefix(f"{registry}/" if registry else "").rpartition(":")
    restored = {**image, "repository": name, "version": tag.removeprefix(prefix).removesuffix(suffix)}
    container["image"] = restored
    return _image(restored) == blue and bool(restored["version"])


def _put_env_back(container: dict[str, Any], blue: Mapping[str, Any], green: Mapping[str, Any]) -> None:
    """Variables of `env` and those that come from `emqxConfig`."""
    keys = {_variable(key): key for key in container.get("emqxConfig") or {}}
    given = {each.get("name"): each for each in container.get("env") or ()}
    for name in sorted(blue.keys() | green.keys()):
        before = blue.get(name)
        if before == green.get(name):
            continue
        if name in given or (name not in keys and not name.startswith("EMQX_")) or "valueFrom" in (before or {}):
            _set(given, name, before)
        else:
            key = keys.get(name, name.removeprefix("EMQX_").replace("__", ".").lower())
            _set(container.setdefault("emqxConfig", {}), key, None if before is None else before.get("value", ""))
    if given or "env" in container:
        container["env"] = list(given.values())


def _put_fields_back(into: dict[str, Any], blue: Mapping[str, Any], green: Mapping[str, Any], names: tuple[str, ...]):
    for name in names:
        if blue.get(name) != green.get(name):
            _set(into, name, blue.get(name) or None)


def _set(values: dict[Any, Any], key: str, value: Any) -> None:
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value


def _rest(pod: Mapping[str, Any]) -> dict[str, Any]:
    """What is put back is left out; the reloader's variables are the broker's, as the operator makes them."""
    spec = {key: value for key, value in _spec(pod).items() if key not in (*_OF_POD, "containers")}
    containers = {}
    for each in _containers(pod):
        left_out = ("image", "env", *_OF_CONTAINER) if each.get("name") == "emqx" else ()
        containers[each.get("name")] = {key: value for key, value in each.items() if key not in left_out}
    if "reloader" in containers:
        own, broker = _env(containers["reloader"]), _env(_emqx(pod))
        extra = {name: each for name, each in own.items() if broker.get(name) != each}
        containers["reloader"] = {**containers["reloader"], "env": extra}
    return {**{key: value for key, value in pod.items() if key != "spec"}, **spec, "containers": containers}
