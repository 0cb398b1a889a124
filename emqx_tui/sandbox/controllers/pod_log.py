"""What a container has written, as `kubectl logs` reads it: a broker's first lines, then what happened to it.

Pure. The first lines are made from the pod's status, the others are the broker's own. A container that has never run
has no log, and the kubelet says why. Every line has an instant of its own, so that a reader who comes back can go on
behind the last one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from emqx_tui.sandbox.kube.api_error import bad_request
from emqx_tui.sandbox.kube.objects import Object, condition, is_condition_true
from emqx_tui.sandbox.kube.timestamps import parse_rfc3339, rfc3339

_APART_S = 1e-6
"""Seconds between two lines of one instant: a float of today's seconds holds no less."""


class LogLine(NamedTuple):
    """One line, and when it was written (seconds since the epoch)."""

    at: float
    text: str


def container_log(
    pod: Object, container: str = "", *, previous: bool = False, broker: Iterable[LogLine] = ()
) -> list[LogLine]:
    """The log of one container, the first one by default; `broker` is what the broker in it wrote.

    ApiError 400 where there is none.
    """
    names = [each["name"] for each in pod["spec"]["containers"]]
    wanted, name = container or names[0], pod["metadata"]["name"]
    if wanted not in names:
        raise bad_request(f"container {wanted} is not valid for pod {name}")
    statuses = pod["status"].get("containerStatuses") or ()
    status = next((each for each in statuses if each["name"] == wanted), None)
    if previous:
        ended = ((status or {}).get("lastState") or {}).get("terminated")
        if ended is None:
            raise bad_request(f'previous terminated container "{wanted}" in pod "{name}" not found')
        return _in_order(_boot(pod, _instant(ended["startedAt"])), broker)
    state = status["state"] if status else {"waiting": {"reason": "ContainerCreating"}}
    if reason := state.get("waiting", {}).get("reason"):
        why = {
            "ContainerCreating": "ContainerCreating",
            "ImagePullBackOff": "trying and failing to pull image",
            "ErrImagePull": "image can't be pulled",
        }
        raise bad_request(f'container "{wanted}" in pod "{name}" is waiting to start: {why.get(reason, reason)}')
    began_at = _instant(state.get("running", {}).get("startedAt", ""))
    boot = _boot(pod, began_at)
    if not is_condition_true(pod, "ContainersReady"):
        boot = boot[:1]
    return _in_order(boot, broker)


def _boot(pod: Object, began_at: float) -> list[LogLine]:
    ready = condition(pod, "ContainersReady") or {}
    serves_at = max(began_at, _instant(ready.get("lastTransitionTime") or ""))
    return [
        LogLine(began_at, f"[info] Starting emqx on node emqx-ee@{pod['metadata']['name']}"),
        LogLine(serves_at, "[info] Start mqtt:tcp:external listener on 0.0.0.0:1883 successfully."),
        LogLine(serves_at, "[info] Start http:management listener on 8081 successfully."),
        LogLine(serves_at, "[info] EMQX Enterprise is running now!"),
    ]


def _in_order(boot: list[LogLine], broker: Iterable[LogLine]) -> list[LogLine]:
    lines: list[LogLine] = []
    for line in (*boot, *broker):
        at = max(line.at, lines[-1].at + _APART_S) if lines else line.at
        lines.append(LogLine(at, f"{rfc3339(line.at)} {line.text}"))
    return lines


def selected(lines: list[LogLine], query: Mapping[str, str], now: float) -> list[str]:
    """The lines that a request asks for: `sinceSeconds`, `sinceTime`, `tailLines`, `timestamps`. ApiError 400."""
    if query.get("sinceSeconds") and query.get("sinceTime"):
        raise bad_request("at most one of sinceTime or sinceSeconds may be specified")
    since = now - _number(query, "sinceSeconds", now)
    if told := query.get("sinceTime"):
        since = _instant(told)
    kept = [line for line in lines if line.at >= since - _APART_S / 2]
    tail = _number(query, "tailLines", len(kept))
    kept = kept[len(kept) - min(tail, len(kept)) :]
    with_stamp = query.get("timestamps") in ("true", "1")
    return [f"{stamp(line.at)} {line.text}\n" if with_stamp else f"{line.text}\n" for line in kept]


def limited(lines: list[str], query: Mapping[str, str]) -> bytes:
    """As one body, cut at `limitBytes`."""
    body = "".join(lines).encode()
    return body[: _number(query, "limitBytes", len(body))]


def stamp(at: float) -> str:
    """An instant as the kubelet writes it: always nine digits of a second."""
    micros = round(at * 1e6)
    return f"{rfc3339(micros // 1_000_000).removesuffix('Z')}.{micros % 1_000_000:06}000Z"


def _instant(text: str) -> float:
    """What an RFC 3339 text means; long ago without one."""
    try:
        return parse_rfc3339(text) if text else 0.0
    except ValueError:
        raise bad_request(f'parsing time "{text}" as RFC 3339') from None


def _number(query: Mapping[str, str], name: str, otherwise: float) -> int:
    text = query.get(name, "")
    if not text:
        return int(otherwise)
    if not text.isdecimal():
        raise bad_request(f'{name}: Invalid value: "{text}": must be an integer that is not negative')
    return int(text)
