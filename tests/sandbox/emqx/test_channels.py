"""Clients with sockets in the simulated brokers: sessions, messages, and their share of every count."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable

import pytest

from emqx_tui.sandbox.clients.cohorts import add_clients
from emqx_tui.sandbox.emqx import api
from emqx_tui.sandbox.emqx.channels import Accepted, Channel, Closing, Connect, Delayed, SentElsewhere
from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.emqx.evacuation import Options
from emqx_tui.sandbox.emqx.mqtt_session import INFLIGHT, QUEUE, Delivery, Message
from emqx_tui.sandbox.emqx.node import EmqxNode
from emqx_tui.sandbox.timeline import Timeline

T0 = 1_700_000_000.0


class FakeSocket:
    """Keeps what it is given; nothing is acknowledged by itself."""

    def __init__(self) -> None:
        self.got: list[Delivery] = []
        self.closed: list[Closing] = []

    def deliver(self, deliveries: Iterable[Delivery]) -> None:
        self.got += deliveries

    def close(self, closing: Closing) -> None:
        self.closed.append(closing)

    @property
    def payloads(self) -> list[bytes]:
        return [each.message.payload for each in self.got]


def a_cluster(version: str = "4.4.14", *names: str) -> EmqxCluster:
    cluster = EmqxCluster(Timeline(T0), random.Random(1))
    for name in names or ("a", "b", "c"):
        cluster.add_node(name, version)
    return cluster


def connect(cluster: EmqxCluster, node: str, client_id: str, **asked: object) -> tuple[Channel, FakeSocket]:
    socket = FakeSocket()
    channel, _ = connected(cluster, node, client_id, socket, **asked)
    return channel, socket


def connected(
    cluster: EmqxCluster, node: str, client_id: str, socket: FakeSocket, **asked: object
) -> tuple[Channel, bool]:
    wanted = Connect(client_id=client_id, **{"clean_start": True, "expiry_s": 0.0, **asked})  # pyright: ignore[reportArgumentType]
    answer = cluster.channels.connect(cluster.nodes[node], wanted, socket)
    assert isinstance(answer, Accepted)
    cluster.channels.resume(answer.channel)
    return answer.channel, answer.session_present


def after(cluster: EmqxCluster, seconds: float) -> None:
    cluster.timeline.run_until(T0 + seconds)


def counts(node: EmqxNode) -> dict[str, int]:
    return {
        name: value
        for name in ("live", "retained", "virtual", "unmoved", "sockets", "subscriptions")
        if (value := getattr(node, name))
    }


KEEPING = {"clean_start": False, "expiry_s": 100.0}


def test_an_evacuation_empties_the_node_and_counts_as_a_real_one_did() -> None:
    """The nine clients of the recorded evacuation of 4.4.19: three keep their session by clean start 0."""
    cluster = a_cluster("4.4.19")
    for i in range(5):
        connect(cluster, "a", f"clean{i}")
    connect(cluster, "a", "expiry", clean_start=True, expiry_s=600.0)
    kept = [connect(cluster, "a", f"keep{i}", clean_start=False, expiry_s=7200.0) for i in range(3)]
    node = cluster.nodes["a"]
    cluster.start_evacuation(node, Options(conn_evict_rate=3, sess_evict_rate=5, wait_takeover=3))
    evacuation = node.evacuation
    assert evacuation is not None
    assert (evacuation.initial_connected, evacuation.initial_sessions) == (9, 3)
    for second, left in enumerate((6, 3, 0)):
        after(cluster, second)
        assert (evacuation.state, evacuation.current_connected, node.live) == ("evicting_conns", left + 3, left)
    after(cluster, 3)
    assert (evacuation.state, evacuation.current_connected, evacuation.current_sessions) == ("waiting_takeover", 0, 3)
    after(cluster, 6)
    assert (evacuation.state, evacuation.current_sessions, node.sessions) == ("evicting_sessions", 3, 0)
    after(cluster, 7)
    assert (evacuation.state, evacuation.current_sessions) == ("prohibiting", 0)
    assert all(socket.closed == [Closing.EVICTED] for _, socket in kept)
    assert cluster.nodes["b"].virtual + cluster.nodes["c"].virtual == 3
    assert counts(node) == {"unmoved": 1}
    assert node.sent_elsewhere == 5
    assert (cluster.truth.total.evicted, cluster.truth.total.migrated) == (9, 3)


def test_from_4_4_24_on_every_channel_is_a_session() -> None:
    cluster = a_cluster("4.4.24")
    connect(cluster, "a", "clean")
    connect(cluster, "a", "expiry", clean_start=True, expiry_s=600.0)
    node = cluster.nodes["a"]
    assert node.sessions == 2
    cluster.start_evacuation(node, Options(wait_takeover=1))
    after(cluster, 5)
    assert counts(node) == {}
    assert cluster.nodes["b"].virtual + cluster.nodes["c"].virtual == 1


def test_a_refused_client_is_sent_elsewhere_with_the_reference() -> None:
    cluster = a_cluster()
    node = cluster.nodes["a"]
    cluster.start_evacuation(node, Options(server_reference="mqtt2:1883"))
    answer = cluster.channels.connect(node, Connect(client_id="x", clean_start=True, expiry_s=0.0), FakeSocket())
    assert answer == SentElsewhere("mqtt2:1883")
    assert (node.live, node.sent_elsewhere, cluster.truth.total.refused) == (0, 1, 1)


def test_the_listener_accepts_a_thousand_in_a_second() -> None:
    cluster = a_cluster()
    for i in range(1000):
        connect(cluster, "a", str(i))
    answer = cluster.channels.connect(
        cluster.nodes["a"], Connect(client_id="late", clean_start=True, expiry_s=0.0), FakeSocket()
    )
    assert answer == Delayed(T0 + 1)
    after(cluster, 1)
    connect(cluster, "a", "late")


def test_a_session_is_taken_over_by_another_node_with_all_it_holds() -> None:
    cluster = a_cluster()
    channel, first = connect(cluster, "a", "s", **KEEPING)
    cluster.channels.subscribe(channel, {"t/#": 1})
    cluster.channels.publish(cluster.nodes["b"], Message("t/1", b"unacknowledged", 1))
    assert first.payloads == [b"unacknowledged"]
    second = FakeSocket()
    _, present = connected(cluster, "b", "s", second, **KEEPING)
    assert present
    assert first.closed == [Closing.TAKEN_OVER]
    assert second.got == [(Message("t/1", b"unacknowledged", 1), first.got[0].packet_id, True)]
    assert counts(cluster.nodes["a"]) == {}
    assert counts(cluster.nodes["b"]) == {"live": 1, "sockets": 1, "subscriptions": 1}


def test_a_clean_start_discards_the_session() -> None:
    cluster = a_cluster()
    channel, socket = connect(cluster, "a", "s", **KEEPING)
    cluster.channels.subscribe(channel, {"t": 1})
    cluster.channels.disconnected(channel, socket)
    _, present = connected(cluster, "b", "s", FakeSocket())
    assert not present
    assert len(cluster.channels.filters) == 0
    assert (counts(cluster.nodes["a"]), counts(cluster.nodes["b"])) == ({}, {"live": 1, "sockets": 1})


def test_a_session_waits_for_its_client_and_expires() -> None:
    cluster = a_cluster()
    channel, socket = connect(cluster, "a", "s", **KEEPING)
    cluster.channels.subscribe(channel, {"t": 1})
    cluster.channels.disconnected(channel, socket)
    assert counts(cluster.nodes["a"]) == {"retained": 1, "subscriptions": 1}
    after(cluster, 99)
    back = FakeSocket()
    cluster.channels.publish(cluster.nodes["c"], Message("t", b"kept", 1))
    channel, present = connected(cluster, "c", "s", back, **KEEPING)
    assert (present, back.payloads) == (True, [b"kept"])
    cluster.channels.disconnected(channel, back)
    after(cluster, 99 + 100)
    assert counts(cluster.nodes["c"]) == {}
    assert cluster.truth.total.sessions_expired == 1


def test_the_last_disconnect_may_change_the_expiry() -> None:
    cluster = a_cluster()
    channel, socket = connect(cluster, "a", "s", **KEEPING)
    cluster.channels.disconnected(channel, socket, expiry_s=0.0)
    assert counts(cluster.nodes["a"]) == {}


def test_a_connection_that_was_taken_over_ends_nothing_any_more() -> None:
    cluster = a_cluster()
    channel, first = connect(cluster, "a", "s", **KEEPING)
    connect(cluster, "b", "s", **KEEPING)
    cluster.channels.disconnected(channel, first)
    assert counts(cluster.nodes["b"]) == {"live": 1, "sockets": 1}


def test_a_forced_migration_starts_the_expiry_anew_and_the_messages_come_along() -> None:
    cluster = a_cluster()
    channel, _ = connect(cluster, "a", "s", **KEEPING)
    cluster.channels.subscribe(channel, {"t": 1})
    cluster.start_evacuation(cluster.nodes["a"], Options(wait_takeover=50, migrate_to=("c",)))
    after(cluster, 60)
    assert counts(cluster.nodes["c"]) == {"virtual": 1, "subscriptions": 1}
    cluster.channels.publish(cluster.nodes["b"], Message("t", b"meanwhile", 1))
    after(cluster, 149)
    back = FakeSocket()
    _, present = connected(cluster, "b", "s", back, **KEEPING)
    assert (present, back.payloads) == (True, [b"meanwhile"])
    assert counts(cluster.nodes["c"]) == {}


def test_a_broker_that_stops_takes_its_sessions_along() -> None:
    cluster = a_cluster()
    _, socket = connect(cluster, "a", "live", **KEEPING)
    gone, gone_socket = connect(cluster, "a", "gone", **KEEPING)
    cluster.channels.disconnected(gone, gone_socket)
    cluster.stop_node("a")
    assert socket.closed == [Closing.KILLED]
    assert counts(cluster.nodes["a"]) == {}
    assert (cluster.truth.total.killed, cluster.truth.total.sessions_lost) == (1, 2)


def test_the_window_is_kept_and_the_queue_loses_its_oldest() -> None:
    cluster = a_cluster()
    channel, socket = connect(cluster, "a", "s", receive_max=10)
    cluster.channels.subscribe(channel, {"t": 1})
    for i in range(10 + QUEUE + 5):
        cluster.channels.publish(cluster.nodes["a"], Message("t", str(i).encode(), 1))
    assert len(socket.got) == 10
    for delivery in list(socket.got):
        assert delivery.packet_id is not None
        cluster.channels.acknowledge(channel, delivery.packet_id)
    assert socket.payloads[9:12] == [b"9", b"15", b"16"]
    assert INFLIGHT == 32


def test_a_message_comes_once_with_the_best_of_the_granted_qos() -> None:
    cluster = a_cluster()
    channel, socket = connect(cluster, "a", "s")
    cluster.channels.subscribe(channel, {"t/+": 0, "t/1": 1, "#": 0})
    cluster.channels.publish(cluster.nodes["b"], Message("t/1", b"x", 1))
    cluster.channels.publish(cluster.nodes["b"], Message("t/2", b"y", 1))
    assert [(each.message.payload, each.message.qos) for each in socket.got] == [(b"x", 1), (b"y", 0)]
    assert cluster.channels.unsubscribe(channel, "#")
    assert not cluster.channels.unsubscribe(channel, "#")
    assert counts(cluster.nodes["a"])["subscriptions"] == 2


def test_a_node_alone_hands_messages_to_its_own_clients_only() -> None:
    cluster = a_cluster()
    here, there = connect(cluster, "a", "here"), connect(cluster, "b", "there")
    for channel, _ in (here, there):
        cluster.channels.subscribe(channel, {"t": 0})
    cluster.split("b")
    cluster.channels.publish(cluster.nodes["b"], Message("t", b"x", 0))
    assert (here[1].payloads, there[1].payloads) == ([], [b"x"])


def test_a_node_that_hangs_delivers_when_it_goes_on() -> None:
    cluster = a_cluster()
    channel, socket = connect(cluster, "a", "s")
    cluster.channels.subscribe(channel, {"t": 0})
    cluster.hang("a")
    cluster.channels.publish(cluster.nodes["b"], Message("t", b"x", 0))
    assert socket.got == []
    cluster.go_on("a")
    assert socket.payloads == [b"x"]


@pytest.mark.parametrize(("delay_s", "seen_at"), [(0.0, 0.0), (5.0, 5.0), (500.0, 100.0)])
def test_an_eviction_publishes_the_will_after_its_delay(delay_s: float, seen_at: float) -> None:
    cluster = a_cluster()
    watcher, seen = connect(cluster, "b", "watcher")
    cluster.channels.subscribe(watcher, {"will": 0})
    will = Message("will", b"bye", 0)
    connect(cluster, "a", "s", will=will, will_delay_s=delay_s, **KEEPING)
    cluster.evict(cluster.nodes["a"], 1)
    if seen_at:
        after(cluster, seen_at - 0.001)
        assert seen.payloads == []
        after(cluster, seen_at)
    assert seen.payloads == [b"bye"]


def test_a_client_that_is_back_in_time_has_no_will() -> None:
    cluster = a_cluster()
    watcher, seen = connect(cluster, "b", "watcher")
    cluster.channels.subscribe(watcher, {"will": 0})
    asked = {"will": Message("will", b"bye", 0), "will_delay_s": 5.0, **KEEPING}
    connect(cluster, "a", "s", **asked)
    cluster.evict(cluster.nodes["a"], 1)
    channel, socket = connect(cluster, "b", "s", **asked)
    cluster.channels.disconnected(channel, socket, with_will=False)
    after(cluster, 50)
    assert seen.payloads == []


def test_sockets_and_cohorts_leave_in_proportion_and_are_counted_together() -> None:
    cluster = a_cluster()
    clients = add_clients(cluster, "mqttx-default", 900)
    cluster.set_route(["a"])
    clients.connect_all_at_once()
    cluster.set_route(["b", "c"])
    sockets = [connect(cluster, "a", str(i))[1] for i in range(100)]
    node = cluster.nodes["a"]
    assert (node.live, node.sockets, cluster.truth.live) == (1000, 100, 1000)
    cluster.start_evacuation(node, Options(conn_evict_rate=100))
    after(cluster, 4)
    assert node.live == 500
    assert 45 <= sum(not socket.closed for socket in sockets) <= 55
    after(cluster, 20)
    assert (node.live, node.sockets, clients.live) == (0, 0, 900)
    assert cluster.truth.total.evicted == 1000
    assert all(socket.closed == [Closing.EVICTED] for socket in sockets)


def test_the_api_shows_them() -> None:
    cluster = a_cluster("4.4.19")
    channel, _ = connect(cluster, "a", "s", **KEEPING)
    cluster.channels.subscribe(channel, {"t": 1, "u": 0})
    away, socket = connect(cluster, "a", "away", clean_start=False, expiry_s=math.inf)
    cluster.channels.disconnected(away, socket)
    after(cluster, 2)
    authorization = "Basic YWRtaW46cHVibGlj"

    def asked(path: str) -> dict:
        return json.loads(api.request(cluster, "a", "GET", f"/api/v4{path}", b"", authorization).body)["data"]

    node = asked("/nodes/a")
    assert (node["connections"], node["live_connections"]) == (2, 1)
    stats = asked("/nodes/a/stats")
    assert (stats["live_connections.count"], stats["sessions.count"], stats["subscriptions.count"]) == (1, 2, 2)
    assert stats["topics.count"] == asked("/nodes/b/stats")["topics.count"] == 2
    assert asked("/nodes/a/listeners")[0]["current_conns"] == 2
