"""Two recordings of one session become a list of differences, each a line that stays the same from run to run.

Owns what is compared: objects at rest, what people are shown, answers and refusals, the changes of every object in
their order, Events, and how long each step took.
"""

from __future__ import annotations

import difflib
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from emqx_tui.sandbox.kube.objects import is_ready, is_terminating
from tests.cluster.compare.known import Known
from tests.cluster.compare.normal import Names
from tests.cluster.compare.recording import Change, Recording

Object = dict[str, Any]
BED, SANDBOX = "bed", "sandbox"
TOLERANCE_S = 25.0
"""A pass of the operator (20 s) and the delay of the manifest (5 s): what one pass more or less costs"""
_MOMENT_S = 10.0
_UNNUMBERED = re.compile(r"\[\d*\]")
_ONCE = ("successful", "success")
"""Events that stand for one deed each; others are repeated as long as a state lasts"""


def differences(bed: Recording, sandbox: Recording) -> list[str]:
    """All of them, sorted; none twice."""
    found = [
        *_answers(bed, sandbox),
        *_histories(bed, sandbox),
        *_order_and_times(bed, sandbox),
        *_events(bed, sandbox),
    ]
    return sorted(set(found))


def explained(found: list[str], known: Sequence[Known]) -> tuple[list[str], list[str]]:
    """Differences that no reason covers, and patterns of reasons that cover nothing although they always should."""
    used = {each.pattern for each in known for line in found if re.search(each.pattern, line)}
    unexplained = [line for line in found if not any(re.search(each.pattern, line) for each in known)]
    return unexplained, [each.pattern for each in known if each.always and each.pattern not in used]


# -- values


def diff(path: str, bed: Any, sandbox: Any) -> Iterator[str]:
    """Where two values differ."""
    if bed == sandbox:
        return
    if isinstance(bed, dict) and isinstance(sandbox, dict):
        for key in sorted({*bed, *sandbox}):
            here = f"{path}.{key}"
            if key not in sandbox:
                yield f"{here}: only {BED}: {_short(bed[key])}"
            elif key not in bed:
                yield f"{here}: only {SANDBOX}: {_short(sandbox[key])}"
            else:
                yield from diff(here, bed[key], sandbox[key])
        return
    if isinstance(bed, list) and isinstance(sandbox, list):
        yield from _diff_lists(path, bed, sandbox)
        return
    yield f"{path}: {BED} {_short(bed)}, {SANDBOX} {_short(sandbox)}"


def _diff_lists(path: str, bed: list[Any], sandbox: list[Any]) -> Iterator[str]:
    ours, theirs = _keyed(bed), _keyed(sandbox)
    if ours is not None and theirs is not None:
        yield from diff(path, ours, theirs)
        if ours == theirs:
            yield f"{path}: {BED} in the order {list(ours)}, {SANDBOX} {list(theirs)}"
        return
    if all(isinstance(each, str) for each in (*bed, *sandbox)):
        for line in difflib.ndiff(bed, sandbox):
            if line[0] in "-+":
                yield f"{path}[]: only {BED if line[0] == '-' else SANDBOX}: {line[2:]}"
        return
    for index, (one, other) in enumerate(zip(bed, sandbox, strict=False)):
        yield from diff(f"{path}[{index}]", one, other)
    for extra in bed[len(sandbox) :]:
        yield f"{path}[]: only {BED}: {_short(extra)}"
    for extra in sandbox[len(bed) :]:
        yield f"{path}[]: only {SANDBOX}: {_short(extra)}"


def _keyed(items: list[Any]) -> dict[str, Any] | None:
    """Items by what names them; None when nothing does."""
    keyed: dict[str, Any] = {}
    for item in items:
        if not isinstance(item, dict):
            return None
        if "manager" in item:
            key = "/".join(str(item.get(part, "")) for part in ("manager", "operation", "subresource"))
        else:
            key = next((str(item[part]) for part in ("name", "type", "conditionType", "node") if part in item), "")
        if not key or key in keyed:
            return None
        keyed[key] = item
    return keyed


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) < 300 else text[:297] + "..."


# -- answers


def _answers(bed: Recording, sandbox: Recording) -> Iterator[str]:
    ours, theirs = Names(bed), Names(sandbox)
    for what in {**bed.answers, **sandbox.answers}:
        one, other = bed.answers.get(what), sandbox.answers.get(what)
        if what.startswith("list "):
            yield from _diff_objects(what, ours.value(one), theirs.value(other))
        elif what.startswith("ask "):
            yield from diff(what, _told(bed, ours, one), _told(sandbox, theirs, other))
        elif isinstance(one, str) and isinstance(other, str):
            yield from _diff_lines(what, ours.printed(one), theirs.printed(other))
        else:
            yield from diff(what, ours.value(one), theirs.value(other))


def _told(recording: Recording, names: Names, answer: Object | None) -> Object | None:
    """An answer; of a changed object only what is not as it was read before, since that is compared already."""
    if answer is None:
        return None
    told = names.value(answer)
    body = told.get("body")
    if not isinstance(body, dict) or answer["code"] >= 300:
        return told
    listed = recording.answers.get(f"list {body.get('kind', '').lower()}s", {}).get("items", ())
    before = next((each for each in listed if each["metadata"]["name"] == answer["body"]["metadata"]["name"]), None)
    if before is None:
        return told
    was = {"apiVersion": body["apiVersion"], "kind": body["kind"], **names.value(before)}
    return {**told, "body": sorted(set(diff("", was, body)))}


def _diff_objects(what: str, bed: Object, sandbox: Object) -> Iterator[str]:
    if what == "list events":
        return
    yield from diff(
        what,
        {key: value for key, value in bed.items() if key != "items"},
        {key: value for key, value in sandbox.items() if key != "items"},
    )
    one, other = ({each["metadata"]["name"]: each for each in side["items"]} for side in (bed, sandbox))
    yield from diff(what.removeprefix("list "), one, other)


def _diff_lines(what: str, bed: list[str], sandbox: list[str]) -> Iterator[str]:
    for line in sorted(set(bed) ^ set(sandbox)):
        yield f"{what}: only {BED if line in bed else SANDBOX}: {line}"


# -- histories


def steps_of(recording: Recording) -> list[tuple[str, float, float]]:
    """Name, begin, end."""
    marks = list(recording.marks.items())
    return [(name, begin, end) for (name, begin), (_, end) in itertools.pairwise(marks)]


def _in_steps(recording: Recording) -> Iterator[tuple[str, float, Change]]:
    """Every change with the step it fell in, and the seconds since that began."""
    steps = steps_of(recording)
    for change in recording.changes:
        for name, begin, end in steps:
            if begin <= change.at < end:
                yield name, change.at - begin, change


def _histories(bed: Recording, sandbox: Recording) -> Iterator[str]:
    ours, theirs = histories(bed), histories(sandbox)
    for key in sorted({*ours, *theirs}):
        for what in sorted(ours.get(key, set()) - theirs.get(key, set())):
            yield f"{key}: only {BED}: {what}"
        for what in sorted(theirs.get(key, set()) - ours.get(key, set())):
            yield f"{key}: only {SANDBOX}: {what}"


def histories(recording: Recording) -> dict[str, set[str]]:
    """By step and object: whether it was made or removed, and each field that changed; how often is left to time."""
    names = Names(recording)
    last: dict[str, Object] = {}
    told: dict[str, set[str]] = {}
    for step, _, change in _in_steps(recording):
        if change.plural == "events":
            continue
        now = names.value(change.object)
        key = f"{change.plural}/{now['metadata']['name']}"
        before = last.get(key)
        last[key] = now
        if change.type == "DELETED":
            del last[key]
        happened = told.setdefault(f"{step}: {key}", set())
        if change.type != "MODIFIED" or before is None:
            happened.add(change.type.lower())
        else:
            happened |= {_UNNUMBERED.sub("[]", line.partition(": ")[0]) for line in diff("", before, now)}
    return told


# -- order and times


def milestones(recording: Recording) -> dict[str, list[tuple[float, object]]]:
    """By step and thing: what it became, and after how many seconds. What changes within a moment counts as one."""
    names = Names(recording)
    pods: dict[str, dict[str, tuple[bool, bool]]] = {}
    told: dict[str, list[tuple[float, object]]] = {}
    known: dict[str, object] = {}

    def note(step: str, at: float, thing: str, value: object) -> None:
        if known.get(thing, 0) == value:
            return
        known[thing] = value
        listed = told.setdefault(f"{step}: {thing}", [])
        if listed and at - listed[-1][0] < _MOMENT_S:
            listed[-1] = (listed[-1][0], value)
        else:
            listed.append((at, value))

    for step, at, change in _in_steps(recording):
        obj, name = change.object, names.text(change.object["metadata"]["name"])
        gone = change.type == "DELETED"
        if change.plural == "pods":
            group = name.rpartition("-")[0]
            here = pods.setdefault(group, {})
            here[name] = (True, is_ready(obj) and not is_terminating(obj))
            if gone:
                del here[name]
            note(step, at, f"pods of {group}", len(here))
            note(step, at, f"ready pods of {group}", sum(ready for _, ready in here.values()))
        elif change.plural == "statefulsets":
            note(step, at, f"replicas of {name}", None if gone else obj["spec"]["replicas"])
        elif change.plural == "endpoints":
            listed = [each for subset in obj.get("subsets") or () for each in subset.get("addresses") or ()]
            note(step, at, f"addresses of {name}", None if gone else len(listed))
        elif change.plural == "emqxenterprises" and not gone:
            conditions = (obj.get("status") or {}).get("conditions") or [{}]
            note(step, at, f"phase of {name}", conditions[0].get("type"))
    return told


def _order_and_times(bed: Recording, sandbox: Recording) -> Iterator[str]:
    ours, theirs = milestones(bed), milestones(sandbox)
    for key in sorted({*ours, *theirs}):
        one, other = ours.get(key, []), theirs.get(key, [])
        values = [[value for _, value in side] for side in (one, other)]
        if values[0] != values[1]:
            yield f"order: {key}: {BED} {values[0]}, {SANDBOX} {values[1]}"
            continue
        late = max((abs(at - then) for (at, _), (then, _) in zip(one, other, strict=True)), default=0.0)
        if late > TOLERANCE_S:
            yield f"times: {key}: more than {TOLERANCE_S:g} s apart"


# -- Events


def _events(bed: Recording, sandbox: Recording) -> Iterator[str]:
    ours, theirs = events(bed), events(sandbox)
    for line in sorted({*ours, *theirs}):
        one, other = ours.get(line, 0), theirs.get(line, 0)
        if not one or not other:
            yield f"event: {line}: only {BED if one else SANDBOX}"
        elif line.endswith(_ONCE) and one != other:
            yield f"event: {line}: {BED} x{one}, {SANDBOX} x{other}"


def events(recording: Recording) -> dict[str, int]:
    """How often each was told, by its object, reason and message; what was merged counts under the merged message."""
    names = Names(recording)
    ended: dict[str, Object] = {}
    for change in recording.changes:
        if change.plural == "events" and change.type != "DELETED":
            ended[change.object["metadata"]["name"]] = names.value(change.object)
    told: dict[str, int] = {}
    for event in ended.values():
        involved = event["involvedObject"]
        line = f"{involved.get('kind')}/{involved.get('name')} {event['type']} {event['reason']}: {event['message']}"
        told[line] = told.get(line, 0) + (event.get("count") or 1)
    return told
