"""The simulated management API v4: shapes, refusals, authentication, and the faults a test can switch on."""

import base64
import itertools
import json
import random

import pytest

from emqx_tui.sandbox.clients.cohorts import add_clients
from emqx_tui.sandbox.emqx.api import Unreachable, request
from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.timeline import Timeline

T0 = 1_700_000_000.0
A, B, C = "emqx-ee@10.0.0.1", "emqx-ee@10.0.0.2", "emqx-ee@10.0.0.3"


def _basic(application: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{application}:{secret}".encode()).decode()


AUTHORIZED = _basic("admin", "public")


def _cluster(version: str = "4.4.14", clients: int = 900, preset: str = "mqttx-default") -> EmqxCluster:
    cluster = EmqxCluster(Timeline(T0), random.Random(1))
    for name in (A, B, C):
        cluster.add_node(name, version)
    population = add_clients(cluster, preset, clients)
    cluster.set_route([A, B, C])
    population.connect_all_at_once()
    return cluster


def _call(cluster, method, path, body=b"", *, node=B, authorization: str | None = AUTHORIZED):
    return request(cluster, node, method, "/api/v4" + path, body, authorization)


def _get(cluster, path, *, node=B):
    reply = _call(cluster, "GET", path, node=node)
    assert (reply.status, reply.content_type) == (200, "application/json")
    return json.loads(reply.body)


def _post(cluster, path, params: object = None, *, node=B):
    body = b"" if params is None else json.dumps(params).encode()
    reply = _call(cluster, "POST", path, body, node=node)
    assert (reply.status, reply.content_type) == (200, "application/json")
    return json.loads(reply.body)


def _start(cluster, target=A, params: object = None, *, node=B):
    return _post(cluster, f"/load_rebalance/{target}/evacuation/start", params, node=node)


# nodes, stats, listeners, plugins, status


def test_nodes():
    cluster = _cluster("4.4.19")
    assert cluster.clients is not None
    cluster.clients.park(cluster.nodes[A], 40)
    cluster.timeline.run_until(T0 + 3 * 86_400 + 3600 + 125)
    reply = _get(cluster, "/nodes")
    assert reply["code"] == 0
    assert [element["node"] for element in reply["data"]] == [B, A, C], "each node has an order of its own"
    first = reply["data"][1]
    assert _get(cluster, f"/nodes/{A}") == {"code": 0, "data": first}
    types = {key: type(value) for key, value in first.items()}
    words = ["node", "node_status", "version", "otp_release", "uptime", "memory_total", "memory_used"]
    loads = ["load1", "load5", "load15"]
    numbers = ["connections", "live_connections", "max_fds", "process_available", "process_used"]
    assert types == dict.fromkeys(words + loads, str) | dict.fromkeys(numbers, int)
    assert (first["node_status"], first["version"]) == ("Running", "4.4.19")
    assert first["uptime"] == "3 days, 1 hours, 2 minutes, 5 seconds"
    assert first["memory_total"] == "8.00G"


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 seconds"), (61, "1 minutes, 1 seconds"), (3600, "1 hours, 0 m")])
def test_uptime_begins_with_its_largest_unit(seconds, words):
    cluster = _cluster()
    cluster.timeline.run_until(T0 + seconds)
    assert _get(cluster, f"/nodes/{A}")["data"]["uptime"].startswith(words)


def test_connections_count_retained_sessions_and_live_ones_are_told_from_4_4_19_on():
    for version, told in [("4.4.18", None), ("4.4.19", 300), ("4.4.24-alpha", 300), ("latest", 300)]:
        cluster = _cluster(version)
        assert cluster.clients is not None
        cluster.clients.park(cluster.nodes[A], 40)
        shape = _get(cluster, f"/nodes/{A}")["data"]
        assert (shape["connections"], shape.get("live_connections")) == (340, told)


def test_a_stopped_member_is_absent_and_a_direct_question_says_why():
    cluster = _cluster()
    cluster.stop_node(A)
    listed = _get(cluster, "/nodes")["data"]
    assert listed[-1] == {"node": A, "error": "nodedown"}, "for a moment"
    cluster.timeline.run_until(T0 + 0.03)
    assert [element["node"] for element in _get(cluster, "/nodes")["data"]] == [B, C]
    assert [element["node"] for element in _get(cluster, "/stats")["data"]] == [B, C]
    assert _get(cluster, f"/nodes/{A}") == {"code": 0, "data": {"node": A, "error": "nodedown"}}
    assert _get(cluster, f"/nodes/{A}/stats") == {"message": "nodedown"}
    assert _get(cluster, f"/nodes/{A}/listeners") == {"code": 0, "data": {"error": "nodedown"}}
    cluster.remove_node(A)
    assert _get(cluster, f"/nodes/{A}")["data"] == {"node": A, "error": "nodedown"}


def test_stats_are_two_seconds_old_at_most_and_each_node_samples_at_other_instants():
    cluster = _cluster(clients=900)
    _start(cluster, params={"conn_evict_rate": 10})
    shown: dict[str, list[int]] = {A: [], B: [], C: []}
    live: dict[str, list[int]] = {A: [0], B: [0], C: [0]}
    for tenth in range(80):
        cluster.timeline.run_until(T0 + tenth / 10)
        for name in shown:
            stats = _get(cluster, f"/nodes/{name}/stats")["data"]
            assert stats["connections.count"] == stats["channels.count"] == stats["sessions.count"]
            shown[name].append(stats["live_connections.count"])
            live[name].append(cluster.nodes[name].live)
            assert shown[name][-1] in live[name][-22:]
            assert stats["live_connections.max"] == stats["connections.max"] == max(shown[name])
    sampled_at = {name: [at for at in range(1, 80) if counts[at] != counts[at - 1]] for name, counts in shown.items()}
    assert {b - a for at in sampled_at.values() for a, b in itertools.pairwise(at)} == {20}
    assert len({at[0] for at in sampled_at.values()}) == 3
    assert max(at[0] for at in sampled_at.values()) <= 20, "a node samples for the first time soon after its boot"


def test_stats_of_an_idle_cluster_need_no_timer():
    cluster = _cluster()
    assert cluster.timeline.next_at() is None
    assert _get(cluster, f"/nodes/{A}/stats")["data"]["live_connections.count"] == 0
    cluster.timeline.run_until(T0 + 2)
    stats = _get(cluster, "/stats")["data"]
    assert [(s["node"], s["stats"]["live_connections.count"]) for s in stats] == [(B, 300), (A, 300), (C, 300)]
    twins = {key.removesuffix(".count") for key in stats[0]["stats"] if key.endswith(".count")}
    assert {key.removesuffix(".max") for key in stats[0]["stats"] if key.endswith(".max")} == twins
    assert {"topics", "subscriptions.shared", "retained"} <= twins


def test_listeners():
    cluster = _cluster("4.4.14", preset="mqttx-persistent")
    first = _get(cluster, "/listeners", node=A)["data"][0]
    assert first["node"] == A
    assert _get(cluster, f"/nodes/{A}/listeners")["data"] == first["listeners"]
    assert first["listeners"][0] == {
        "protocol": "mqtt:tcp",
        "listen_on": "0.0.0.0:1883",
        "identifier": "mqtt:tcp:external",
        "acceptors": 8,
        "max_conns": 1024000,
        "current_conns": 300,
        "shutdown_count": [],
    }
    assert "identifier" not in first["listeners"][-1]
    _start(cluster, params={"conn_evict_rate": 30})
    cluster.timeline.run_until(T0 + 0.5)
    tcp = _get(cluster, f"/nodes/{A}/listeners")["data"][0]
    assert tcp["shutdown_count"] == [], "evicted clients with a kept session count when they are taken over"
    assert tcp["current_conns"] == 300, "the process of an evicted client stays while it keeps a session"


def test_plugins():
    data = _get(_cluster(), "/plugins")["data"]
    assert [element["node"] for element in data] == [B, A, C]
    active = {plugin["name"] for plugin in data[0]["plugins"] if plugin["active"]}
    assert {"emqx_eviction_agent", "emqx_node_rebalance"} <= active


def test_status_page_needs_no_authorization():
    reply = request(_cluster(), B, "GET", "/status", b"", None)
    assert (reply.status, reply.content_type) == (200, "text/plain")
    assert reply.body == f"Node {B} is started\nemqx is running".encode()


# authentication and paths


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"admin").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        _basic("admin", "wrong"),
        _basic("nobody", "public"),
        "Bearer " + base64.b64encode(b"admin:public").decode(),
    ],
)
def test_bad_credentials(authorization):
    reply = _call(_cluster(), "GET", "/nodes", authorization=authorization)
    assert (reply.status, reply.content_type, reply.body) == (401, "text/plain", b"UNAUTHORIZED")
    assert dict(reply.headers) == {"WWW-Authenticate": 'Basic Realm="minirest-server"'}


def test_credentials_of_the_cluster_replace_the_factory_default():
    cluster = _cluster()
    cluster.credentials = {"operator": "se:cret"}
    assert _call(cluster, "GET", "/nodes").status == 401
    assert _call(cluster, "GET", "/nodes", authorization=_basic("operator", "se:cret")).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nope"),
        ("GET", "/nodes/emqx-ee@9.9.9.9"),
        ("GET", f"/nodes/{A.replace('@', '%40')}"),
        ("GET", f"/nodes/{A}/nope"),
        ("POST", "/nodes"),
        ("GET", f"/load_rebalance/{A}/evacuation/start"),
        ("GET", "/nodes/nowhere@x/stats"),
    ],
)
def test_unknown_paths_and_names(method, path):
    reply = _call(_cluster(), method, path)
    assert (reply.status, reply.content_type, reply.body) == (404, "text/plain", b"Not found.")


def test_paths_outside_the_api():
    for path in ("/", "/api/v5/nodes", "/api/v4", "/api/v4x/nodes"):
        assert request(_cluster(), B, "GET", path, b"", AUTHORIZED).status == 404


def test_a_query_string_does_not_matter():
    assert _call(_cluster(), "GET", "/nodes?_page=1").status == 200


def test_evacuation_does_not_exist_before_4_4_12():
    cluster = _cluster("4.4.11")
    assert _call(cluster, "GET", "/load_rebalance/global_status").status == 404
    assert _call(cluster, "GET", "/nodes").status == 200


# evacuation


def test_status_of_an_evacuation():
    cluster = _cluster()
    assert _get(cluster, "/load_rebalance/status", node=A) == {"status": "disabled"}
    assert _get(cluster, "/load_rebalance/global_status") == {"rebalances": [], "evacuations": []}
    answer = _start(cluster, A, {"conn_evict_rate": 100, "sess_evict_rate": 7, "migrate_to": [C, B]})
    assert answer == {"data": [], "code": 0}
    cluster.timeline.run_until(T0 + 1.5)
    shared = {
        "state": "evicting_conns",
        "connection_eviction_rate": 100,
        "session_eviction_rate": 7,
        "connection_goal": 0,
        "session_goal": 0,
        "session_recipients": [C, B],
        "stats": {
            "initial_connected": 300,
            "current_connected": 200,
            "initial_sessions": 0,
            "current_sessions": 0,
        },
    }
    assert _get(cluster, "/load_rebalance/global_status") == {"rebalances": [], "evacuations": [{"node": A, **shared}]}
    enabled = {"status": "enabled", "process": "evacuation"}
    assert _get(cluster, "/load_rebalance/status", node=A) == {**enabled, **shared}
    assert _get(cluster, "/load_rebalance/status", node=B) == {"status": "disabled"}
    cluster.stop_node(C)
    now = _get(cluster, "/load_rebalance/status", node=A)
    assert now["session_recipients"] == [B], "asked anew at every request"


def test_defaults_of_start():
    for params in (None, {}):
        cluster = _cluster()
        assert _start(cluster, A, params)["code"] == 0
        evacuation = cluster.nodes[A].evacuation
        assert evacuation is not None
        options = evacuation.options
        assert (options.conn_evict_rate, options.sess_evict_rate, options.wait_takeover) == (500, 500, 60)
        assert _get(cluster, "/load_rebalance/status", node=A)["session_recipients"] == [B, C]


def test_redirect_to_and_wait_are_taken_but_not_shown():
    cluster = _cluster()
    assert _start(cluster, A, {"redirect_to": "other:1883", "wait_takeover": 5})["code"] == 0
    assert cluster.nodes[A].persisted == {
        "server_reference": "other:1883",
        "conn_evict_rate": 500,
        "sess_evict_rate": 500,
        "wait_takeover": 5,
    }
    shown = json.dumps(_get(cluster, "/load_rebalance/status", node=A))
    assert "other" not in shown
    assert "wait" not in shown


BAD_VALUES = [0, -1, "200", 2.5, 200.0, True, None, [200]]
REFUSALS = [
    *[({key: value}, f"invalid {key} value") for key in ("conn_evict_rate", "wait_takeover") for value in BAD_VALUES],
    ({"sess_evict_rate": 0}, "invalid sess_evict_rate value"),
    ({"redirect_to": 5}, "invalid string in server_reference"),
    ({"migrate_to": B}, "invalid node list in migrate_to: "),
    ({"migrate_to": []}, "no available nodes list in migrate_to: []"),
    ({"migrate_to": ["emqx@nowhere"]}, "invalid node: emqx@nowhere"),
    ({"nodes": [B]}, 'Unknown evacuation param: {<<"nodes">>,[<<'),
    ({"wait_health_check": 60}, 'Unknown evacuation param: {<<"wait_health_check">>,60}'),
]


@pytest.mark.parametrize(("params", "message"), REFUSALS, ids=lambda value: json.dumps(value)[:50])
def test_refused_parameters(params, message):
    cluster = _cluster("4.4.17")
    answer = _start(cluster, A, params)
    assert answer["code"] == 400
    assert answer["message"].startswith(message)
    assert cluster.nodes[A].available
    assert cluster.nodes[A].persisted is None


def test_messages_with_something_filled_in_are_garbled_before_4_4_17():
    answer = _start(_cluster("4.4.16"), A, {"conn_evict_rate": 0})
    assert answer == {"code": 400, "message": '["invalid ",["conn_evict_rate"]," value"]'}
    cluster = _cluster("4.4.16")
    _start(cluster, A)
    assert _start(cluster, A) == {"code": 400, "message": "already_started"}


def test_unavailable_recipients_are_refused_as_the_serving_node_sees_them():
    cluster = _cluster("4.4.17")
    cluster.stop_node(C)
    answer = _start(cluster, A, {"migrate_to": [B, C]})
    assert answer == {"code": 400, "message": f"unavailable nodes in migrate_to: ['{C}']"}
    _start(cluster, B)
    answer = _start(cluster, A, {"migrate_to": [B, C]})
    assert answer == {"code": 400, "message": f"no available nodes list in migrate_to: ['{B}','{C}']"}
    cluster.remove_node(C)
    assert _start(cluster, A, {"migrate_to": [A, C]})["message"].startswith("unavailable nodes")
    assert _start(cluster, A, {"migrate_to": [A]})["code"] == 0, "before the start it is available itself"


def test_start_and_stop_answer_by_code():
    cluster = _cluster("4.4.17")
    stop = f"/load_rebalance/{A}/evacuation/stop"
    assert _post(cluster, stop) == {"code": 400, "message": '["not_started"]'}
    assert _start(cluster)["code"] == 0
    assert _start(cluster) == {"code": 400, "message": '["already_started"]'}
    assert _post(cluster, stop, node=C) == {"code": 0, "data": []}
    assert _post(cluster, stop) == {"code": 400, "message": '["not_started"]'}
    cluster.nodes[A].rebalancing = True
    assert _start(cluster) == {"code": 400, "message": '["eviction_agent_busy"]'}
    cluster.stop_node(A)
    codes = ",".join(str(ord(letter)) for letter in "Error communicating with node ")
    down = {"code": 400, "message": f"[{codes},\"'{A}'\"]"}
    assert _start(cluster) == down
    assert _post(cluster, stop) == down
    cluster.remove_node(A)
    assert _start(cluster) == down


def test_node_names_need_a_raw_at_sign():
    cluster = _cluster("4.4.17")
    escaped = A.replace("@", "%40")
    assert _start(cluster, escaped) == {"code": 400, "message": f"invalid node: {escaped}"}
    assert _start(cluster, "emqx@nowhere")["message"] == "invalid node: emqx@nowhere"


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        *((body, (400, b"Bad Request")) for body in (b"{", b"\xff\xff", b"nonsense")),
        *((body, (500, b"Internal Error")) for body in (b"5", b"null", b'"x"', b'{"migrate_to":[5]}')),
    ],
)
def test_bodies_that_are_no_json_object(body, answer):
    reply = _call(_cluster(), "POST", f"/load_rebalance/{A}/evacuation/start", body)
    assert (reply.status, reply.body) == answer
    assert reply.content_type == "text/plain"


def test_a_finished_evacuation_stays_listed():
    cluster = _cluster(clients=0)
    _start(cluster, A, {"wait_takeover": 1})
    cluster.timeline.run_until(T0 + 500)
    listed = _get(cluster, "/load_rebalance/global_status")["evacuations"]
    assert [(e["node"], e["state"]) for e in listed] == [(A, "prohibiting")]


def test_eviction_status_counts_live():
    cluster = _cluster(preset="mqttx-persistent")
    cluster.set_route([B, C])
    assert _get(cluster, "/node_eviction/status", node=A) == {"status": "disabled"}
    _start(cluster, A, {"conn_evict_rate": 100})
    cluster.timeline.run_until(T0 + 0.5)
    enabled = {"status": "enabled", "stats": {"connections": 200, "sessions": 300}}
    assert _get(cluster, "/node_eviction/status", node=A) == enabled
    cluster.timeline.run_until(T0 + 3.5)
    enabled["stats"] = {"connections": 0, "sessions": 0}
    assert _get(cluster, "/node_eviction/status", node=A) == enabled
    assert _get(cluster, "/load_rebalance/status", node=A)["stats"]["current_sessions"] == 300


def test_availability_check():
    for version, without_credentials in [("4.4.23", 401), ("4.4.24", 200)]:
        cluster = _cluster(version)
        path = "/load_rebalance/availability_check"
        assert _call(cluster, "GET", path, authorization=None).status == without_credentials
        assert (_call(cluster, "GET", path).status, _call(cluster, "GET", path).body) == (200, b"{}")
        _start(cluster, A)
        evacuating = _call(cluster, "GET", path, node=A)
        assert (evacuating.status, evacuating.body) == (503, b"{}")
        assert _call(cluster, "GET", path, node=B).status == 200
        cluster.nodes[B].rebalancing = True
        assert _call(cluster, "GET", path, node=B).status == 503


def test_a_rebalance_shows_in_both_statuses():
    cluster = _cluster()
    cluster.nodes[A].rebalancing = True
    status = _get(cluster, "/load_rebalance/status", node=A)
    assert (status["status"], status["process"], status["stats"]["current_connected"]) == ("enabled", "rebalance", 300)
    listed = _get(cluster, "/load_rebalance/global_status")
    assert listed["evacuations"] == []
    assert [(r["node"], r["donors"]) for r in listed["rebalances"]] == [(A, [A])]
    assert "donors" not in status
    assert "connection_goal" not in status, "before the eviction has begun"


# faults


def test_a_node_whose_api_is_down_still_works_and_is_seen_by_the_others():
    cluster = _cluster()
    cluster.nodes[A].faults.api_down = True
    with pytest.raises(Unreachable):
        _call(cluster, "GET", "/nodes", node=A)
    assert len(_get(cluster, "/nodes")["data"]) == 3
    assert _start(cluster, A)["code"] == 0


def test_a_stopped_node_does_not_answer():
    cluster = _cluster()
    cluster.stop_node(A)
    for name in (A, "never@seen"):
        with pytest.raises(Unreachable):
            _call(cluster, "GET", "/nodes", node=name)


def test_a_slow_node_is_left_out_of_global_status_but_answers_for_itself():
    cluster = _cluster()
    _start(cluster, A)
    cluster.nodes[A].faults.slow = True
    assert _get(cluster, "/load_rebalance/global_status")["evacuations"] == []
    assert len(_get(cluster, "/load_rebalance/global_status", node=A)["evacuations"]) == 1
    assert _get(cluster, "/load_rebalance/status", node=A)["status"] == "enabled"
    assert len(_get(cluster, "/nodes")["data"]) == 3


def test_a_node_can_reject_everybody():
    cluster = _cluster()
    cluster.nodes[A].faults.unauthorized = True
    assert _call(cluster, "GET", "/nodes", node=A).status == 401
    assert _call(cluster, "GET", "/nodes", node=B).status == 200


def test_frozen_stats_stay_as_they_were():
    cluster = _cluster()
    cluster.timeline.run_until(T0 + 2)
    before = _get(cluster, f"/nodes/{A}/stats")
    cluster.nodes[A].faults.stats_frozen = True
    cluster.stop_node(B)
    cluster.set_route([A, C])
    _start(cluster, A, node=C)
    cluster.timeline.run_until(T0 + 20)
    assert _get(cluster, f"/nodes/{A}/stats", node=C) == before
    cluster.nodes[A].faults.stats_frozen = False
    assert _get(cluster, f"/nodes/{A}/stats", node=C)["data"]["live_connections.count"] == 0
