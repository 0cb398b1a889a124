"""Client cohorts of the simulated world: presets, where clients go, and that none appears or vanishes."""

import math
import random
from dataclasses import replace

import pytest

from emqx_tui.sandbox.clients.cohorts import PRESETS, Population, add_clients
from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.emqx.evacuation import Options
from emqx_tui.sandbox.timeline import Timeline

T0 = 1_700_000_000.0


def _cluster(preset="mqttx-default", size=0, *, live_on=("a",), churn_per_s=0.0, seed=1) -> EmqxCluster:
    """Four brokers, clients live on `live_on`, which are the load balancer's addresses."""
    cluster = EmqxCluster(Timeline(T0), random.Random(seed))
    for name in ("a", "b", "c", "d"):
        cluster.add_node(name, "4.4.14")
    clients = add_clients(cluster, preset, size, churn_per_s=churn_per_s)
    cluster.set_route(live_on)
    clients.connect_all_at_once()
    return cluster


def _clients(cluster: EmqxCluster) -> Population:
    assert cluster.clients is not None
    return cluster.clients


def _after(cluster: EmqxCluster, seconds: float) -> None:
    cluster.timeline.run_until(T0 + seconds)


def _cut(cluster: EmqxCluster, count: int, name: str = "a") -> None:
    _clients(cluster).disconnect(cluster.nodes[name], count, "reset")


# preset: seconds after which the first and the last of many clients are back
RETURNS = {
    "mqttx-default": (1, 1),
    "mqttx-persistent": (1, 1),
    "emqtt_bench-default": None,
    "emqtt_bench-reconnect": (5, 5),
    "device": (0.5, 1),
}


def test_the_table_of_presets_is_complete():
    assert set(RETURNS) == set(PRESETS)


@pytest.mark.parametrize(("preset", "returns_s"), RETURNS.items())
def test_when_clients_are_back(preset, returns_s):
    cluster = _cluster(preset, 500)
    cluster.set_route(["b"])
    _cut(cluster, 500)
    clients = _clients(cluster)
    if returns_s is None:
        assert (clients.dead, clients.waiting) == (500, 0)
        return
    first, last = returns_s
    _after(cluster, first - 0.01)
    assert (clients.live, clients.waiting) == (0, 500)
    _after(cluster, last)
    assert cluster.nodes["b"].live == 500


@pytest.mark.parametrize(
    ("preset", "survives_refusal", "survives_tcp_refusal"),
    [
        ("mqttx-default", False, False),
        ("mqttx-persistent", False, False),
        ("emqtt_bench-reconnect", True, True),
        ("device", True, True),
    ],
)
def test_who_survives_what(preset, survives_refusal, survives_tcp_refusal):
    refused = _cluster(preset, 100)
    refused.start_evacuation(refused.nodes["a"], Options())
    _after(refused, 300)
    assert refused.truth.total.lost == (0 if survives_refusal else 100)
    assert refused.truth.total.refused >= 100
    assert refused.truth.per_node["a"].refused == refused.truth.total.refused

    for nothing_there in ([None], [], ["b"]):
        cluster = _cluster(preset, 100)
        cluster.stop_node("b")
        cluster.set_route(nothing_there)
        _cut(cluster, 100)
        _after(cluster, 20)
        assert _clients(cluster).dead == (0 if survives_tcp_refusal else 100)
        assert cluster.truth.total.tcp_refused >= 100


def test_transport_failures_use_up_the_attempts_and_a_refusal_renews_them():
    cluster = _cluster("emqtt_bench-reconnect", 50)
    cluster.set_route([None])
    _cut(cluster, 50)
    _after(cluster, 47)
    cluster.nodes["a"].rebalancing = True
    cluster.set_route(["a"])
    _after(cluster, 52)
    assert cluster.truth.total.refused == 50, "the tenth attempt finds a broker that answers"
    cluster.set_route([None])
    _after(cluster, 99.9)
    assert _clients(cluster).dead == 0
    _after(cluster, 100)
    assert _clients(cluster).dead == 50
    assert cluster.truth.total.tcp_refused == 9 * 50 + 10 * 50


def test_devices_wait_ever_longer_up_to_a_minute():
    device = PRESETS["device"]
    assert [device.delay_range_s(n) for n in (0, 1, 2, 5, 6, 500)] == [
        (0.5, 1),
        (1, 2),
        (2, 4),
        (16, 32),
        (30, 60),
        (30, 60),
    ]
    cluster = _cluster("device", 3000)
    cluster.set_route([None])
    _cut(cluster, 3000)
    _after(cluster, 600)
    cluster.set_route(["b"])
    back_per_s = []
    for second in range(601, 661):
        before = cluster.nodes["b"].live
        _after(cluster, second)
        back_per_s.append(cluster.nodes["b"].live - before)
    assert sum(back_per_s) == 3000
    assert max(back_per_s) < 3000 / 15, "jitter has spread what was cut in one instant"


def test_clients_are_thrown_evenly_at_the_addresses_however_many_are_dead():
    cluster = _cluster("device", 30_000, live_on=("a",))
    cluster.nodes["b"].accept_limit_per_s = cluster.nodes["c"].accept_limit_per_s = 10**9
    cluster.set_route(["b", "c", None])
    _cut(cluster, 30_000)
    _after(cluster, 1)
    deviation = math.sqrt(30_000 * (1 / 3) * (2 / 3))
    landed = [cluster.nodes["b"].live, cluster.nodes["c"].live, cluster.truth.total.tcp_refused]
    assert all(abs(n - 10_000) < 4 * deviation for n in landed)
    assert landed[0] != landed[1]


def test_an_address_listed_twice_gets_twice_as_many():
    cluster = _cluster("mqttx-default", 900)
    cluster.set_route(["b", "c", "b"])
    _cut(cluster, 900)
    _after(cluster, 1)
    assert cluster.nodes["b"].live == pytest.approx(600, abs=60)


def test_the_accept_limit_delays_without_costing_an_attempt():
    cluster = _cluster(replace(PRESETS["mqttx-default"], max_attempts=1), 4500)
    cluster.set_route(["b", "c"])
    _cut(cluster, 4500)
    for second, landed in [(1, 2000), (2, 4000), (3, 4500)]:
        _after(cluster, second)
        assert cluster.nodes["b"].live + cluster.nodes["c"].live == landed
        assert max(cluster.nodes["b"].live, cluster.nodes["c"].live) <= 1000 * second
    assert _clients(cluster).dead == 0
    assert cluster.truth.total.delayed == 2500 + 500


def test_the_listener_counts_by_whole_seconds():
    cluster = _cluster("mqttx-default", 1500)
    cluster.set_route(["b"])
    _after(cluster, 0.75)
    _cut(cluster, 1500)
    for instant, landed in [(1.75, 1000), (1.99, 1000), (2, 1500)]:
        _after(cluster, instant)
        assert cluster.nodes["b"].live == landed


def test_refused_connections_use_up_the_listeners_second_too():
    cluster = _cluster("mqttx-default", 1500)
    cluster.nodes["b"].rebalancing = True
    cluster.set_route(["b"])
    _cut(cluster, 1500)
    _after(cluster, 1)
    assert (cluster.truth.total.refused, _clients(cluster).waiting) == (1000, 500)


def test_connecting_at_once_spreads_evenly_over_the_routed_brokers():
    cluster = _cluster("mqttx-default", 100_000, live_on=("a", "b", "c", None, "b"))
    assert [node.live for node in cluster.nodes.values()] == [33_334, 33_333, 33_333, 0]
    assert cluster.truth.live == cluster.truth.lowest_live == 100_000


def test_connecting_without_a_broker_is_an_error():
    cluster = EmqxCluster(Timeline(T0), random.Random(1))
    with pytest.raises(ValueError, match="no broker"):
        add_clients(cluster, "device", 5).connect_all_at_once()


def test_natural_churn_keeps_its_rate_and_comes_back_through_the_route():
    cluster = _cluster("mqttx-default", 40_000, live_on=("a", "b"), churn_per_s=5)
    cluster.set_route(["c", "d"])
    _after(cluster, 1000)
    natural = cluster.truth.total.natural
    assert natural == pytest.approx(5000, abs=5 * math.sqrt(5000))
    arrived = cluster.nodes["c"].live + cluster.nodes["d"].live
    assert 0 < arrived <= natural
    assert cluster.nodes["a"].live == pytest.approx(cluster.nodes["b"].live, abs=250)
    assert cluster.truth.total.disconnects == 0, "nobody caused these"


def test_the_fewer_are_live_the_fewer_leave():
    cluster = _cluster("emqtt_bench-default", 40_000, churn_per_s=20)
    _cut(cluster, 30_000)
    _after(cluster, 100)
    assert cluster.truth.total.natural == pytest.approx(500, abs=5 * math.sqrt(500))


def test_without_churn_and_events_nothing_is_scheduled():
    assert _cluster("device", 1_000_000, live_on=("a", "b", "c")).timeline.next_at() is None


def test_a_broker_that_goes_down_kills_its_clients_and_their_sessions():
    cluster = _cluster("mqttx-persistent", 2000, live_on=("a", "b"))
    cluster.set_route(["b"])
    _cut(cluster, 300)
    cluster.stop_node("a")
    truth = cluster.truth
    assert (truth.total.killed, truth.per_node["a"].killed, truth.total.sessions_lost) == (700, 700, 1000)
    assert (truth.live, truth.offline, truth.lowest_live) == (1000, 1000, 1000)
    assert cluster.nodes["a"].channels == 0
    _after(cluster, 2)
    assert (cluster.nodes["b"].live, cluster.nodes["b"].channels) == (2000, 2000)


def test_a_session_waits_where_the_client_was_and_is_taken_over():
    cluster = _cluster("mqttx-persistent", 100)
    cluster.set_route(["b"])
    _cut(cluster, 60)
    a, b = cluster.nodes["a"], cluster.nodes["b"]
    assert (a.live, a.retained, a.channels, a.sessions) == (40, 60, 100, 100)
    _after(cluster, 1)
    assert (a.live, a.retained, b.live, b.channels) == (40, 0, 60, 60)


def test_a_clean_client_leaves_nothing_behind():
    cluster = _cluster("mqttx-default", 100)
    _cut(cluster, 60)
    assert (cluster.nodes["a"].channels, cluster.nodes["a"].sessions) == (40, 0)


def test_the_session_of_a_client_that_died_stays_on_the_broker():
    cluster = _cluster("mqttx-persistent", 100)
    cluster.set_route([None])
    _cut(cluster, 60)
    _after(cluster, 5)
    assert (_clients(cluster).dead, cluster.nodes["a"].retained) == (60, 60)


def test_sessions_expire_to_the_minute_while_their_clients_wait():
    cluster = _cluster("device", 100)
    cluster.set_route([None])
    _cut(cluster, 100)
    _clients(cluster).park(cluster.nodes["b"], 30, expiry_s=600)
    _after(cluster, 600)
    assert cluster.nodes["b"].retained == 30
    _after(cluster, 660)
    assert (cluster.nodes["b"].retained, cluster.nodes["a"].retained) == (0, 100)
    _after(cluster, 7200 + 60)
    assert cluster.nodes["a"].retained == 0
    assert cluster.truth.total.sessions_expired == 130
    cluster.set_route(["c"])
    _after(cluster, 7200 + 130)
    assert (cluster.nodes["c"].live, cluster.nodes["c"].channels) == (100, 100)


def test_a_forced_migration_starts_the_expiry_afresh_and_the_client_finds_it():
    cluster = _cluster("device", 400)
    clients = _clients(cluster)
    a, b, c = (cluster.nodes[name] for name in "abc")
    cluster.set_route([None])
    clients.park(a, 50, expiry_s=1200)
    _cut(cluster, 400)
    _after(cluster, 600)
    assert clients.migrate(a, 1000, [b, c]) == 450
    assert (a.channels, b.virtual + c.virtual, b.live + c.live) == (0, 450, 0)
    assert b.virtual == pytest.approx(225, abs=50)
    _after(cluster, 1260)
    assert b.virtual + c.virtual == 450, "expiry of the parked ones counts from the migration"
    cluster.set_route(["d"])
    _after(cluster, 1330)
    assert cluster.nodes["d"].live == 400
    assert b.virtual + c.virtual == 50, "taken over from wherever they are"
    _after(cluster, 600 + 1200 + 60)
    assert b.virtual + c.virtual == 0
    assert cluster.truth.total.migrated == 450


def test_resets_are_spread_over_their_time_and_spare_newcomers():
    cluster = _cluster("mqttx-default", 1000)
    cluster.reset_connections("a", over_s=4)
    left = []
    for second in range(4):
        _after(cluster, second + 0.5)
        left.append(cluster.truth.per_node["a"].reset)
    assert left == [250, 500, 750, 1000]
    assert cluster.nodes["a"].live == 750, "those that came back stay"
    _after(cluster, 60)
    assert cluster.truth.total.reset == 1000


def test_the_mark_starts_the_account_anew():
    cluster = _cluster("mqttx-default", 1000)
    cluster.set_route(["b"])
    _cut(cluster, 400)
    assert cluster.truth.lowest_live == 600
    _after(cluster, 10)
    cluster.truth.mark()
    assert cluster.truth.lowest_live == 1000
    _cut(cluster, 100)
    assert cluster.truth.lowest_live == 900
    since = cluster.truth.since_mark()
    assert (since.reset, since.disconnects, since.reconnected) == (100, 100, 0)
    assert cluster.truth.total.reset == 500


def test_the_same_seed_is_the_same_history_and_another_is_not():
    def history(seed: int):
        cluster = _cluster("device", 9000, live_on=("a", "b"), churn_per_s=20, seed=seed)
        cluster.set_route(["b", "c", None])
        cluster.start_evacuation(cluster.nodes["a"], Options(conn_evict_rate=300))
        _after(cluster, 90)
        return [(node.live, node.retained) for node in cluster.nodes.values()], cluster.truth.total

    assert history(4) == history(4)
    assert history(4) != history(5)


def test_events_of_a_second_do_not_grow_with_the_number_of_clients():
    def steps(size: int) -> int:
        cluster = _cluster("device", size, live_on=("a", "b"), churn_per_s=5)
        cluster.set_route(["c", "d"])
        cluster.start_evacuation(cluster.nodes["a"], Options(conn_evict_rate=200))
        count = 0
        while (upcoming := cluster.timeline.next_at()) is not None and upcoming <= T0 + 10:
            cluster.timeline.step()
            count += 1
        return count

    assert steps(1_000_000) <= steps(10_000) * 1.2
