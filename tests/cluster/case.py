"""One test's part of the cluster: a namespace, an EmqxEnterprise in it, its clients, and what happened to them.

Owns the namespace and deletes it. Whatever the test knows comes from the API server, from its audit log, from what
EMQX's API was asked, and from the bed's own count of clients; never from the product.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import secrets
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import yaml

from tests.cluster.bed.outside import Control, Unavailable
from tests.support.programs import Headless, run, wait_until

Object = dict[str, Any]
T = TypeVar("T")
NAME = "emqx-ee"
MERGE, JSON_PATCH, STRATEGIC = (
    f"application/{kind}+json" for kind in ("merge-patch", "json-patch", "strategic-merge-patch")
)
GROUPS = {
    "emqxenterprises": "/apis/apps.emqx.io/v1beta4",
    "emqxplugins": "/apis/apps.emqx.io/v1beta4",
    "rebalances": "/apis/apps.emqx.io/v2beta1",
    "statefulsets": "/apis/apps/v1",
    "deployments": "/apis/apps/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
    "leases": "/apis/coordination.k8s.io/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
}
READS = {"get", "list", "watch"}
CLOSED_S = 1_000_000_000
"""`initialDelaySeconds` of an operator that is held"""
_numbers = itertools.count(1)


def received_at(entry: Object) -> float:
    """When the API server got the request of an entry of its audit log."""
    return datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp()


class Cluster:
    """The API server, and the bed behind it unless it is somebody's own cluster."""

    def __init__(self, kubeconfig: Path, control: Control | None) -> None:
        self.kubeconfig = kubeconfig
        self._control = control
        config = yaml.safe_load(kubeconfig.read_text("utf-8"))
        context = next(each["context"] for each in config["contexts"] if each["name"] == config["current-context"])
        self._where = next(each["cluster"] for each in config["clusters"] if each["name"] == context["cluster"])
        self._user = next(each["user"] for each in config["users"] if each["name"] == context["user"])
        self.http = httpx.Client(base_url=self._where["server"], verify=self.tls(), headers=self._headers(), timeout=30)

    @staticmethod
    def wait_for(log: Path, within_s: float) -> None:
        """Until the bed that writes `log` is up; raises `Unavailable` with what it said instead."""
        wait_until(lambda: "up until" in log.read_text() or "did not" in log.read_text(), "bed", within_s=within_s)
        if "up until" not in log.read_text():
            raise Unavailable(log.read_text())

    def tls(self) -> ssl.SSLContext:
        if data := self._where.get("certificate-authority-data"):
            return ssl.create_default_context(cadata=base64.b64decode(data).decode())
        return ssl.create_default_context(cafile=self._where.get("certificate-authority"))

    def _headers(self) -> dict[str, str]:
        assert "token" in self._user, "a cluster for these tests is reached by a token"
        return {"Authorization": f"Bearer {self._user['token']}"}

    @property
    def control(self) -> Control:
        if self._control is None:
            pytest.skip("only the bed can tell or do this")
        return self._control

    @property
    def folder(self) -> Path:
        """Where the bed has its logs."""
        return self.kubeconfig.parent

    def audit_lines(self) -> list[str]:
        """Of the audit log; the API server may still write the last one."""
        whole, _, _ = (self.folder / "audit.log").read_text().rpartition("\n")
        return whole.split("\n") if whole else []

    # -- objects

    @staticmethod
    def path(plural: str, namespace: str | None = None, name: str | None = None, sub: str | None = None) -> str:
        inner = f"/namespaces/{namespace}" if namespace else ""
        rest = "".join(f"/{part}" for part in (name, sub) if part)
        return f"{GROUPS.get(plural, '/api/v1')}{inner}/{plural}{rest}"

    def call(self, method: str, path: str, body: object = None, kind: str = "application/json", **query: str) -> Object:
        """The answer, whatever it is; `code` is in it when it is a refusal."""
        content = None if body is None else json.dumps(body)
        headers = {"Content-Type": kind, "User-Agent": "test"}
        return self.http.request(method, path, content=content, headers=headers, params=query).json()


class Case:
    """A namespace with one cluster in it."""

    def __init__(self, cluster: Cluster, home: Path) -> None:
        self.cluster = cluster
        self.home = home
        self.namespace = f"t{secrets.token_hex(3)}-{next(_numbers)}"
        self.name = NAME
        self.clients = 0
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        self.must(self.cluster.call("POST", Cluster.path("namespaces"), made))
        self.wait_until(lambda: self.find("serviceaccounts", "default"), "service account")

    def close(self) -> None:
        """EmqxEnterprise first, so that the operator is done with it; the rest is the namespace controller's."""
        self.cluster.call("DELETE", Cluster.path("emqxenterprises", self.namespace, self.name))
        self.cluster.call("DELETE", Cluster.path("namespaces", None, self.namespace))

    # -- waiting

    @staticmethod
    def wait_until(condition: Callable[[], object], what: str, *, within_s: float = 90.0) -> None:
        wait_until(condition, what, within_s=within_s, every_s=0.2)

    def holds_for(self, seconds: float, condition: Callable[[], object], what: str) -> None:
        """Fails as soon as the condition does not hold, within that time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert condition(), what
            time.sleep(0.5)

    # -- objects

    @staticmethod
    def must(answer: Object) -> Object:
        assert not (answer.get("kind") == "Status" and answer.get("status") == "Failure"), answer
        return answer

    def find(self, plural: str, name: str | None = None) -> Object | None:
        answer = self.cluster.call("GET", Cluster.path(plural, self.namespace, name or self.name))
        return None if answer.get("code") == 404 else self.must(answer)

    def get(self, plural: str, name: str | None = None) -> Object:
        found = self.find(plural, name)
        assert found is not None, f"no {plural} {name or self.name}"
        return found

    def list(self, plural: str, labels: str = "") -> list[Object]:
        query = {"labelSelector": labels} if labels else {}
        return self.must(self.cluster.call("GET", Cluster.path(plural, self.namespace), **query))["items"]

    def create(self, plural: str, body: Object) -> Object:
        return self.must(self.cluster.call("POST", Cluster.path(plural, self.namespace), body))

    def patch(self, plural: str, body: object, name: str | None = None, **how: str | None) -> Object:
        """As `try_patch`; a refusal fails the test."""
        return self.must(self.try_patch(plural, body, name, **how))

    def try_patch(
        self,
        plural: str,
        body: object,
        name: str | None = None,
        *,
        sub: str | None = None,
        kind: str | None = None,
        **query: str | None,
    ) -> Object:
        """The patched object, or the Status of a refusal; `kind` is the content type, a merge patch without."""
        path = Cluster.path(plural, self.namespace, name or self.name, sub)
        given = {key: value for key, value in query.items() if value is not None}
        return self.cluster.call("PATCH", path, body, kind or MERGE, **given)

    def delete(self, plural: str, name: str | None = None) -> Object:
        return self.must(self.cluster.call("DELETE", Cluster.path(plural, self.namespace, name or self.name)))

    # -- the EmqxEnterprise

    @property
    def resource(self) -> Object:
        return self.get("emqxenterprises")

    def patch_spec(self, **spec: Any) -> Object:
        return self.patch("emqxenterprises", {"spec": spec})

    def set_version(self, version: str, **blue_green: Any) -> Object:
        """What people patch to start a release."""
        spec: Object = {"template": {"spec": {"emqxContainer": {"image": {"version": version}}}}}
        if blue_green:
            spec["blueGreenUpdate"] = blue_green
        return self.patch_spec(**spec)

    def set_delay(self, seconds: int) -> Object:
        return self.patch_spec(blueGreenUpdate={"initialDelaySeconds": seconds})

    @property
    def blue_green(self) -> Object:
        """`status.blueGreenUpdateStatus`; empty when there is none."""
        return (self.resource.get("status") or {}).get("blueGreenUpdateStatus") or {}

    @property
    def phase(self) -> str:
        conditions = (self.resource.get("status") or {}).get("conditions") or ()
        return next((each["type"] for each in conditions if each["status"] == "True"), "")

    @property
    def sets(self) -> list[Object]:
        """StatefulSets, oldest first."""
        return sorted(
            self.list("statefulsets"),
            key=lambda each: (each["metadata"]["creationTimestamp"], each["metadata"]["name"]),
        )

    @property
    def blue(self) -> Object:
        return self.sets[0]

    @property
    def green(self) -> Object:
        return self.sets[1]

    def replicas(self) -> list[int]:
        """Wanted pods of every StatefulSet, oldest first."""
        return [each["spec"]["replicas"] for each in self.sets]

    def pods_of(self, stateful_set: Object) -> list[Object]:
        uid = stateful_set["metadata"]["uid"]
        pods = [
            p for p in self.list("pods") if any(o["uid"] == uid for o in p["metadata"].get("ownerReferences") or ())
        ]
        return sorted(pods, key=lambda pod: int(pod["metadata"]["name"].rpartition("-")[2]))

    def addresses(self) -> list[str]:
        """Pods in the listener's Endpoints, by name, sorted."""
        endpoints = self.find("endpoints") or {}
        listed = [each for subset in endpoints.get("subsets") or () for each in subset.get("addresses") or ()]
        return sorted(each["targetRef"]["name"] for each in listed)

    def start_cluster(
        self,
        *,
        replicas: int = 3,
        clients: int = 300,
        preset: str = "mqttx-default",
        churn_per_s: float = 0.0,
        **how: Any,
    ) -> None:
        """Create it, wait until the operator says Running and lists all pods, and let the clients connect."""
        self.create_cluster(replicas=replicas, **how)
        self.wait_until(
            lambda: self.phase == "Running" and len(self.addresses()) == replicas, "Running cluster", within_s=240
        )
        if clients:
            self.connect(clients, preset=preset, churn_per_s=churn_per_s)

    def create_cluster(
        self,
        *,
        replicas: int = 3,
        version: str = "4.4.14",
        delay_s: int | None = 5,
        rate: int = 20,
        take_over_s: int = 5,
        ports: Sequence[Mapping[str, Any]] = (),
        **spec: Any,
    ) -> None:
        """Only the object; nothing is waited for."""
        strategy = {"waitTakeover": take_over_s, "connEvictRate": rate, "sessEvictRate": rate}
        blue_green: Object = {"evacuationStrategy": strategy}
        if delay_s is not None:
            blue_green["initialDelaySeconds"] = delay_s
        container = {"image": {"repository": "emqx/emqx-ee", "version": version}}
        made: Object = {
            "apiVersion": "apps.emqx.io/v1beta4",
            "kind": "EmqxEnterprise",
            "metadata": {"name": self.name},
            "spec": {
                "replicas": replicas,
                "blueGreenUpdate": blue_green,
                "template": {"spec": {"emqxContainer": container}},
                **spec,
            },
        }
        if ports:
            made["spec"]["serviceTemplate"] = {"spec": {"ports": list(ports)}}
        self.create("emqxenterprises", made)

    def wait_for_green(self, *, within_s: float = 120.0) -> None:
        """Until the operator knows both sets and has begun its delay."""
        self.wait_until(lambda: self.blue_green.get("startedAt"), "startedAt", within_s=within_s)

    # -- the bed's own knowledge

    @property
    def _at(self) -> str:
        return f"/clusters/{self.namespace}/{self.name}"

    def connect(self, size: int, *, preset: str = "mqttx-default", churn_per_s: float = 0.0) -> None:
        self.wait_until(lambda: self.truth()["route"], "route")
        self.cluster.control.post(f"{self._at}/clients", {"size": size, "preset": preset, "churn_per_s": churn_per_s})
        self.clients = size
        if "messages" in self.truth():
            self.wait_until(lambda: self.truth()["live"] == size, "MQTT clients")
            self.cluster.control.post(f"{self._at}/mark")

    def truth(self) -> Object:
        """nodes, route, live, lowest_live, size, waiting, lost, since_mark; per_node or, of MQTT clients, messages."""
        return self.cluster.control.get(self._at)

    def live(self) -> dict[str, int]:
        """Live connections by pod name."""
        return {name.partition("@")[2].partition(".")[0]: node["live"] for name, node in self.truth()["nodes"].items()}

    def evacuating(self) -> list[str]:
        """Pods whose broker evacuates now."""
        nodes = self.truth()["nodes"]
        return sorted(name.partition("@")[2].partition(".")[0] for name, node in nodes.items() if node["evacuating"])

    def times(self, **seconds: Any) -> None:
        """boot_s, stop_s, linger_s, ready_lag_s, boots={"4.4.15": s, "4.4.15/2": s}: for pods from now on."""
        self.cluster.control.post(f"/namespaces/{self.namespace}/times", seconds)

    def to_pod(self, pod: str, what: str, **how: Any) -> None:
        """kill, restart, pause, continue, ready=bool, hang (hanging=bool: for the operator alone), or faults
        (api_down, slow, unauthorized, stats_frozen) of a simulated broker.
        """
        self.cluster.control.post(f"/pods/{self.namespace}/{pod}/{what}", how)

    def asked(self, word: str = "") -> list[Object]:
        """Requests to EMQX's API that change something: way is "direct" (operator) or "forwarded" (console)."""
        return [each for each in self.cluster.control.get(f"/asked/{self.namespace}") if word in each["path"]]

    def audit(self, plural: str = "", sub: str = "", user: str = "", *, since: float = 0.0) -> list[Object]:
        """Writes to the API server in this namespace, in order, as its audit log has them."""
        found = []
        for line in self.cluster.audit_lines():
            if f'"{self.namespace}"' not in line:
                continue
            entry = json.loads(line)
            where = entry.get("objectRef") or {}
            if where.get("namespace") != self.namespace or entry["verb"] in READS:
                continue
            if plural and (where.get("resource"), where.get("subresource", "")) != (plural, sub):
                continue
            if user in entry["user"]["username"] and received_at(entry) >= since:
                found.append(entry)
        return found

    def allow_namespace_only(self) -> None:
        """What the kubeconfig's context `namespace-only` needs to have every right here, and none elsewhere."""
        group, rbac = "bed:namespace-only", "rbac.authorization.k8s.io"
        made = {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "namespace-only"},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "bed-namespace-only"},
            "subjects": [{"apiGroup": rbac, "kind": "Group", "name": group}],
        }
        self.create("rolebindings", made)

    # -- programs

    def kubectl(self, *words: str, told: str | None = None, fails: bool = False) -> str:
        """What kubectl prints; with `fails` what it complains about."""
        command = ["kubectl", "--kubeconfig", str(self.cluster.kubeconfig), "-n", self.namespace, *words]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        done = subprocess.run(
            command, input=told, capture_output=True, text=True, timeout=60, check=False, env=environment
        )
        assert (done.returncode != 0) == fails, done.stderr or done.stdout
        return done.stderr if fails else done.stdout

    @property
    def flags(self) -> list[str]:
        return ["--kubeconfig", str(self.cluster.kubeconfig), "-n", self.namespace]

    def console(self, *words: str, within_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """emqx-tui, to its end."""
        return run([*words[:1], *self.flags, *words[1:]], self.home, within_s=within_s)

    def release(self, version: str = "4.4.15", *words: str) -> Headless:
        """`with case.release() as driver:` runs `emqx-tui rollout`; it tells JSON lines."""
        flags = ["rollout", *self.flags, "-o", "jsonl", "--set", f"image.version={version}", *words, self.name]
        return Headless(flags, self.home)
