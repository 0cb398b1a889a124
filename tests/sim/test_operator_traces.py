"""The reference traces of the operator: N = 3, 300 clients per blue node, 100/s, waitTakeover 5, boot 15 s, stop 5 s.

Seconds count from the start of a world whose operator passes fall at 10, 30, 50 ... when nothing disturbs them; the
patch comes at 10. Letters: B is the set that was there, G the first one made after it, T the next.

One difference runs through all traces: here a pending requeue survives a nudge, as in client-go, so a pass that was
due anyway still comes. Where the reference (in which the last requested delay replaced the earlier one) says another
second for that reason, the test says so.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from emqx_tui.sim.client_presets import Preset
from emqx_tui.sim.objects import Object, is_ready, is_terminating
from emqx_tui.sim.operator.fault import ApiFault
from emqx_tui.sim.scenario import manifest
from emqx_tui.sim.world import World, WorldConfig

PATIENT = Preset(
    "patient",
    session_expiry_s=0,
    first_delay_s=0.9,
    longest_delay_s=0.9,
    max_attempts=None,
    dies_refused=False,
    dies_tcp_refused=False,
)
"""Comes back after about a second, as often as it takes, like the reference's clients. Not exactly one, so that it is
back before an operator that retries after one second."""
KEY = ("default", "emqx-ee")
HOLD = 2_000_000_000


class Trace:
    """A settled cluster, the seconds since its start, and what the operator did in them."""

    def __init__(self, *, delay_s: int, nodes: int = 3, seed: int = 1, cr: Object | None = None, **config: Any) -> None:
        settings = {"clients": 300 * nodes, "preset": PATIENT, "churn_per_s": 0.0, **config}
        self.world = World(WorldConfig(**settings), seed=seed)
        cr = cr or manifest(delay_s=delay_s, replicas=nodes, conn_evict_rate_per_s=100, sess_evict_rate_per_s=100)
        self.world.settle_cluster(cr)
        self.start = self.world.now
        self.letters: dict[str, str] = {}
        self.endpoints: list[tuple[float, list[str]]] = []
        for each in self.world.store.list("statefulsets"):
            self._letter(each)
        self.world.hub.on("statefulsets", lambda event_type, each: self._letter(each))
        self.world.hub.on("endpoints", self._on_endpoints)

    def _letter(self, stateful_set: Object) -> None:
        name = stateful_set["metadata"]["name"]
        if name not in self.letters:
            self.letters[name] = "BGTUV"[len(self.letters)]

    def _on_endpoints(self, event_type: str, endpoints: Object) -> None:
        if endpoints["metadata"]["name"] != "emqx-ee" or not endpoints.get("subsets"):
            return
        listed = sorted(self.short(each["targetRef"]["name"]) for each in endpoints["subsets"][0]["addresses"])
        if not self.endpoints or self.endpoints[-1][1] != listed:
            self.endpoints.append((self.second, listed))

    def short(self, pod: str) -> str:
        """`emqx-ee-<hash>-2` as B-2."""
        for name, letter in self.letters.items():
            if pod.startswith(name + "-"):
                return f"{letter}-{pod.removeprefix(name + '-')}"
        return pod

    def full(self, short: str) -> str:
        letter, _, ordinal = short.partition("-")
        name = next(name for name, each in self.letters.items() if each == letter)
        return f"{name}-{ordinal}" if ordinal else name

    # -- time and patches

    @property
    def second(self) -> float:
        return round(self.world.now - self.start, 3)

    def to(self, second: float) -> None:
        self.world.run_until(self.start + second)

    def patch(self, spec: Object) -> None:
        path = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee"
        reply = self.world.api.request("PATCH", path, {}, {"spec": spec}, "application/merge-patch+json")
        assert reply.status == 200, reply.body

    def release_version(self, version: str = "4.4.15", **more: Any) -> None:
        self.patch({"template": {"spec": {"emqxContainer": {"image": {"version": version}}}}, **more})

    def delay(self, seconds: int) -> None:
        self.patch({"blueGreenUpdate": {"initialDelaySeconds": seconds}})

    def clear_update_status(self) -> None:
        path = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee/status"
        patch = {"status": {"blueGreenUpdateStatus": None}}
        reply = self.world.api.request("PATCH", path, {}, patch, "application/merge-patch+json")
        assert reply.status == 200, reply.body

    def scale(self, letter: str, replicas: int) -> None:
        path = f"/apis/apps/v1/namespaces/default/statefulsets/{self.full(letter)}/scale"
        patch = {"spec": {"replicas": replicas}}
        reply = self.world.api.request("PATCH", path, {}, patch, "application/merge-patch+json")
        assert reply.status == 200, reply.body

    def start_evacuation(self, short: str, towards: str) -> None:
        """What a console does: POST to the node's cluster with the other colour as recipients."""
        cluster = self.world.cluster()
        nodes = {name.partition("@")[2].partition(".")[0]: name for name in cluster.nodes}
        recipients = [name for pod, name in nodes.items() if self.short(pod).startswith(towards)]
        options = {"conn_evict_rate": 100, "sess_evict_rate": 100, "wait_takeover": 5, "migrate_to": recipients}
        path = f"/api/v4/load_rebalance/{nodes[self.full(short)]}/evacuation/start"
        authorization = "Basic YWRtaW46cHVibGlj"
        reply = self.world.emqx_request(
            "default", self.full(short), "POST", path, json.dumps(options).encode(), authorization
        )
        assert json.loads(reply.body)["code"] == 0, reply.body

    # -- what is seen

    def acts(self, since: float = 0.0) -> list[str]:
        """What the operator reported since that second, in short."""
        told = []
        for report in self.world.operator.reports:
            second = report.at - self.start
            if second >= since and report.reason == "Evacuate":
                told.append(f"{second:g} {self._shorten(report.message)}")
        return told

    def _shorten(self, message: str) -> str:
        words = message.split()
        if words[:2] == ["Evacuate", "node"] and words[-1] == "start":
            return f"start {self.short(words[2].partition('@')[2].partition('.')[0])}"
        if words[-1] == "successfully":
            return f"evacuated {self.short(words[2].partition('@')[2].partition('.')[0])}"
        if words[:2] == ["Scale", "down"]:
            return f"{self.letters[words[3]]} to {words[5]}"
        return message

    @property
    def status(self) -> Object:
        return self.world.store.get("emqxenterprises", *KEY)["status"]

    @property
    def update(self) -> Object | None:
        return self.status.get("blueGreenUpdateStatus")

    @property
    def roles(self) -> tuple[str, str]:
        """Letters of origin and current, as the status names them."""
        assert self.update is not None
        return self.letters[self.update["originStatefulSet"]], self.letters[self.update["currentStatefulSet"]]

    def replicas(self, letter: str) -> int:
        return self.world.store.get("statefulsets", "default", self.full(letter))["spec"]["replicas"]

    def is_pod_ready(self, short: str) -> bool:
        pod = self.world.store.find("pods", "default", self.full(short))
        return pod is not None and is_ready(pod) and not is_terminating(pod)

    def evacuations(self) -> dict[str, str]:
        nodes = self.world.cluster().nodes.values()
        return {
            self.short(node.name.partition("@")[2].partition(".")[0]): node.evacuation.state
            for node in nodes
            if node.evacuation is not None
        }

    @property
    def killed(self) -> int:
        return self.world.cluster().truth.total.killed


def started(delay_s: int, **config: Any) -> Trace:
    """The usual beginning: patched at 10."""
    trace = Trace(delay_s=delay_s, **config)
    trace.to(10)
    trace.release_version()
    return trace


def test_s1_a_normal_release() -> None:
    trace = started(5)
    trace.to(400)
    assert trace.acts() == [
        "50 Delay 5 seconds",
        "55 start B-2",
        "75 evacuated B-2",
        "75 B to 2",
        "95 start B-1",
        "115 evacuated B-1",
        "115 B to 1",
        "135 start B-0",
        "155 evacuated B-0",
        "155 B to 0",
    ]
    assert (55, ["B-0", "B-1", "B-2", "G-0", "G-1", "G-2"]) in trace.endpoints
    assert (75, ["B-0", "B-1", "G-0", "G-1", "G-2"]) in trace.endpoints
    assert trace.update is None
    assert trace.status["conditions"][0]["type"] == "Running"
    assert trace.killed == 0
    assert 1000 <= trace.world.cluster().truth.total.evicted <= 1200, "the reference has 1110 disconnects"
    passes = [each for each in trace.world.operator.passes if each.began_at >= trace.start]
    assert len(passes) == 22, "the natural pass at 10 and the one that the patch causes are two"


def test_s1b_slow_shutdown_pays_the_delay_before_every_node() -> None:
    trace = started(30, pod_stop_s=25.0)
    trace.to(130)
    assert trace.update is None, "reset at 120: B-2 still runs in EMQX but is no current replica any more"
    trace.to(175)
    assert trace.acts() == [
        "50 Delay 30 seconds",
        "80 start B-2",
        "100 evacuated B-2",
        "100 B to 2",
        "140 Delay 30 seconds",
        "170 start B-1",
    ]


def test_s2_tight_stepping_does_one_thing_per_release() -> None:
    """The reference has the start again at 221. Here the pass of 220, asked for at 200, survives the nudge of 201."""
    trace = started(HOLD)
    for second, delay_s in ((100, 1), (101, HOLD), (200, 1), (201, HOLD), (260, 1), (261, HOLD)):
        trace.to(second)
        trace.delay(delay_s)
        if second == 201:
            trace.world.advance(0)
            assert trace.update is None, "reset: B-2 is terminating"
    trace.to(270)
    assert trace.acts() == [
        "50 Delay 2000000000 seconds",
        "100 start B-2",
        "101 Delay 1999999949 seconds",
        "120 Delay 1999999930 seconds",
        "200 evacuated B-2",
        "200 B to 2",
        "220 Delay 2000000000 seconds",
        "260 start B-1",
        "261 Delay 1999999959 seconds",
    ]
    assert trace.killed == 0


def test_s2b_a_release_while_green_is_not_ready_fires_the_nil_rule() -> None:
    """The reference kills all 360 clients of B-1. Here the start that follows evicts the first hundred of them."""
    trace = started(HOLD)
    for second, delay_s in ((100, 1), (101, HOLD), (200, 1), (201, HOLD), (260, HOLD - 1)):
        trace.to(second)
        trace.delay(delay_s)
    trace.to(262)
    trace.world.green_unready(0)
    trace.to(270)
    clients = next(n.live for name, n in trace.world.cluster().nodes.items() if trace.full("B-1") in name)
    trace.delay(1)
    trace.to(272)
    assert trace.acts(since=262) == ["270 B to 1", "270 start B-1"]
    assert 320 < clients < 400
    assert trace.killed == clients - 100


def test_s2c_relaxed_stepping_needs_a_drain_of_two_passes() -> None:
    """With 3 s of eviction and 5 s of waiting the node would be gone at 120: the takeover wait is 40 s here."""
    cr = manifest(delay_s=HOLD, wait_takeover_s=40, conn_evict_rate_per_s=100)
    trace = started(HOLD, cr=cr)
    trace.to(100)
    trace.delay(1)
    trace.to(125)
    trace.delay(HOLD)
    trace.to(300)
    assert (120, ["B-0", "B-1", "G-0", "G-1", "G-2"]) in trace.endpoints
    assert [act for act in trace.acts() if "Delay" not in act] == ["100 start B-2"]


def test_s3_a_reverted_template_wedges() -> None:
    trace = started(60)
    trace.to(70)
    trace.release_version("4.4.14")
    trace.to(151)
    assert trace.replicas("B") == 3, "restored at 150"
    trace.to(1000)
    assert trace.acts(since=100) == ["110 start B-2", "130 evacuated B-2", "130 B to 2", "150 start B-1"]
    assert (190, ["B-0", "B-2", "G-0", "G-1", "G-2"]) in trace.endpoints
    assert trace.evacuations() == {"B-1": "prohibiting"}


def test_s3b_a_reverted_template_with_slow_shutdown_loops_for_ever() -> None:
    """One round is 140 s: 80 s of passes (start, scale, reset, boot) and the delay of 60 s.

    The reference's round is about 105 s; its passes follow each other more closely because the re-created pod is back
    one pass earlier there.
    """
    trace = started(60, pod_stop_s=25.0)
    trace.to(70)
    trace.release_version("4.4.14")
    trace.to(700)
    starts = [act for act in trace.acts() if "start" in act]
    assert starts == ["110 start B-2", "250 start B-2", "390 start B-2", "530 start B-2", "670 start B-2"]


def test_s5_a_third_version_drains_through_green_without_a_new_delay() -> None:
    """As the reference until 230. It is done at 390, here at 350: no drain of G takes more than one pass here."""
    trace = started(60)
    trace.to(90)
    trace.release_version("4.4.16")
    trace.to(211)
    assert trace.roles == ("G", "T")
    trace.to(360)
    assert [act for act in trace.acts(since=100) if "evacuated" not in act] == [
        "110 start B-2",
        "130 B to 2",
        "150 start B-1",
        "170 B to 1",
        "190 start B-0",
        "210 B to 0",
        "230 start G-2",
        "250 G to 2",
        "270 start G-1",
        "290 G to 1",
        "310 start G-0",
        "330 G to 0",
    ]
    assert trace.update is None
    assert trace.killed == 0


def test_s6a_fewer_replicas_with_the_template_turn_the_direction_round() -> None:
    trace = Trace(delay_s=5)
    trace.to(10)
    trace.release_version(replicas=2)
    trace.to(31)
    assert trace.roles == ("G", "B")
    trace.to(400)
    assert trace.acts(since=11) == ["30 start G-1", "50 evacuated G-1", "50 G to 1", "70 start G-0"]
    assert trace.replicas("G") == 2, "re-created by the next pass"
    assert trace.evacuations() == {"G-0": "prohibiting"}


@pytest.mark.parametrize("mqtt_port_in_template", [False, True])
def test_s7b_an_api_outage_at_the_end_of_the_delay_kills_two_nodes(mqtt_port_in_template: bool) -> None:
    """The reference kills 750 clients. Without the MQTT port in the Service's template the same failed call also takes
    that port out of the Service, so B-2's clients cannot come back to B-1 in time to be killed again: 600.
    """
    cr = manifest(delay_s=5, conn_evict_rate_per_s=100, sess_evict_rate_per_s=100)
    if mqtt_port_in_template:
        cr["spec"]["serviceTemplate"] = {"spec": {"ports": [{"name": "mqtt-tcp-1883", "port": 1883}]}}
    trace = started(5, cr=cr)
    trace.to(52)
    trace.world.operator.faults.append(ApiFault("eof", through="service"))
    trace.to(62)
    trace.world.operator.faults.clear()
    trace.to(75)
    assert trace.acts(since=52) == ["55 B to 2", "55 start B-2", "56 B to 1"]
    if mqtt_port_in_template:
        assert 650 <= trace.killed <= 750, "a third of B-2's clients meets its dead address first"
    else:
        assert trace.killed == 600


def test_s7b_a_refused_connection_empties_blue_within_milliseconds() -> None:
    """The error of the start call is no common one, so the pass comes again after 5, 10, 20 ... ms."""
    trace = started(5)
    trace.to(52)
    trace.world.operator.faults.append(ApiFault("refused", through="service"))
    trace.to(62)
    assert trace.acts(since=52)[:6] == [
        "55 B to 2",
        "55 start B-2",
        "55.005 B to 1",
        "55.005 start B-2",
        "55.015 B to 0",
        "55.015 start B-2",
    ]
    assert trace.acts(since=55.02)[0] == "55.035 B to -1", "said before the API server refuses it"
    assert trace.replicas("B") == 0
    assert trace.killed == 900


def test_s8b_a_green_pod_that_is_not_ready_kills_two_nodes() -> None:
    """The reference kills 675. Here a start follows each scale-down and its first tick evicts 100 before the end."""
    trace = started(5)
    trace.to(52)
    trace.world.green_unready(0)
    trace.to(90)
    assert trace.acts(since=52) == ["55 B to 2", "55 start B-2", "75 B to 1", "75 start B-1"]
    truth = trace.world.cluster().truth.total
    assert 640 <= truth.killed + truth.evicted <= 710
    assert truth.evicted == 200


@pytest.mark.parametrize("fault", ["api", "green"])
def test_s7_s8_the_same_faults_do_no_harm_while_the_list_is_stored_non_empty(fault: str) -> None:
    trace = started(5)
    trace.to(95.5)
    if fault == "api":
        trace.world.operator.faults.append(ApiFault("refused", through="service"))
    else:
        trace.world.green_unready(0)
    trace.to(110)
    trace.delay(4)
    trace.to(130)
    assert trace.acts(since=96) == []
    trace.world.operator.faults.clear()
    if fault == "green":
        trace.world.green_unready(0, ready=True)
    trace.to(300)
    assert trace.killed == 0
    assert trace.replicas("B") == 0
    assert trace.update is None


def test_s9_twelve_nodes_evacuate_nine_and_delete_eleven() -> None:
    trace = started(5, nodes=12)
    trace.to(130)
    assert trace.acts(since=51) == [
        "55 start B-9",
        "75 evacuated B-9",
        "75 B to 11",
        "95 evacuated B-9",
        "95 B to 10",
        "115 evacuated B-9",
        "115 B to 9",
    ]
    assert trace.killed > 600, "B-11 and B-10 went with all their clients"
    killed = trace.killed
    trace.to(700)
    assert [act.split()[2] for act in trace.acts(since=130) if "start" in act] == [f"B-{n}" for n in range(8, -1, -1)]
    assert trace.killed == killed


def test_s14_a_stored_list_keeps_the_nil_rule_quiet() -> None:
    """Mode B: the console starts the evacuation under hold, a nudge stores the list, then the fault of S2b."""
    trace = started(HOLD)
    trace.to(60)
    trace.start_evacuation("B-2", towards="G")
    trace.to(61)
    trace.delay(HOLD - 1)
    trace.to(62)
    assert trace.update is not None
    assert trace.update["evacuationsStatus"][0]["state"] == "evicting_conns"
    trace.world.green_unready(0)
    trace.to(80)
    trace.delay(1)
    trace.to(101)
    assert trace.replicas("B") == 3
    trace.world.green_unready(0, ready=True)
    trace.to(121)
    assert trace.acts(since=62) == ["120 evacuated B-2", "120 B to 2"]
    assert trace.killed == 0


def test_s16_a_parallel_drain_evicts_nobody_twice() -> None:
    trace = started(HOLD)
    trace.to(60)
    for ordinal in (2, 1, 0):
        trace.start_evacuation(f"B-{ordinal}", towards="G")
    trace.to(90)
    trace.delay(HOLD - 1)
    trace.to(91)
    trace.delay(1)
    trace.to(200)
    assert [act for act in trace.acts(since=91) if "to" in act.split()] == ["91 B to 2", "111 B to 1", "131 B to 0"]
    assert trace.world.cluster().truth.total.disconnects == 900


def test_s17_a_sentinel_keeps_the_operator_from_starting_anything() -> None:
    trace = started(HOLD)
    trace.to(60)
    trace.start_evacuation("B-0", towards="G")
    trace.to(61)
    trace.delay(HOLD - 1)
    trace.to(62)
    trace.delay(1)
    trace.to(150)
    trace.world.operator.faults.append(ApiFault("refused", through="service"))
    trace.to(180)
    trace.world.operator.faults.clear()
    trace.to(190)
    trace.world.green_unready(1)
    trace.to(230)
    trace.world.green_unready(1, ready=True)
    trace.to(240)
    assert trace.acts(since=62) == []
    trace.start_evacuation("B-2", towards="G")
    trace.to(300)
    trace.start_evacuation("B-1", towards="G")
    trace.to(400)
    assert [act for act in trace.acts(since=240) if "to" in act.split()] == ["262 B to 2", "322 B to 1", "342 B to 0"]
    assert trace.killed == 0


def test_r1_stale_names_turn_the_nil_rule_against_blue() -> None:
    trace = started(HOLD)
    trace.to(100)
    trace.release_version("4.4.14", replicas=4)
    trace.to(130)
    assert trace.roles == ("B", "G"), "B is larger but not ready: the names stay as they were"
    trace.delay(1)
    trace.to(260)
    downs = [act for act in trace.acts(since=130) if "to" in act.split()]
    assert downs[0] == "130 B to 3"
    assert downs.count("130 B to 3") == 1
    assert len(downs) >= 4
    assert all(act.endswith("B to 3") for act in downs), "4 to 3, restored to 4, and again"
    assert trace.replicas("G") == 3


def test_rb2_with_the_status_cleared_green_is_drained() -> None:
    trace = started(HOLD)
    trace.to(100)
    trace.start_evacuation("G-2", towards="B")
    trace.to(120)
    trace.scale("G", 2)
    trace.to(130)
    trace.release_version("4.4.14")
    trace.to(131)
    trace.clear_update_status()
    trace.to(132)
    trace.delay(HOLD - 1)
    trace.to(180)
    assert trace.roles == ("G", "B")
    trace.delay(1)
    trace.to(300)
    assert [act for act in trace.acts(since=180) if "evacuated" not in act] == [
        "180 start G-1",
        "200 G to 1",
        "220 start G-0",
        "240 G to 0",
    ]
    assert trace.replicas("B") == 3
    assert trace.update is None
    assert trace.killed == 0


def test_removing_the_update_settings_during_a_release_crash_loops_the_operator() -> None:
    trace = started(60)
    trace.to(55)
    trace.patch({"blueGreenUpdate": None})
    trace.to(300)
    at = [round(instant - trace.start) for instant, _ in trace.world.operator.panics]
    assert at == [55, 58, 71, 94, 137, 220], "3 s to start, and a back-off of 0, 10, 20, 40, 80 s"
    assert "nil pointer" in trace.world.operator.panics[0][1]
    assert not trace.world.operator.running
    path = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee"
    reply = trace.world.api.request("PATCH", path, {}, {"spec": {"replicas": 3}}, "application/merge-patch+json")
    assert reply.status == 500, "its webhooks are down with it"


def test_an_api_outage_while_a_drained_pod_terminates_panics() -> None:
    trace = started(5)
    trace.to(75.2)
    trace.world.operator.faults.append(ApiFault("refused", through="service"))
    trace.to(75.5)
    trace.delay(4)
    trace.to(76)
    assert [why for _, why in trace.world.operator.panics] == ["runtime error: index out of range [0] with length 0"]
    trace.to(120)
    assert trace.world.operator.running, "once the pod is gone there is something at index 0 again"


@pytest.mark.parametrize("operator", ["2.1.2", "2.1.0"])
def test_the_oldest_line_has_no_nil_rule(operator: str) -> None:
    """The fault of S7b, on G1: nothing is scaled down while the API is away."""
    trace = started(5, operator=operator)
    trace.to(60)
    trace.world.operator.faults.append(ApiFault("refused", through="service"))
    trace.to(100)
    downs = [act for act in trace.acts() if "to" in act.split()]
    evacuated = [act for act in trace.acts() if "uccessfully" in act or "evacuated" in act]
    assert len(downs) <= len(evacuated)
    assert trace.killed == 0


def test_g2_behaves_as_g3_through_a_port_forward() -> None:
    trace = started(5, operator="G2")
    trace.to(400)
    assert [act for act in trace.acts() if "start" in act] == ["55 start B-2", "95 start B-1", "135 start B-0"]
