"""Which of EMQX's listeners become ports of the Service."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest

from emqx_tui.sandbox.operator.errors import PassError
from emqx_tui.sandbox.operator.listener import listener_ports
from emqx_tui.sandbox.operator.requester import Answer
from emqx_tui.sandbox.operator.templates import merged_ports

MQTT = {"protocol": "mqtt:tcp", "listen_on": "0.0.0.0:1883"}
TLS = {"protocol": "mqtt:ssl", "listen_on": "8883"}
WS = {"protocol": "mqtt:ws:8083", "listen_on": "0.0.0.0:8083"}
SN = {"protocol": "mqtt-sn:udp", "listen_on": "0.0.0.0:1884"}


class Asked:
    """Stands for a pass: EMQX answers with these listeners per node, or not at all."""

    def __init__(self, nodes: list[list[dict[str, Any]]] | None) -> None:
        self.nodes = nodes

    def ask(self, method: str, path: str) -> Generator[float, None, Answer]:
        if self.nodes is None:
            raise PassError("refused")
        data = [{"node": f"n{number}", "listeners": listeners} for number, listeners in enumerate(self.nodes)]
        return Answer(200, json.dumps({"code": 0, "data": data}))
        yield 0.0


def names(nodes: list[list[dict[str, Any]]] | None) -> list[str]:
    steps = listener_ports(Asked(nodes))  # type: ignore[arg-type]
    with pytest.raises(StopIteration) as ended:
        next(steps)
    return [port["name"] for port in ended.value.value]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([[MQTT, TLS]], ["mqtt-tcp-1883", "mqtt-ssl-8883"]),
        ([[MQTT, TLS], [MQTT]], ["mqtt-tcp-1883"]),
        ([[], [MQTT], [MQTT, WS]], ["mqtt-tcp-1883"]),
        ([[MQTT], [MQTT], []], []),
        ([[MQTT, WS], [WS, MQTT]], ["mqtt-ws-8083", "mqtt-tcp-1883"]),
        ([], []),
        (None, []),
    ],
    ids=[
        "one node",
        "common to two",
        "only the last two count",
        "a booting last one",
        "order of the last",
        "none",
        "down",
    ],
)
def test_ports(nodes: list[list[dict[str, Any]]] | None, expected: list[str]) -> None:
    assert names(nodes) == expected


def test_udp() -> None:
    steps = listener_ports(Asked([[SN]]))  # type: ignore[arg-type]
    with pytest.raises(StopIteration) as ended:
        next(steps)
    assert ended.value.value == [{"name": "mqtt-sn-udp-1884", "protocol": "UDP", "port": 1884, "targetPort": 1884}]


def test_a_taken_name_or_number_is_left_out() -> None:
    own = [{"name": "mqtt", "port": 1883}]
    found = [{"name": "mqtt-tcp-1883", "port": 1883}, {"name": "mqtt", "port": 1884}, {"name": "ws", "port": 8083}]
    assert [port["name"] for port in merged_ports(own, found)] == ["mqtt", "ws"]
