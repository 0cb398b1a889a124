"""What a person does to a release with patches, and with EMQX's own API: closes the valve, nudges, drains a node.

Owns nothing: all of it goes through a `Case`. Passes are asked for when something waits for one, since the operator's
own come every 20 s only, and never when it is held.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.cluster.case import CLOSED_S, Case

Object = dict[str, Any]
OPERATOR = "emqx-operator-controller-manager"
OPEN_S = 1
BLUE, GREEN = "4.4.14", "4.4.15"
SOON_S = 60.0
"""generous, for what takes a pass or two"""


class Hand:
    """A person at one case's cluster."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._closed_s = CLOSED_S

    # -- the valve

    def nudge(self) -> int:
        """Cause a pass of a closed operator; the resourceVersion of the patch."""
        self._closed_s += 1
        return int(self.case.set_delay(self._closed_s)["metadata"]["resourceVersion"])

    def open(self, seconds: int = OPEN_S) -> None:
        self.case.set_delay(seconds)

    def passes(self, count: int = 1) -> None:
        """So many passes of a closed operator, each seen to its first status write."""
        for _ in range(count):
            patched = self.nudge()
            self.case.wait_until(lambda patched=patched: self.version() > patched, "status write", within_s=SOON_S)
            # A pass in the same second as the last one may find its status unchanged and write nothing.
            later = time.time() + 1.1
            self.case.wait_until(lambda later=later: time.time() > later, "another second of the clock")

    def version(self) -> int:
        return int(self.case.resource["metadata"]["resourceVersion"])

    def hurry(
        self, condition: Callable[[], object], what: str, *, within_s: float = 120.0, every_s: float = 4.0
    ) -> None:
        """Nudge until something holds."""

        def one_round() -> bool:
            if condition():
                return True
            self.nudge()
            try:
                self.case.wait_until(condition, what, within_s=every_s)
            except AssertionError:
                return False
            return True

        self.case.wait_until(one_round, what, within_s=within_s)

    # -- the way to a held release

    def start_cluster(self, **how: Any) -> None:
        """A Running cluster, sooner than the operator's own passes would make it; its delay is CLOSED."""
        how.setdefault("clients", 90)
        how.setdefault("delay_s", CLOSED_S)
        replicas = how.setdefault("replicas", 3)
        clients, preset, churn = how.pop("clients"), how.pop("preset", "mqttx-default"), how.pop("churn_per_s", 0.0)
        self.case.create_cluster(**how)
        self.case.wait_until(lambda: self.running(BLUE) == replicas, "brokers", within_s=120)
        self.hurry(lambda: len(self.case.addresses()) == replicas and self.case.phase == "Running", "Running cluster")
        if clients:
            self.case.connect(clients, preset=preset, churn_per_s=churn)

    def start_held(self, **how: Any) -> None:
        """Two sets, both complete, startedAt set, valve closed."""
        self.start_cluster(**how)
        self.begin(replicas=how.get("replicas", 3))

    def begin(self, replicas: int = 3) -> None:
        self._closed_s += 1
        self.case.set_version(GREEN, initialDelaySeconds=self._closed_s)
        self.case.wait_until(lambda: self.running(GREEN) == replicas, "green brokers", within_s=120)
        self.hurry(lambda: self.case.blue_green.get("startedAt"), "startedAt")

    def quiet(self) -> None:
        """Until nothing of before the hold is pending: the last full pass ordered another one, 20 s later."""
        started_at = datetime.fromisoformat(self.case.blue_green["startedAt"])
        self.case.wait_until(lambda: (datetime.now(UTC) - started_at).total_seconds() > 24, "quiet operator")

    def running(self, version: str) -> int:
        """Brokers of that version that have joined."""
        try:
            nodes = self.case.truth()["nodes"].values()
        except AssertionError:
            return 0
        return sum(1 for node in nodes if node["running"] and node["version"] == version)

    # -- EMQX

    def ask(self, pod: str, method: str, path: str, body: object = None) -> Any:
        """What a pod's management API answers to the operator's own credentials."""
        secret = self.case.get("secrets", f"{self.case.name}-bootstrap-user")
        line = base64.b64decode(secret["data"]["bootstrap_user"]).decode().split("\n")[-1]
        asked = {
            "method": method,
            "path": f"/api/v4/{path}",
            "body": "" if body is None else json.dumps(body),
            "authorization": "Basic " + base64.b64encode(line.encode()).decode(),
        }
        reply = self.case.cluster.control.post(f"/pods/{self.case.namespace}/{pod}/ask", asked)
        assert reply["status"] == 200, reply
        return json.loads(reply["body"])

    def node(self, pod: str) -> str:
        """The EMQX node name of a pod."""
        return next(name for name in self.case.truth()["nodes"] if name.partition("@")[2].startswith(f"{pod}."))

    def start(self, pod: str, to: Sequence[str], *, rate: int = 100, take_over_s: int = 1) -> Any:
        """Evacuate a pod's clients to other pods."""
        options = {
            "conn_evict_rate": rate,
            "sess_evict_rate": rate,
            "wait_takeover": take_over_s,
            "migrate_to": [self.node(each) for each in to],
        }
        return self.ask(pod, "POST", f"load_rebalance/{self.node(pod)}/evacuation/start", options)

    def stop(self, pod: str) -> Any:
        return self.ask(pod, "POST", f"load_rebalance/{self.node(pod)}/evacuation/stop")

    def drained(self, pod: str) -> bool:
        found = self.ask(pod, "GET", "load_rebalance/status")
        stats = found.get("stats") or {}
        return found.get("state") == "prohibiting" and stats["current_connected"] == stats["current_sessions"] == 0

    def drain(self, pod: str, to: Sequence[str]) -> None:
        """Evacuate a pod and wait until it has no client."""
        assert self.start(pod, to)["code"] == 0
        self.case.wait_until(lambda: self.drained(pod), f"drained {pod}")

    def spoil(self, path: str, status: int = 503, body: str = "") -> None:
        """What the operator gets from EMQX's API for a path from now on."""
        told = {"path": path, "status": status, "body": body}
        self.case.cluster.control.post(f"/answers/{self.case.namespace}", told)

    def mend(self, path: str) -> None:
        self.case.cluster.control.post(f"/answers/{self.case.namespace}", {"path": path})

    # -- Kubernetes

    def pods(self, stateful_set: Object) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.case.pods_of(stateful_set)]

    @property
    def blue_pods(self) -> list[str]:
        return self.pods(self.case.blue)

    @property
    def green_pods(self) -> list[str]:
        return self.pods(self.case.green)

    def scale(self, stateful_set: Object, replicas: int, **metadata: str) -> Object:
        """By the scale sub-resource; the answer, whatever it is. `metadata` are preconditions."""
        body: Object = {"spec": {"replicas": replicas}}
        if metadata:
            body["metadata"] = metadata
        return self.case.try_patch("statefulsets", body, stateful_set["metadata"]["name"], sub="scale")

    def settled(self, stateful_set: Object) -> bool:
        """Its controller has seen what it wants, and as many pods are there."""
        found = self.case.get("statefulsets", stateful_set["metadata"]["name"])
        wanted = found["spec"]["replicas"]
        status = found["status"]
        seen = status.get("observedGeneration") == found["metadata"]["generation"]
        return seen and status.get("replicas", 0) == wanted == len(self.pods(found))

    def switch(self, pods: Sequence[str], **metadata: str) -> Object:
        """Write these pods into the listener's Endpoints, ports as they are; the answer, whatever it is."""
        subset = self.case.get("endpoints")["subsets"][0]
        body = {"subsets": [{"addresses": [self.address(pod) for pod in pods], "ports": subset["ports"]}]}
        return self.case.try_patch("endpoints", {**body, "metadata": metadata} if metadata else body)

    def address(self, pod: str) -> Object:
        found = self.case.get("pods", pod)
        target = {"kind": "Pod", "namespace": self.case.namespace, "name": pod, "uid": found["metadata"]["uid"]}
        return {"ip": found["status"]["podIP"], "nodeName": found["spec"]["nodeName"], "targetRef": target}

    def routed(self) -> list[str]:
        """Pods that a new connection of a client may get, by name, sorted."""
        return sorted(str(node).partition("@")[2].partition(".")[0] for node in self.case.truth()["route"])

    def ready(self, pod: str) -> bool:
        found = self.case.find("pods", pod) or {}
        conditions = (found.get("status") or {}).get("conditions") or ()
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    # -- what the operator did

    def writes(self, plural: str, sub: str = "", *, after: int = 0) -> list[Object]:
        """The operator's writes to a kind, without those the first `after`."""
        return self.case.audit(plural, sub, OPERATOR)[after:]

    def events(self, word: str) -> list[str]:
        found = self.case.list("events")
        return [each["message"] for each in found if word in each["message"]]

    def starts(self) -> list[Object]:
        """Evacuations that the operator asked for."""
        return [each for each in self.case.asked("evacuation/start") if each["way"] == "direct"]
