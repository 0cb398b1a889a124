"""The simulated management API against answers of real nodes: the same probes, one after the other, the same answers.

Left out: what the simulator does not have (alarms, rebalances on request, HEAD), and `global_status`, which the
recorded ancestor keyed by node where the shipped one has lists.
"""

from __future__ import annotations

import ast
import base64
import json
import random
import re
from pathlib import Path
from typing import Any, NamedTuple

from emqx_tui.sandbox.emqx.api import request
from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.timeline import Timeline

RECORDED = Path(__file__).parents[2] / "wire" / "data" / "recorded" / "answers.txt"
NODES = tuple(f"emqx{n}@127.0.0.1" for n in (1, 2, 3))
BASIC = {"no auth": None, "bad auth": "Basic " + base64.b64encode(b"admin:wrong").decode()}
ADMIN = "Basic " + base64.b64encode(b"admin:public").decode()
LINE = re.compile(
    r"(?P<label>.*?) \| (?P<method>[A-Z]+) (?P<path>\S+) \| (?P<params>.*) => (?P<status>\d+) (?P<rest>.*)"
)
NOT_SIMULATED = re.compile(
    r"HEAD |/alarms|/load_rebalance/\S+?/(start|stop) \|.*nothing|rebalance (start|stop)|global_status"
)


class Probe(NamedTuple):
    label: str
    method: str
    path: str
    body: bytes
    status: int
    content_type: str
    answer: str


def probes() -> list[Probe]:
    """Every recorded line that the simulator can be asked."""
    found = [LINE.fullmatch(line) for line in RECORDED.read_text().splitlines() if not NOT_SIMULATED.search(line)]
    return [_probe(line) for line in found if line is not None]


def _probe(line: re.Match[str]) -> Probe:
    content_type, _, answer = line["rest"].partition(" | ")
    path = line["path"][1:] if line["path"].startswith("!") else "/api/v4" + line["path"]
    params = json.loads(line["params"])
    body = b"" if params is None else json.dumps(params).encode()
    if isinstance(params, str):
        body = ast.literal_eval(params)
    return Probe(line["label"], line["method"], path, body, int(line["status"]), content_type.strip(" |"), answer)


def shape(value: Any) -> Any:
    """What has to be the same: evacuation answers but for the order of recipients; of nodes the names and keys."""
    match value:
        case {"data": list(data), "code": code}:
            return code, sorted(str(shape(each)) for each in data)
        case {"data": dict(data), "code": code}:
            return code, sorted(data)
        case {"node": node, **rest}:
            return node, sorted(rest)
        case {"session_recipients": list(recipients), **rest}:
            return {**rest, "session_recipients": sorted(recipients)}
    return sorted(value) if isinstance(value, dict) and "protocol" in value else value


def test_the_simulator_answers_as_real_nodes_did() -> None:
    cluster = EmqxCluster(Timeline(1000.0), random.Random(1))
    for name in NODES:
        cluster.add_node(name, "4.4.19")
    asked = probes()
    assert len(asked) > 140
    wrong: list[str] = []
    for probe in asked:
        authorization = BASIC.get(probe.label.removesuffix(" start").removesuffix(" stop"), ADMIN)
        reply = request(cluster, NODES[0], probe.method, probe.path, probe.body, authorization)
        told = reply.body.decode()
        if (reply.status, reply.content_type if probe.content_type else "") != (probe.status, probe.content_type):
            wrong.append(f"{probe.label} {probe.path}: {reply.status} {reply.content_type}, not {probe.status}")
        elif probe.content_type == "application/json" and _is_whole(probe.answer):
            if shape(json.loads(told)) != shape(json.loads(probe.answer)):
                wrong.append(f"{probe.label}: {told}, not {probe.answer}")
        elif probe.content_type == "text/plain" and not told.startswith(probe.answer):
            wrong.append(f"{probe.label}: {told!r}, not {probe.answer!r}")
    assert not wrong, "\n".join(wrong)


def _is_whole(answer: str) -> bool:
    try:
        json.loads(answer)
    except ValueError:
        return False
    return True
