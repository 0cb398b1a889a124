"""The reference traces of the operator: N = 3, 300 clients per blue node, 100/s, waitTakeover 5, boot 15 s, stop 5 s.

The patch comes at 10. One difference runs through all traces: here a pending requeue survives a nudge, as in
client-go, so a pass that was due anyway still comes. Where the reference (in which the last requested delay replaced
the earlier one) says another second for that reason, the test says so.
"""

from __future__ import annotations

from emqx_tui.sandbox.operator.api_faults import ApiFault
from emqx_tui.sandbox.world.scenario import manifest
from tests.support.operator_trace import HOLD, Trace, started


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
    trace.world.operator.context.faults.append(ApiFault("refused", through="service"))
    trace.to(180)
    trace.world.operator.context.faults.clear()
    trace.to(190)
    trace.green_unready(1)
    trace.to(230)
    trace.green_unready(1, ready=True)
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


def test_g2_behaves_as_g3_through_a_port_forward() -> None:
    trace = started(5, operator="G2-mended")
    trace.to(400)
    assert [act for act in trace.acts() if "start" in act] == ["55 start B-2", "95 start B-1", "135 start B-0"]
