"""Node evacuation of the simulated brokers: reference traces to the second, refusals, persistence, invariants."""

import json
import random
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from emqx_tui.sandbox.clients.cohorts import add_clients
from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.emqx.evacuation import Evacuation, EvacuationRefused, Options
from emqx_tui.sandbox.emqx.evacuation_process import CALIBRATED, IDEAL
from emqx_tui.sandbox.emqx.node import EmqxNode
from emqx_tui.sandbox.timeline import Timeline
from emqx_tui.sandbox.truth import Counts

T0 = 1_700_000_000.0
OLD_RULE, NEW_RULE = "4.4.14", "4.4.24"
ORDER = ["evicting_conns", "waiting_takeover", "evicting_sessions", "prohibiting"]


def _cluster(*names: str, version: str = OLD_RULE, profile=IDEAL, seed: int = 1) -> EmqxCluster:
    cluster = EmqxCluster(Timeline(T0), random.Random(seed), profile=profile)
    for name in names:
        cluster.add_node(name, version)
    return cluster


def _of_three(clean_clients: int, version: str = OLD_RULE) -> EmqxCluster:
    """Clients on node a only; the load balancer has just dropped it for b and c."""
    cluster = _cluster("a", "b", "c", version=version)
    clients = add_clients(cluster, "mqttx-default", clean_clients)
    cluster.set_route(["a"])
    clients.connect_all_at_once()
    cluster.set_route(["b", "c"])
    return cluster


def _recipients(cluster: EmqxCluster, evacuation: Evacuation) -> list[EmqxNode]:
    return cluster.recipients(evacuation.options.migrate_to)


def _start(cluster: EmqxCluster, name: str = "a", **options) -> Evacuation:
    node = cluster.nodes[name]
    cluster.start_evacuation(node, Options(**options))
    assert node.evacuation is not None
    return node.evacuation


def _after(cluster: EmqxCluster, seconds: float) -> None:
    cluster.timeline.run_until(T0 + seconds)


def test_trace_a_clean_clients():
    cluster = _of_three(1000)
    evacuation = _start(cluster, conn_evict_rate=100, wait_takeover=5)
    for second in range(10):
        _after(cluster, second)
        assert (evacuation.state, evacuation.current_connected) == ("evicting_conns", 1000 - 100 * second)
        assert cluster.nodes["b"].live + cluster.nodes["c"].live == 100 * second
        assert (evacuation.initial_sessions, evacuation.current_sessions) == (0, 0)
    _after(cluster, 10)
    assert (evacuation.state, evacuation.current_connected) == ("waiting_takeover", 0)
    _after(cluster, 14.999)
    assert evacuation.state == "waiting_takeover"
    _after(cluster, 15)
    assert (evacuation.state, evacuation.current_sessions) == ("prohibiting", 0)
    assert evacuation.initial_connected == 1000
    assert cluster.truth.total.evicted == cluster.truth.total.reconnected == 1000


def test_trace_b_offline_sessions_are_pushed_away():
    cluster = _of_three(1000)
    assert cluster.clients is not None
    cluster.clients.park(cluster.nodes["a"], 200)
    evacuation = _start(cluster, conn_evict_rate=100, sess_evict_rate=50, wait_takeover=5)
    for second in range(15):
        _after(cluster, second)
        assert (evacuation.initial_sessions, evacuation.current_sessions) == (200, 200)
    others = [cluster.nodes["b"], cluster.nodes["c"]]
    assert [node.retained + node.virtual for node in others] == [0, 0]
    for second, shown in [(15, 200), (16, 150), (17, 100), (18, 50)]:
        _after(cluster, second)
        assert (evacuation.state, evacuation.current_sessions) == ("evicting_sessions", shown)
        assert cluster.nodes["a"].sessions == shown - 50, "the counter is the value before the tick"
    _after(cluster, 19)
    assert (evacuation.state, evacuation.current_sessions) == ("prohibiting", 0)
    assert sum(node.virtual for node in others) == 200
    assert min(node.virtual for node in others) > 60, "recipients are drawn at random, each session on its own"
    assert sum(node.channels - node.live for node in others) == 200
    assert sum(node.live for node in others) == 1000
    assert cluster.truth.total.migrated == 200


def test_trace_c_since_4_4_24_live_clients_count_as_sessions():
    cluster = _of_three(1000, version=NEW_RULE)
    evacuation = _start(cluster, conn_evict_rate=100, wait_takeover=5)
    for second in range(15):
        _after(cluster, second)
        assert (evacuation.initial_sessions, evacuation.current_sessions) == (1000, 1000)
    _after(cluster, 15)
    assert (evacuation.state, evacuation.current_sessions) == ("prohibiting", 0)
    assert cluster.truth.total.migrated == 0


def test_trace_d_without_recipients_it_asks_again_every_30_s():
    cluster = _of_three(0)
    assert cluster.clients is not None
    cluster.clients.park(cluster.nodes["a"], 10)
    evacuation = _start(cluster, wait_takeover=1)
    cluster.stop_node("b")
    cluster.stop_node("c")
    begun = 1
    _after(cluster, begun)
    assert (evacuation.state, evacuation.current_sessions, _recipients(cluster, evacuation)) == (
        "evicting_sessions",
        10,
        [],
    )
    cluster.clients.park(cluster.nodes["a"], 5)
    _after(cluster, begun + 40)
    assert evacuation.current_sessions == 10, "a tick without a recipient leaves the counter alone"
    cluster.add_node("b", OLD_RULE)
    assert [node.name for node in _recipients(cluster, evacuation)] == ["b"], "the list is live, the retry is not"
    _after(cluster, begun + 59.9)
    assert cluster.nodes["b"].virtual == 0
    _after(cluster, begun + 60)
    assert (cluster.nodes["b"].virtual, evacuation.current_sessions) == (15, 15)
    _after(cluster, begun + 61)
    assert evacuation.state == "prohibiting"


def test_calibrated_ticks_drain_a_33k_node_in_200_s():
    """The published chart of 100,000 clients on three nodes at 200/s."""
    cluster = _cluster("a", "b", profile=CALIBRATED)
    clients = add_clients(cluster, "mqttx-default", 33_300)
    cluster.set_route(["a"])
    clients.connect_all_at_once()
    cluster.set_route(["b"])
    evacuation = _start(cluster, conn_evict_rate=200)
    while evacuation.state == "evicting_conns":
        cluster.timeline.step()
    assert cluster.timeline.now - T0 == pytest.approx(200, abs=2)


def test_forced_migrations_one_after_the_other_stretch_a_calibrated_tick():
    cluster = _cluster("a", "b", profile=CALIBRATED)
    clients = add_clients(cluster, "mqttx-default", 0)
    clients.park(cluster.nodes["a"], 1000)
    evacuation = _start(cluster, wait_takeover=1, sess_evict_rate=500)
    _after(cluster, 1 + 2.9)
    assert evacuation.current_sessions == 500, "500 takeovers of 2 ms and a second's pause: 250/s"
    _after(cluster, 1 + 4.1)
    assert evacuation.state == "prohibiting"


# refusals


def test_already_started_changes_nothing():
    cluster = _of_three(1000)
    evacuation = _start(cluster, conn_evict_rate=100)
    _after(cluster, 3)
    with pytest.raises(EvacuationRefused, match="already_started"):
        _start(cluster, conn_evict_rate=1)
    assert cluster.nodes["a"].evacuation is evacuation
    assert evacuation.options.conn_evict_rate == 100


def test_a_rebalance_keeps_evacuation_out():
    cluster = _of_three(10)
    cluster.nodes["a"].rebalancing = True
    with pytest.raises(EvacuationRefused, match="eviction_agent_busy"):
        _start(cluster)
    cluster.nodes["a"].rebalancing = False
    _start(cluster)


def test_stop_without_a_start_is_refused():
    cluster = _of_three(0)
    with pytest.raises(EvacuationRefused, match="not_started"):
        cluster.stop_evacuation(cluster.nodes["a"])


def test_a_new_rate_needs_stop_and_start_and_samples_anew():
    cluster = _of_three(1000)
    _start(cluster, conn_evict_rate=100)
    _after(cluster, 2.5)
    cluster.stop_evacuation(cluster.nodes["a"])
    again = _start(cluster, conn_evict_rate=10)
    assert (again.initial_connected, again.current_connected) == (700, 700)
    _after(cluster, 4.4)
    assert cluster.nodes["a"].live == 680, "the first tick of the new one at 2.5 s, the old one ticks no more"


def test_stop_accepts_clients_in_the_same_second():
    cluster = _of_three(1000)
    cluster.set_route(["a"])
    evacuation = _start(cluster, conn_evict_rate=100)
    _after(cluster, 0.5)
    cluster.stop_evacuation(cluster.nodes["a"])
    assert not cluster.nodes["a"].refusing
    _after(cluster, 1)
    assert cluster.nodes["a"].live == 1000, "the hundred that were evicted are back where they were"
    assert evacuation.state == "evicting_conns"


def test_an_evacuating_or_rebalancing_node_is_nobodys_recipient():
    cluster = _cluster("a", "b", "c", "d")
    evacuation = _start(cluster)
    _start(cluster, "b")
    cluster.nodes["c"].rebalancing = True
    assert [node.name for node in _recipients(cluster, evacuation)] == ["d"]


def test_recipients_keep_the_order_of_the_request_and_leave_out_the_node_itself():
    cluster = _cluster("a", "b", "c")
    assert [node.name for node in _recipients(cluster, _start(cluster, migrate_to=("c", "a", "b")))] == ["c", "b"]


# persistence


def test_a_restart_with_its_volume_goes_on_refusing_and_ends_prohibiting():
    cluster = _of_three(1000)
    _start(cluster, conn_evict_rate=7, sess_evict_rate=8, wait_takeover=9, migrate_to=("b",), server_reference="x:1")
    _after(cluster, 2)
    cluster.stop_node("a")
    file = cluster.nodes["a"].persisted
    assert file == {"server_reference": "x:1", "conn_evict_rate": 7, "sess_evict_rate": 8, "wait_takeover": 9}
    node = cluster.add_node("a", OLD_RULE, persisted=json.loads(json.dumps(file)))
    again = node.evacuation
    assert again is not None
    assert (again.state, again.initial_connected) == ("evicting_conns", 0)
    assert node.refusing
    assert [r.name for r in _recipients(cluster, again)] == ["b", "c"], "migrate_to is not in the file"
    _after(cluster, 2 + 9)
    assert again.state == "prohibiting"
    cluster.stop_evacuation(node)
    assert node.persisted is None


def test_a_restart_without_its_volume_forgets():
    cluster = _of_three(10)
    _start(cluster)
    cluster.stop_node("a")
    assert not cluster.add_node("a", OLD_RULE).refusing


@pytest.mark.parametrize(
    "file", [{}, {"conn_evict_rate": "many", "sess_evict_rate": 0, "wait_takeover": True, "server_reference": 5}]
)
def test_an_unreadable_file_means_defaults(file):
    node = _cluster("b").add_node("a", OLD_RULE, persisted=file)
    assert node.evacuation is not None
    assert node.evacuation.options == Options(500, 500, 60, None, None)


def test_a_stopped_nodes_evacuation_ticks_no_more():
    cluster = _of_three(1000)
    _start(cluster, conn_evict_rate=100)
    _after(cluster, 1)
    cluster.remove_node("a")
    _after(cluster, 3)
    assert cluster.truth.total.evicted == 200
    assert cluster.timeline.next_at() is None, "its clients are back, and it waits for no takeover"


# whatever happens


class Seen(NamedTuple):
    """An evacuation at its last change of `current_connected`, and the node as it was one event ago."""

    evacuation: Evacuation
    state: str
    live: int
    connected: int
    sessions: int
    counted: Counts


class AnyHistory(RuleBasedStateMachine):
    """Starts, stops, crashes, routes and network resets in any order, at any preset; the promises hold throughout."""

    names = ("a", "b", "c", "d")

    @initialize(
        preset=st.sampled_from(
            ["mqttx-default", "mqttx-persistent", "emqtt_bench-default", "emqtt_bench-reconnect", "device"]
        ),
        version=st.sampled_from([OLD_RULE, NEW_RULE]),
        size=st.integers(0, 3000),
        parked=st.integers(0, 300),
        seed=st.integers(0, 2**16),
    )
    def begin(self, preset, version, size, parked, seed):
        self.version = version
        self.cluster = _cluster(*self.names, version=version, seed=seed)
        self.clients = add_clients(self.cluster, preset, size, churn_per_s=4)
        self.cluster.set_route(self.names)
        self.clients.connect_all_at_once()
        self.parked = parked
        self.clients.park(self.cluster.nodes["a"], parked, expiry_s=300)
        self.seen = {}

    node = st.sampled_from(names)

    @precondition(lambda self: self.cluster.running_nodes())
    @rule(name=node, rate=st.integers(1, 900), sessions=st.integers(1, 200), wait=st.integers(1, 20))
    def start(self, name, rate, sessions, wait):
        node = self.cluster.nodes[name]
        if node.running and node.evacuation is None:
            _start(self.cluster, name, conn_evict_rate=rate, sess_evict_rate=sessions, wait_takeover=wait)

    @rule(name=node)
    def stop(self, name):
        node = self.cluster.nodes[name]
        if node.evacuation is not None:
            self.cluster.stop_evacuation(node)
            assert not node.refusing

    @rule(name=node, with_volume=st.booleans())
    def crash_or_boot(self, name, with_volume):
        node = self.cluster.nodes[name]
        if node.running:
            self.cluster.stop_node(name)
            assert node.channels == 0
            return
        booted = self.cluster.add_node(name, self.version, persisted=node.persisted if with_volume else None)
        assert booted.refusing == (with_volume and node.persisted is not None)

    @rule(addresses=st.lists(st.one_of(node, st.none()), max_size=5))
    def route(self, addresses):
        self.cluster.set_route(addresses)

    @rule(name=node, over_s=st.floats(0, 10))
    def reset(self, name, over_s):
        self.cluster.reset_connections(name, over_s)

    @rule(seconds=st.floats(0, 90))
    def pass_time(self, seconds):
        until = self.cluster.timeline.now + seconds
        while (upcoming := self.cluster.timeline.next_at()) is not None and upcoming <= until:
            self.cluster.timeline.step()
            self.promises()
        self.cluster.timeline.run_until(until)

    @invariant()
    def promises(self):
        nodes = self.cluster.nodes.values()
        self._clients_are_conserved(nodes)
        for node in nodes:
            self._evacuation_moves_on(node)

    def _clients_are_conserved(self, nodes):
        clients, truth = self.clients, self.cluster.truth
        assert clients.size == clients.live + clients.waiting + clients.dead
        assert clients.live == sum(node.live for node in nodes)
        assert min(clients.live, clients.waiting, clients.dead) >= 0
        assert all(min(node.live, node.retained, node.virtual) >= 0 for node in nodes)
        assert sum(node.channels for node in nodes) <= clients.size + self.parked, "a client has one channel at most"
        assert all(node.channels == 0 for node in nodes if not node.running)
        assert truth.lowest_live <= truth.live == clients.live
        assert (truth.offline, truth.total.lost) == (clients.waiting, clients.dead)
        gone = truth.total.disconnects + truth.total.natural
        assert gone == truth.total.reconnected + clients.waiting + clients.dead

    def _evacuation_moves_on(self, node):
        now = node.evacuation
        if now is None:
            self.seen.pop(node.name, None)
            return
        counted = self.cluster.truth.per_node.get(node.name, Counts())
        seen = Seen(now, now.state, node.live, now.current_connected, now.current_sessions, counted.copy())
        before = self.seen.get(node.name)
        self.seen[node.name] = seen
        if ORDER.index(now.state) < ORDER.index("evicting_sessions"):
            assert now.current_sessions == now.initial_sessions
        if now.state != "evicting_conns":
            assert now.current_connected == 0
        if before is not None and before.evacuation is now:
            assert ORDER.index(now.state) >= ORDER.index(before.state)
            assert node.live <= before.live, "no client comes in"
            if now.current_connected == before.connected:
                self.seen[node.name] = seen._replace(counted=before.counted)
            gone = counted.minus(before.counted)
            left = now.options.conn_evict_rate + gone.natural + gone.reset
            assert 0 <= before.connected - now.current_connected <= left
            if now.current_sessions != before.sessions:
                assert now.state in ("evicting_sessions", "prohibiting")


AnyHistory.TestCase.settings = settings(max_examples=100, stateful_step_count=25)
TestAnyHistory = AnyHistory.TestCase
