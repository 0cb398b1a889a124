"""What the operator does when something fails: the reference's traces with faults, and its crashes.

Seconds and letters as in `operator_trace`; the patch comes at 10.
"""

from __future__ import annotations

import pytest

from emqx_tui.sandbox.operator.api_faults import ApiFault
from emqx_tui.sandbox.world.scenario import manifest
from tests.support.operator_trace import HOLD, Trace, started


def test_s2b_a_release_while_green_is_not_ready_fires_the_nil_rule() -> None:
    """The reference kills all 360 clients of B-1. Here the start that follows evicts the first hundred of them."""
    trace = started(HOLD)
    for second, delay_s in ((100, 1), (101, HOLD), (200, 1), (201, HOLD), (260, HOLD - 1)):
        trace.to(second)
        trace.delay(delay_s)
    trace.to(262)
    trace.green_unready(0)
    trace.to(270)
    clients = next(n.live for name, n in trace.world.cluster().nodes.items() if trace.full("B-1") in name)
    trace.delay(1)
    trace.to(272)
    assert trace.acts(since=262) == ["270 B to 1", "270 start B-1"]
    assert 320 < clients < 400
    assert trace.killed == clients - 100


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
    trace.world.operator.context.faults.append(ApiFault("eof", through="service"))
    trace.to(62)
    trace.world.operator.context.faults.clear()
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
    trace.world.operator.context.faults.append(ApiFault("refused", through="service"))
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
    trace.green_unready(0)
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
        trace.world.operator.context.faults.append(ApiFault("refused", through="service"))
    else:
        trace.green_unready(0)
    trace.to(110)
    trace.delay(4)
    trace.to(130)
    assert trace.acts(since=96) == []
    trace.world.operator.context.faults.clear()
    if fault == "green":
        trace.green_unready(0, ready=True)
    trace.to(300)
    assert trace.killed == 0
    assert trace.replicas("B") == 0
    assert trace.update is None


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
    trace.green_unready(0)
    trace.to(80)
    trace.delay(1)
    trace.to(101)
    assert trace.replicas("B") == 3
    trace.green_unready(0, ready=True)
    trace.to(121)
    assert trace.acts(since=62) == ["120 evacuated B-2", "120 B to 2"]
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
    trace.world.operator.context.faults.append(ApiFault("refused", through="service"))
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
    trace.world.operator.context.faults.append(ApiFault("refused", through="service"))
    trace.to(100)
    downs = [act for act in trace.acts() if "to" in act.split()]
    evacuated = [act for act in trace.acts() if "uccessfully" in act or "evacuated" in act]
    assert len(downs) <= len(evacuated)
    assert trace.killed == 0


def test_int32_max_is_no_hold_once_the_operators_clock_goes_back() -> None:
    """remaining = delay - elapsed wraps when startedAt lies in the future, after a change of the leader's machine."""
    trace = started(2**31 - 1)
    trace.to(60)
    assert trace.acts() == ["50 Delay 2147483647 seconds"]
    trace.world.operator.context.clock_skew_s = -30.0
    trace.world.operator.restart(after_s=1.0)
    trace.to(62)
    assert trace.acts(since=60) == ["61 start B-2"]


def test_a_hold_with_some_room_survives_the_same() -> None:
    trace = started(1_000_000_000)
    trace.to(60)
    trace.world.operator.context.clock_skew_s = -30.0
    trace.world.operator.restart(after_s=1.0)
    trace.to(62)
    assert trace.acts(since=60) == ["61 Delay 1000000019 seconds"]


def test_without_rates_every_start_is_refused_and_nobody_tells() -> None:
    trace = Trace(delay_s=5, conn_evict_rate_per_s=0, sess_evict_rate_per_s=0)
    trace.to(10)
    trace.release_version()
    trace.to(120)
    assert trace.acts(since=51) == ["55 start B-2", "75 start B-2", "95 start B-2", "115 start B-2"]
    assert trace.evacuations() == {}
    assert not [
        each for each in trace.world.operator.reports if each.reason == "ReconcileError" and each.at > trace.start
    ]


def test_a_takeover_wait_of_zero_is_not_sent() -> None:
    """EMQX then takes its own 60 s."""
    trace = Trace(delay_s=5, wait_takeover_s=0)
    trace.to(10)
    trace.release_version()
    trace.to(110)
    assert trace.evacuations() == {"B-2": "waiting_takeover"}
    trace.to(125)
    assert trace.evacuations() == {"B-2": "prohibiting"}
