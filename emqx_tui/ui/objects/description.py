"""PURE: an object as `kubectl describe` tells it: what a person looks for first, then the rest, then its Events.

Pods and StatefulSets have a form of their own; every other object is printed field by field, as kubectl does with
custom resources. What comes in is redacted and clean already; nothing here trusts its types.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from emqx_tui.model.workloads import ClusterEvent
from emqx_tui.ui.objects.documents import events_text

Lines = list[str]
_VALUE_AT = 17


def description(found: Mapping[str, Any], events: Sequence[ClusterEvent], problem: str, now: datetime) -> str:
    """The whole description."""
    match found.get("kind"):
        case "Pod":
            body = _pod(found)
        case "StatefulSet":
            body = _stateful_set(found)
        case None:
            return "\n".join(_fields(found)) + "\n"
        case _:
            body = [*_head(found), *_fields({key: found[key] for key in ("spec", "status") if key in found})]
    shown = events_text(events, problem, now, with_object=False)
    return "\n".join([*body, "Events:", *(f"  {line}" for line in shown.splitlines())]) + "\n"


def _pod(found: Mapping[str, Any]) -> Lines:
    meta, spec, status = (_map(found, part) for part in ("metadata", "spec", "status"))
    statuses = {_text(each, "name"): each for each in _maps(status, "containerStatuses")}
    lines = [
        *_head(found),
        _pair("Node", "/".join(part for part in (_text(spec, "nodeName"), _text(status, "hostIP")) if part)),
        _pair("Start Time", _text(status, "startTime")),
        _pair("Status", _pod_status(meta, status)),
        _pair("IP", _text(status, "podIP")),
        _pair("Controlled By", _controller(meta)),
        _pair("Service Account", _text(spec, "serviceAccountName")),
        "Containers:",
    ]
    for container in _maps(spec, "containers"):
        lines += _container(container, statuses.get(_text(container, "name"), {}))
    lines += _gates(spec, status)
    lines += _conditions(status)
    lines += ["Volumes:", *_indented(_volumes(_maps(spec, "volumes")))]
    lines.append(_pair("QoS Class", _text(status, "qosClass")))
    return [line for line in lines if line]


def _pod_status(meta: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    if deleted := _text(meta, "deletionTimestamp"):
        return f"Terminating (since {deleted})"
    reason = _text(status, "reason")
    return _text(status, "phase") + (f" ({reason})" if reason else "")


def _container(container: Mapping[str, Any], status: Mapping[str, Any]) -> Lines:
    ports = ", ".join(
        f"{_text(each, 'containerPort')}/{_text(each, 'protocol') or 'TCP'}" for each in _maps(container, "ports")
    )
    lines = [
        _pair("Image", _text(container, "image")),
        _pair("Image ID", _text(status, "imageID")),
        _pair("Ports", ports),
        _pair("Command", _words(container.get("command"))),
        _pair("Args", _words(container.get("args"))),
        *_container_state("State", _map(status, "state")),
        *_container_state("Last State", _map(status, "lastState")),
        _pair("Ready", _text(status, "ready")),
        _pair("Restart Count", _text(status, "restartCount")),
    ]
    for title, key in (("Limits", "limits"), ("Requests", "requests")):
        lines.append(_pair(title, _flat(_map(_map(container, "resources"), key))))
    for title, key in (("Liveness", "livenessProbe"), ("Readiness", "readinessProbe"), ("Startup", "startupProbe")):
        if probe := _map(container, key):
            lines += [f"{title}:", *_indented(_fields(probe))]
    if environment := _maps(container, "env"):
        lines += ["Environment:", *(f"  {_text(each, 'name')}: {_env_value(each)}" for each in environment)]
    if mounts := _maps(container, "volumeMounts"):
        lines += ["Mounts:", *(f"  {_text(each, 'mountPath')} from {_text(each, 'name')}" for each in mounts)]
    return [f"  {_text(container, 'name')}:", *(f"    {line}" for line in lines if line)]


def _env_value(entry: Mapping[str, Any]) -> str:
    source = _map(entry, "valueFrom")
    return f"<{_flat(source)}>" if source else _text(entry, "value")


def _container_state(title: str, state: Mapping[str, Any]) -> Lines:
    """`State: Running`, then when it began, and why and how it ended."""
    for word, found in state.items():
        told = found if isinstance(found, Mapping) else {}
        names = {
            "reason": "Reason",
            "message": "Message",
            "exitCode": "Exit Code",
            "startedAt": "Started",
            "finishedAt": "Finished",
        }
        rest = [_pair(name, _text(told, key)) for key, name in names.items()]
        return [_pair(title, _title(word)), *(f"  {line}" for line in rest if line)]
    return []


def _volumes(found: Iterable[Mapping[str, Any]]) -> Lines:
    lines: Lines = []
    for each in found:
        source = {key: value for key, value in each.items() if key != "name"}
        lines += [f"{_text(each, 'name')}:", *_indented(_fields(source))]
    return lines


def _gates(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Lines:
    gates = [_text(each, "conditionType") for each in _maps(spec, "readinessGates")]
    known = {_text(each, "type"): _text(each, "status") for each in _maps(status, "conditions")}
    return ["Readiness Gates:", *(f"  {gate}: {known.get(gate, 'not set')}" for gate in gates)] if gates else []


def _conditions(status: Mapping[str, Any]) -> Lines:
    found = _maps(status, "conditions")
    if not found:
        return []
    lines = ["Conditions:"]
    for each in found:
        why = ": ".join(part for part in (_text(each, "reason"), _text(each, "message")) if part)
        since = _text(each, "lastTransitionTime") or _text(each, "lastUpdateTime")
        lines.append(
            "  ".join(part for part in (f"  {_text(each, 'type')} {_text(each, 'status')}", since, why) if part)
        )
    return lines


def _stateful_set(found: Mapping[str, Any]) -> Lines:
    spec, status = _map(found, "spec"), _map(found, "status")
    strategy = _map(spec, "updateStrategy")
    lines = [
        *_head(found),
        _pair("Selector", _flat(_map(_map(spec, "selector"), "matchLabels"))),
        _pair("Replicas", f"{_text(spec, 'replicas')} desired | {_text(status, 'replicas') or 0} total"),
        _pair("Ready", _text(status, "readyReplicas") or "0"),
        _pair("Update Strategy", _text(strategy, "type")),
        _pair("Revision", _text(status, "updateRevision") or _text(status, "currentRevision")),
        _pair("Service", _text(spec, "serviceName")),
        "Pod Template:",
        *_indented(_template(_map(spec, "template"))),
    ]
    claims = [_map(each, "metadata") for each in _maps(spec, "volumeClaimTemplates")]
    lines += [_pair("Volume Claims", ", ".join(_text(each, "name") for each in claims) or "none"), *_conditions(status)]
    return [line for line in lines if line]


def _template(template: Mapping[str, Any]) -> Lines:
    meta, spec = _map(template, "metadata"), _map(template, "spec")
    lines = [
        *_mapped("Labels", _map(meta, "labels")),
        *_mapped("Annotations", _map(meta, "annotations")),
        "Containers:",
    ]
    for container in _maps(spec, "containers"):
        lines += _container(container, {})
    lines += ["Volumes:", *_indented(_volumes(_maps(spec, "volumes")))]
    return [line for line in lines if line]


# --- what all objects have ---


def _head(found: Mapping[str, Any]) -> Lines:
    meta = _map(found, "metadata")
    lines = [
        _pair("Name", _text(meta, "name")),
        _pair("Namespace", _text(meta, "namespace")),
        _pair("Kind", _text(found, "kind")),
        _pair("API Version", _text(found, "apiVersion")),
        _pair("Created", _text(meta, "creationTimestamp")),
        _pair("Generation", _text(meta, "generation")),
        *_mapped("Labels", _map(meta, "labels")),
        *_mapped("Annotations", _map(meta, "annotations")),
    ]
    return [line for line in lines if line]


def _controller(meta: Mapping[str, Any]) -> str:
    owner = next((each for each in _maps(meta, "ownerReferences") if each.get("controller")), {})
    return "/".join(part for part in (_text(owner, "kind"), _text(owner, "name")) if part)


def _mapped(title: str, found: Mapping[str, Any]) -> Lines:
    """One `key: value` a line, the first beside the title."""
    pairs = [f"{key}: {_scalar(value)}" for key, value in found.items()]
    if not pairs:
        return [_pair(title, "none")]
    return [_pair(title, pairs[0]), *(f"{' ' * _VALUE_AT}{pair}" for pair in pairs[1:])]


def _fields(value: Any) -> Lines:
    """Any value, field by field: titles as kubectl makes them from camel case."""
    if isinstance(value, Mapping):
        lines: Lines = []
        for key, entry in value.items():
            if isinstance(entry, Mapping | list) and entry:
                lines += [f"{_title(str(key))}:", *_indented(_fields(entry))]
            elif not isinstance(entry, Mapping | list):
                lines.append(f"{_title(str(key))}:  {_scalar(entry)}")
        return lines
    if isinstance(value, list):
        return [line for entry in value for line in _item(entry)]
    return [_scalar(value)]


def _item(entry: Any) -> Lines:
    first, *rest = _fields(entry) or [""]
    return [f"- {first}", *(f"  {line}" for line in rest)]


def _title(key: str) -> str:
    """`emqxContainer` as `Emqx Container`; what is no camel case stays as it is."""
    if not re.fullmatch(r"[a-z][A-Za-z0-9]*", key):
        return key
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", key)
    return words[0].upper() + words[1:]


def _pair(title: str, value: str) -> str:
    """Empty without a value; further lines of one stand below its first."""
    if not value:
        return ""
    first, *rest = value.splitlines()
    return "\n".join([f"{title + ':':<{_VALUE_AT}}{first}", *(" " * _VALUE_AT + each for each in rest)])


def _indented(lines: Iterable[str]) -> Lines:
    return [f"  {line}" for line in lines]


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value)
    return "" if value is None else str(value)


def _flat(found: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key}={_flat(value) if isinstance(value, Mapping) else _scalar(value)}" for key, value in found.items()
    )


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else ""


def _text(found: Mapping[str, Any], key: str) -> str:
    value = found.get(key)
    return "" if isinstance(value, Mapping | list) else _scalar(value)


def _map(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = found.get(key)
    return value if isinstance(value, Mapping) else {}


def _maps(found: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = found.get(key)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
