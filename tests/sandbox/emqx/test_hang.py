"""A hang that spreads, a split, and the first moments of a node, as real nodes were seen to do it."""

from __future__ import annotations

import json

import pytest

from emqx_tui.sandbox.emqx.api import Unanswered, Unreachable
from emqx_tui.sandbox.emqx.evacuation_process import Profile
from emqx_tui.sandbox.emqx.node import release_of
from tests.sandbox.emqx.test_api import T0, A, B, C, _call, _cluster, _get, _start

SPREADS = ("/nodes", "/stats", "/listeners", "/load_rebalance/global_status", f"/nodes/{C}", f"/nodes/{C}/stats")
STAYS = (f"/nodes/{B}", f"/nodes/{B}/stats", f"/nodes/{A}/stats", "/node_eviction/status", "/load_rebalance/status")


@pytest.mark.parametrize("path", SPREADS)
@pytest.mark.parametrize("node", [A, B])
def test_a_question_that_reaches_the_hung_node_is_not_answered_by_any(path, node):
    cluster = _cluster("4.4.19")
    cluster.hang(C)
    with pytest.raises(Unanswered):
        _call(cluster, "GET", path, node=node)
    cluster.timeline.run_until(T0 + 76)
    assert _call(cluster, "GET", path, node=node).status == 200, "its peers take it for down by then"


@pytest.mark.parametrize("path", STAYS)
def test_what_a_node_is_asked_about_itself_is_answered_all_the_while(path):
    cluster = _cluster("4.4.19")
    cluster.hang(C)
    assert _call(cluster, "GET", path, node=B).status == 200


def test_the_hung_node_says_nothing_at_all():
    cluster = _cluster("4.4.19")
    cluster.hang(C)
    with pytest.raises(Unanswered):
        _call(cluster, "GET", "/node_eviction/status", node=C)


def test_one_status_question_stops_the_evacuation_until_the_peer_goes_on():
    cluster = _cluster("4.4.19")
    _start(cluster, A, {"conn_evict_rate": 5})
    cluster.timeline.run_until(T0 + 1.5)
    cluster.hang(C)
    cluster.timeline.run_until(T0 + 4.5)
    evicting = cluster.nodes[A].live
    assert evicting < 300 - 5 * 3, "without the question it goes on"
    with pytest.raises(Unanswered):
        _call(cluster, "GET", "/load_rebalance/status", node=A)
    cluster.timeline.run_until(T0 + 14.5)
    assert cluster.nodes[A].live == evicting
    cluster.go_on(C)
    cluster.timeline.run_until(T0 + 17.5)
    assert cluster.nodes[A].live < evicting


@pytest.mark.parametrize("asked", [B, C])
def test_a_start_that_nobody_waits_for_any_more_takes_effect_when_the_node_goes_on(asked):
    cluster = _cluster("4.4.19")
    cluster.hang(C)
    with pytest.raises(Unanswered):
        _call(cluster, "POST", f"/load_rebalance/{C}/evacuation/start", b"{}", node=asked)
    cluster.timeline.run_until(T0 + 3)
    assert cluster.nodes[C].available
    cluster.go_on(C)
    assert _get(cluster, "/load_rebalance/status", node=C)["status"] == "enabled"


def test_a_start_that_names_a_hung_recipient_hangs():
    cluster = _cluster("4.4.19")
    cluster.hang(C)
    body = json.dumps({"migrate_to": [B, C]}).encode()
    with pytest.raises(Unanswered):
        _call(cluster, "POST", f"/load_rebalance/{A}/evacuation/start", body, node=A)
    assert cluster.nodes[A].available


def test_a_node_that_was_taken_for_down_is_alone_when_it_goes_on_and_restarts_18_s_later():
    cluster = _cluster("4.4.19")
    cluster.hang(C)
    cluster.timeline.run_until(T0 + 90)
    cluster.go_on(C)
    assert [each["node"] for each in _get(cluster, "/nodes", node=C)["data"]] == [C]
    assert {each["node"] for each in _get(cluster, "/nodes", node=B)["data"]} == {A, B}
    assert cluster.truth.total.killed == 0
    cluster.timeline.run_until(T0 + 90 + 18)
    assert cluster.truth.per_node[C].killed == 300
    with pytest.raises(Unreachable):
        _get(cluster, "/nodes", node=C)
    cluster.timeline.run_until(T0 + 90 + 18 + 3)
    assert {each["node"] for each in _get(cluster, "/nodes", node=C)["data"]} == {A, B, C}


def test_a_short_hang_leaves_no_trace():
    cluster = _cluster("4.4.19")
    cluster.hang(C)
    cluster.timeline.run_until(T0 + 30)
    cluster.go_on(C)
    cluster.timeline.run_until(T0 + 200)
    assert len(_get(cluster, "/nodes")["data"]) == 3
    assert cluster.truth.total.killed == 0


def test_in_a_split_a_node_sees_only_itself():
    cluster = _cluster("4.4.19")
    cluster.split(C)
    assert [each["node"] for each in _get(cluster, "/nodes", node=C)["data"]] == [C]
    assert [each["node"] for each in _get(cluster, "/stats", node=C)["data"]] == [C]
    assert _get(cluster, f"/nodes/{B}", node=C)["data"] == {"node": B, "error": "nodedown"}
    assert {each["node"] for each in _get(cluster, "/nodes", node=A)["data"]} == {A, B}
    assert _get(cluster, f"/nodes/{C}", node=C)["data"]["node_status"] == "Running"


def test_clients_of_a_hung_broker_stay_and_new_ones_get_no_answer():
    cluster = _cluster("4.4.19")
    cluster.hang(C)
    cluster.set_route([B, C])
    _start(cluster, A, {"conn_evict_rate": 100, "migrate_to": [B]})
    cluster.timeline.run_until(T0 + 9)
    assert cluster.nodes[C].live == 300
    assert cluster.truth.per_node[C].unanswered > 0
    assert cluster.truth.total.lost == 0
    cluster.go_on(C)
    cluster.timeline.run_until(T0 + 40)
    assert cluster.clients is not None
    assert cluster.nodes[B].live + cluster.nodes[C].live == cluster.clients.size


def test_the_first_moments_of_a_node():
    cluster = _cluster("4.4.19")
    cluster.profile = Profile(plugins_s=0.1, join_s=1.0)
    cluster.stop_node(C)
    cluster.add_node(C, "4.4.19")
    assert _call(cluster, "GET", "/load_rebalance/availability_check", node=C).status == 404
    joined = next(each for each in _get(cluster, "/nodes", node=A)["data"] if each["node"] == C)
    assert (joined["connections"], joined["live_connections"]) == ("undefined", 0)
    cluster.timeline.run_until(T0 + 0.2)
    assert _call(cluster, "GET", "/load_rebalance/availability_check", node=C).status == 200
    cluster.timeline.run_until(T0 + 1.2)
    assert _get(cluster, f"/nodes/{C}", node=C)["data"]["connections"] > 0


@pytest.mark.parametrize(("version", "told"), [("4.4.19", 0), ("4.4.24", 10)])
def test_sessions_with_an_expiry_interval_stay_behind_before_4_4_24(version, told):
    cluster = _cluster(version)
    cluster.nodes[A].unmoved = 10
    _start(cluster, A, {"conn_evict_rate": 300, "wait_takeover": 1})
    cluster.timeline.run_until(T0 + 20)
    own = _get(cluster, "/node_eviction/status", node=A)
    assert (own["stats"]["connections"], own["stats"]["sessions"]) == (0, told)
    assert _get(cluster, f"/nodes/{A}", node=A)["data"]["connections"] == 10
    assert _get(cluster, f"/nodes/{A}/stats", node=A)["data"]["sessions.count"] == 10
    if release_of(version) < (4, 4, 24):
        assert _get(cluster, "/load_rebalance/status", node=A)["state"] == "prohibiting"


def test_an_endless_wait_makes_the_coordinator_crash_until_its_file_is_gone():
    cluster = _cluster("4.4.19")
    assert _start(cluster, A, {"wait_takeover": 10**9})["code"] == 0
    assert _get(cluster, "/load_rebalance/status", node=A)["status"] == "enabled"
    other = _cluster("4.4.19")
    assert _start(other, A, {"wait_takeover": 10**12})["code"] == 0
    assert _call(other, "GET", "/load_rebalance/status", node=A).status == 404


def test_a_hung_broker_drains_nobody():
    cluster = _cluster("4.4.19")
    _start(cluster, A, {"conn_evict_rate": 5})
    cluster.timeline.run_until(T0 + 2.5)
    left = cluster.nodes[A].live
    cluster.hang(A)
    cluster.timeline.run_until(T0 + 12.5)
    assert cluster.nodes[A].live == left
