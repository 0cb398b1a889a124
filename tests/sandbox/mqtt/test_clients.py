"""Clients that nobody here wrote: paho-mqtt, mosquitto_sub and mosquitto_pub, against the sandbox's listeners."""

from __future__ import annotations

import queue
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from emqx_tui.sandbox.emqx.evacuation import Options
from tests.support.served import Served

SPEED = 10.0
WITHIN_S = 10.0
V3, V5 = MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5
MOSQUITTO = shutil.which("mosquitto_sub")
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto-clients is not installed")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served(clients=30, churn_per_s=0.0, speed=SPEED) as served:
        yield served


class Paho:
    """A paho client in its own thread; what happens to it comes in order from `next`."""

    def __init__(self, served: Served, client_id: str, version: MQTTProtocolVersion, *, expiry_s: int | None) -> None:
        is_v3 = version is V3
        self._clean = expiry_s is None
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=version,
            clean_session=self._clean if is_v3 else None,
            reconnect_on_failure=False,
        )
        self._properties = None if is_v3 else Properties(PacketTypes.CONNECT)
        if self._properties is not None and expiry_s is not None:
            self._properties.SessionExpiryInterval = expiry_s
        self._seen: queue.Queue[tuple] = queue.Queue()
        self.client.on_connect = lambda c, u, flags, code, p: self._seen.put(
            ("connect", code.value, flags.session_present)
        )
        self.client.on_disconnect = lambda c, u, flags, code, p: self._seen.put(
            ("disconnect", code.value, flags.is_disconnect_packet_from_server)
        )
        self.client.on_message = self._on_message
        self.client.on_subscribe = lambda c, u, mid, codes, p: self._seen.put(
            ("suback", [each.value for each in codes])
        )
        self._port = served.sandbox.mqtt_port

    def _on_message(self, client: Client, data: object, message: MQTTMessage) -> None:
        self._seen.put(("message", message.topic, message.payload, message.qos))

    def connect(self, host: str = "127.0.0.1", port: int | None = None) -> tuple:
        is_v3 = self._properties is None
        start = {} if is_v3 else {"clean_start": self._clean, "properties": self._properties}
        self.client.connect(host, port or self._port, 5, **start)
        self.client.loop_start()
        return self.next()

    def next(self) -> tuple:
        return self._seen.get(timeout=WITHIN_S)

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def paho(served: Served, client_id: str, version: MQTTProtocolVersion, expiry_s: int | None = None) -> Iterator[Paho]:
    made = Paho(served, client_id, version, expiry_s=expiry_s)
    try:
        yield made
    finally:
        made.stop()


def home_of(served: Served, client_id: str) -> str:
    """The node that the client is at."""
    return served.call(lambda: served.world.cluster().channels.node_of(client_id).name)


def pod_ip(served: Served, node: str) -> str:
    pods = served.list("pods")
    return next(pod["status"]["podIP"] for pod in pods if pod["metadata"]["name"] in node)


@contextmanager
def evacuated(served: Served, node: str) -> Iterator[None]:
    cluster = served.world.cluster()
    served.call(lambda: cluster.start_evacuation(cluster.nodes[node], Options(wait_takeover=1000)))
    try:
        yield
    finally:
        served.call(lambda: cluster.stop_evacuation(cluster.nodes[node]))


@pytest.mark.parametrize("version", [V3, V5], ids=["3.1.1", "5"])
def test_messages_go_from_client_to_client_on_any_node(served: Served, version: MQTTProtocolVersion) -> None:
    with paho(served, "sub", version) as sub, paho(served, "pub", V5 if version is V3 else V3) as pub:
        assert sub.connect() == ("connect", 0, False)
        assert pub.connect() == ("connect", 0, False)
        sub.client.subscribe([("a/+", 1), ("$share/g/x", 1)])
        assert sub.next() == ("suback", [1, 158 if version is V5 else 128])
        for qos in (0, 1):
            pub.client.publish("a/b", f"qos {qos}", qos=qos)
            assert sub.next() == ("message", "a/b", f"qos {qos}".encode(), qos)
        sub.client.unsubscribe("a/+")


@pytest.mark.parametrize(
    ("version", "evicted", "refused"),
    [(V5, ("disconnect", 156, True), 156), (V3, ("disconnect", 128, False), 136)],
    ids=["5: DISCONNECT 0x9C", "3.1.1: the end"],
)
def test_an_evacuation_sends_clients_elsewhere(
    served: Served, version: MQTTProtocolVersion, evicted: tuple, refused: int
) -> None:
    with paho(served, "s", version, expiry_s=600) as client, paho(served, "again", version) as again:
        client.connect()
        client.client.subscribe("t", 1)
        assert client.next()[0] == "suback"
        home = home_of(served, "s")
        with evacuated(served, home):
            assert client.next() == evicted
            assert again.connect(pod_ip(served, home), 1883)[1] == refused
            elsewhere = [node for node in served.live() if node != home]
            served.call(lambda: served.world.cluster().set_route(elsewhere))
            with paho(served, "pub", V5) as pub:
                pub.connect()
                pub.client.publish("t", "while it was away", qos=1).wait_for_publish(WITHIN_S)
            with paho(served, "s", version, expiry_s=600) as back:
                assert back.connect() == ("connect", 0, True)
                assert back.next() == ("message", "t", b"while it was away", 1)
                assert home_of(served, "s") != home


def test_the_same_client_id_takes_the_session_over(served: Served) -> None:
    with paho(served, "twice", V5, expiry_s=60) as first, paho(served, "twice", V5, expiry_s=60) as second:
        first.connect()
        assert second.connect() == ("connect", 0, True)
        assert first.next() == ("disconnect", 142, True)


def exchange(port: int, sent: bytes, host: str = "127.0.0.1") -> bytes:
    """What comes back until the end of the connection."""
    with socket.create_connection((host, port), timeout=WITHIN_S) as connection:
        connection.sendall(sent)
        received = b""
        while data := connection.recv(4096):
            received += data
        return received


@pytest.mark.parametrize(
    ("connect", "answer"),
    [
        ("100d 0004 4d515454 04 02 001e 0001 61", "20020003"),
        ("100d 0004 4d515454 04 00 001e 0001 61", "20020003"),
        ("100f 0006 4d5149736470 03 02 001e 0001 61", "20020003"),
        ("100e 0004 4d515454 05 02 001e 00 0001 61", "2003009c00"),
        ("100e 0004 4d515454 05 00 001e 00 0001 61", "2003009c00"),
    ],
)
def test_a_refusal_is_to_the_byte_that_of_a_real_broker(served: Served, connect: str, answer: str) -> None:
    """Recorded from EMQX 4.4.19 (`wire.txt`)."""
    node = next(iter(served.live()))
    with evacuated(served, node):
        assert exchange(1883, bytes.fromhex(connect), pod_ip(served, node)).hex() == answer


def test_a_connection_that_says_nothing_sensible_ends(served: Served) -> None:
    assert exchange(served.sandbox.mqtt_port, b"GET / HTTP/1.1\r\n\r\n") == b""
    assert exchange(served.sandbox.mqtt_port, bytes.fromhex("c000")) == b""


def test_a_silent_client_is_counted_out(served: Served) -> None:
    """Keep-alive is of the client's time, not of the cluster's."""
    connect = bytes.fromhex("100d 0004 4d515454 04 02 0001 0001 62")
    assert exchange(served.sandbox.mqtt_port, connect) == bytes.fromhex("20020000")
    assert served.call(lambda: served.world.cluster().channels.live) == 0


def test_an_address_where_nothing_listens_resets(served: Served) -> None:
    cluster = served.world.cluster()
    before = served.call(lambda: cluster.route)
    served.call(lambda: cluster.set_route([None]))
    try:
        with pytest.raises(ConnectionResetError):
            exchange(served.sandbox.mqtt_port, b"")
    finally:
        served.call(lambda: cluster.set_route(before))


def wait_for(served: Served, condition: Callable[[], object], what: str) -> None:
    served.wait_until(lambda: served.call(condition), what, within_s=WITHIN_S)


@needs_mosquitto
@pytest.mark.parametrize("version", ["311", "5"])
def test_mosquitto_keeps_a_session(served: Served, version: str) -> None:
    channels = served.world.cluster().channels
    at = ["-p", str(served.sandbox.mqtt_port), "-V", version, "-q", "1", "-t", f"m/{version}"]
    keep = ["mosquitto_sub", *at, "-i", f"m{version}", "-c", *(["-x", "600"] if version == "5" else [])]
    subprocess.run([*keep, "-E"], check=True, timeout=WITHIN_S)
    wait_for(served, lambda: channels.live == 0, "the subscriber is away")
    for text in ("one", "two"):
        subprocess.run(["mosquitto_pub", *at, "-m", text], check=True, timeout=WITHIN_S)
    got = subprocess.run([*keep, "-C", "2"], check=True, timeout=WITHIN_S, capture_output=True, text=True)
    assert got.stdout.split() == ["one", "two"]
