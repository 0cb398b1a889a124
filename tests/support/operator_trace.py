"""A settled cluster under trace: seconds since its start, and what the operator did in them.

Unless a test says otherwise the operator is one that keeps an empty evacuation list through its status write, as the
reference took for granted; the released ones do not, and `test_operator_alone` has what follows.

Seconds count from the start of a world whose operator passes fall at 10, 30, 50 ... when nothing disturbs them.
Letters: B is the set that was there, G the first one made after it, T the next.
"""

from __future__ import annotations

import json
from typing import Any

from emqx_tui.sandbox.clients.presets import Preset
from emqx_tui.sandbox.kube.objects import Object, is_ready, is_terminating
from emqx_tui.sandbox.world.scenario import manifest
from emqx_tui.sandbox.world.world import World, WorldConfig

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

    def __init__(
        self,
        *,
        delay_s: int,
        nodes: int = 3,
        conn_evict_rate_per_s: int = 100,
        sess_evict_rate_per_s: int = 100,
        wait_takeover_s: int = 5,
        cr: Object | None = None,
        **config: Any,
    ) -> None:
        settings = {"clients": 300 * nodes, "preset": PATIENT, "churn_per_s": 0.0, "operator": "G3-mended", **config}
        self.world = World(WorldConfig(**settings), seed=1)
        cr = cr or manifest(
            delay_s=delay_s,
            replicas=nodes,
            conn_evict_rate_per_s=conn_evict_rate_per_s,
            sess_evict_rate_per_s=sess_evict_rate_per_s,
            wait_takeover_s=wait_takeover_s,
        )
        self.world.settle_cluster(cr)
        self.start = self.world.now
        self.letters: dict[str, str] = {}
        self.endpoints: list[tuple[float, list[str]]] = []
        for each in self.world.store.list("statefulsets"):
            self._letter(each)
        self.world.informer.on("statefulsets", lambda event_type, each: self._letter(each))
        self.world.informer.on("endpoints", self._on_endpoints)

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

    def green_unready(self, ordinal: int, *, ready: bool = False) -> None:
        """Make a pod of the newest set fail its readiness probe, or pass it again."""
        sets = [each for each in self.world.store.list("statefulsets") if each["spec"]["replicas"]]
        newest = max(sets, key=lambda each: each["metadata"]["creationTimestamp"])
        self.world.set_ready(f"{newest['metadata']['name']}-{ordinal}", ready)

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
