"""The session that is played on both sides: the same kubectl commands, the same requests, the same console.

Owns the order of its steps. A step waits for a state of the cluster, never for a time, so that the times are the
side's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.cluster.case import JSON_PATCH, MERGE, STRATEGIC, Case, Cluster, Object
from tests.cluster.compare.recording import KINDS, Recorder, Recording

MANIFEST = """\
apiVersion: apps.emqx.io/v1beta4
kind: EmqxEnterprise
metadata:
  name: emqx-ee
  annotations: {team: messaging}
spec:
  blueGreenUpdate:
    initialDelaySeconds: 5
    evacuationStrategy: {waitTakeover: 5, connEvictRate: 20, sessEvictRate: 20}
  template:
    spec:
      emqxContainer:
        image: {repository: emqx/emqx-ee, version: 4.4.14}
        emqxConfig: {mqtt.max_packet_size: 2MB}
"""
KEEPING = """\
apiVersion: apps.emqx.io/v1beta4
kind: EmqxEnterprise
metadata:
  name: keeping
spec:
  replicas: 1
  persistent:
    spec:
      accessModes: [ReadWriteOnce]
      resources: {requests: {storage: 20Mi}}
  template:
    spec:
      emqxContainer:
        image: {repository: emqx/emqx-ee, version: 4.4.14}
  license: {stringData: "a licence"}
"""
CLIENTS = 90


class Session:
    """Plays the steps and notes what each was told."""

    def __init__(self, case: Case, recorder: Recorder) -> None:
        self.case = case
        self.recorder = recorder
        self.answers = recorder.recording.answers

    def play(self) -> Recording:
        for step in (
            self.create,
            self.read,
            self.print,
            self.ask,
            self.release_by_the_operator_alone,
            self.scale,
            self.release_by_the_console,
            self.delete,
        ):
            self.recorder.mark(step.__name__)
            step()
        self.recorder.mark("end")
        return self.recorder.recording

    # -- steps

    def create(self) -> None:
        case = self.case
        self._tell("apply", lambda: case.kubectl("apply", "-f", "-", told=MANIFEST))
        self._tell("apply keeping", lambda: case.kubectl("apply", "-f", "-", told=KEEPING))
        case.wait_until(lambda: case.phase == "Running" and len(case.addresses()) == 3, "Running", within_s=240)
        case.wait_until(lambda: self._phase("keeping") == "Running", "Running", within_s=240)
        case.connect(CLIENTS)
        # A pass of the operator with nothing to do shows what it writes all the same.
        self._let_pass()
        case.wait_until(lambda: sum(case.live().values()) == CLIENTS, "clients")

    def read(self) -> None:
        for plural in KINDS:
            self.answers[f"list {plural}"] = self.case.cluster.call("GET", Cluster.path(plural, self.case.namespace))

    def print(self) -> None:
        kinds = [kind for kind in KINDS if kind not in ("events", "endpointslices")]
        for kind in kinds:
            self._tell(f"get {kind}", lambda kind=kind: self.case.kubectl("get", kind))
        for kind in ("emqxenterprises", "statefulsets", "pods", "services", "endpoints"):
            self._tell(f"get -o wide {kind}", lambda kind=kind: self.case.kubectl("get", kind, "-o", "wide"))
            self._tell(f"describe {kind}", lambda kind=kind: self.case.kubectl("describe", kind))
        self._tell("unchanged", lambda: self.case.kubectl("apply", "-f", "-", told=MANIFEST))

    def ask(self) -> None:
        """Requests that change nothing: dry runs that are accepted, and refusals of all kinds."""
        for what, method, path, body, kind, query in _questions(self.case):
            content = None if body is None else json.dumps(body)
            headers = {"Content-Type": kind, "User-Agent": "test"}
            answer = self.case.cluster.http.request(method, path, content=content, headers=headers, params=query)
            is_json = answer.headers.get("content-type", "").startswith("application/json")
            self.answers[f"ask {what}"] = {
                "code": answer.status_code,
                "warning": answer.headers.get("warning"),
                "body": answer.json() if is_json else answer.text,
            }

    def release_by_the_operator_alone(self) -> None:
        case = self.case
        patch = json.dumps(_version("4.4.15"))
        self._tell("patch", lambda: case.kubectl("patch", "emqxenterprise", case.name, "--type=merge", "-p", patch))
        case.wait_for_green()
        case.wait_until(
            lambda: self._replicas() == [0, 3] and not case.blue_green and case.phase == "Running",
            "end of the release",
            within_s=500,
        )
        self._let_pass()

    def scale(self) -> None:
        case = self.case
        self._tell("scale", lambda: case.kubectl("scale", "emqxenterprise", case.name, "--replicas=4"))
        case.wait_until(lambda: len(case.addresses()) == 4 and case.phase == "Running", "four pods", within_s=120)
        self._tell("scale back", lambda: case.kubectl("scale", "emqxenterprise", case.name, "--replicas=3"))
        case.wait_until(lambda: len(case.addresses()) == 3 and case.phase == "Running", "three pods", within_s=120)
        self._let_pass()

    def release_by_the_console(self) -> None:
        lost = self.case.truth()["lost"]
        with self.case.release("4.4.16", "--approve", "auto") as driver:
            self.answers["console ends with"] = driver.end(within_s=600)
        self._let_pass()
        self.answers["clients lost by the console"] = self.case.truth()["lost"] - lost

    def delete(self) -> None:
        case = self.case
        self._tell("delete", lambda: case.kubectl("delete", "emqxenterprise", case.name, "keeping", "--wait=false"))
        left = ("statefulsets", "pods", "services", "endpoints", "endpointslices", "emqxplugins")
        case.wait_until(lambda: not any(case.list(kind) for kind in left), "nothing left", within_s=120)
        for plural in (kind for kind in KINDS if kind != "events"):
            self.answers[f"left {plural}"] = sorted(each["metadata"]["name"] for each in case.list(plural))

    # -- small

    def _tell(self, what: str, work: Callable[[], str]) -> None:
        self.answers[what] = work()

    def _phase(self, name: str) -> str:
        conditions = (self.case.get("emqxenterprises", name).get("status") or {}).get("conditions") or ()
        return next((each["type"] for each in conditions if each["status"] == "True"), "")

    def _replicas(self) -> list[int]:
        """Of the released cluster's sets, oldest first."""
        return [each["spec"]["replicas"] for each in self.case.sets if each["metadata"]["name"] != "keeping"]

    def _let_pass(self) -> None:
        """For one whole pass of the operator over a cluster that needs nothing."""
        self.case.holds_for(22.0, lambda: True, "")


def _version(version: str) -> Object:
    return {"spec": {"template": {"spec": {"emqxContainer": {"image": {"version": version}}}}}}


def _container(**fields: Any) -> Object:
    return {"spec": {"template": {"spec": {"emqxContainer": fields}}}}


def _questions(case: Case) -> list[tuple[str, str, str, object, str, dict[str, str]]]:
    """What is asked, by name: method, path, body, content type, query."""
    space, name = case.namespace, case.name
    one = Cluster.path("emqxenterprises", space, name)
    many = Cluster.path("emqxenterprises", space)
    dry = {"dryRun": "All"}
    strict = {**dry, "fieldValidation": "Strict"}
    stateful_set = next(each["metadata"]["name"] for each in case.sets if each["metadata"]["name"] != "keeping")
    a_set = Cluster.path("statefulsets", space, stateful_set)
    endpoints = Cluster.path("endpoints", space, name)
    a_pod = Cluster.path("pods", space, f"{stateful_set}-0")
    current = case.resource
    stale = {"metadata": {"resourceVersion": "1"}}
    lease = {"metadata": {"name": "l"}, "spec": {"leaseDurationSeconds": 0}}
    loopback = {"subsets": [{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": 1}]}]}
    no_address = {"subsets": [{"addresses": [{"ip": "here"}], "ports": [{"port": 1}]}]}
    two_ports = {"spec": {"ports": [{"port": 1883}, {"port": 1884}]}}
    merge, plain = MERGE, "application/json"

    def patch(body: object, path: str = one, kind: str = merge, query: dict[str, str] = dry) -> tuple[Any, ...]:
        return "PATCH", path, body, kind, query

    asked: dict[str, tuple[Any, ...]] = {
        "version": patch(_version("4.4.15")),
        "version, strict": patch(_version("4.4.15"), query=strict),
        "version latest": patch(_version("latest")),
        "version too old": patch(_version("4.4.13")),
        "version too new": patch(_version("5.1.0")),
        "version that is none": patch(_version("new")),
        "version that is a number": patch(_version(5)),  # type: ignore[arg-type]
        "no version": patch(_version(None)),  # type: ignore[arg-type]
        "no container": patch({"spec": {"template": {"spec": {"emqxContainer": None}}}}),
        "other node name": patch(_container(emqxConfig={"name": "other"})),
        "other discovery": patch(_container(emqxConfig={"cluster.discovery": "k8s"})),
        "persistent": patch({"spec": {"persistent": {"spec": {"accessModes": ["ReadWriteOnce"]}}}}),
        "bootstrap keys": patch(_container(bootstrapAPIKeys=[{"key": "a", "secret": "b"}])),
        "text for a number": patch({"spec": {"blueGreenUpdate": {"initialDelaySeconds": "5"}}}),
        "negative delay": patch({"spec": {"blueGreenUpdate": {"initialDelaySeconds": -1}}}),
        "too large a delay": patch({"spec": {"blueGreenUpdate": {"initialDelaySeconds": 3_000_000_000}}}),
        "no update": patch({"spec": {"blueGreenUpdate": None}}),
        "delay of zero": patch({"spec": {"blueGreenUpdate": {"initialDelaySeconds": 0}}}),
        "no strategy": patch({"spec": {"blueGreenUpdate": {"evacuationStrategy": None}}}),
        "unknown field": patch({"spec": {"colour": "green"}}),
        "unknown field, strict": patch({"spec": {"colour": "green"}}, query=strict),
        "unknown fields, strict": patch(
            {"spec": {"colour": "green", "template": {"spec": {"emqxContainer": {"emqxConfig": {"image": {}}}}}}},
            query=strict,
        ),
        "negative replicas": patch({"spec": {"replicas": -1}}),
        "label": patch({"metadata": {"labels": {"a": "b"}}}),
        "annotation": patch({"metadata": {"annotations": {"a": "b"}}}),
        "bad label": patch({"metadata": {"labels": {"a": "b c"}}}),
        "bad annotation": patch({"metadata": {"annotations": {"a b": "c"}}}),
        "another name": patch({"metadata": {"name": "b"}}),
        "another namespace": patch({"metadata": {"namespace": "b"}}),
        "stale patch": patch({**stale, "spec": {"replicas": 5}}),
        "stale update": ("PUT", one, {**current, "metadata": {**current["metadata"], **stale["metadata"]}}, plain, dry),
        "update without a version": (
            "PUT",
            one,
            {
                **current,
                "metadata": {key: value for key, value in current["metadata"].items() if key != "resourceVersion"},
            },
            plain,
            dry,
        ),
        "other uid": patch({"metadata": {"uid": "1"}}),
        "strategic": patch({"spec": {"replicas": 5}}, kind=STRATEGIC),
        "json patch": patch([{"op": "replace", "path": "/spec/replicas", "value": 5}], kind=JSON_PATCH),
        "json patch, test fails": patch([{"op": "test", "path": "/spec/replicas", "value": 9}], kind=JSON_PATCH),
        "json patch, no such path": patch([{"op": "remove", "path": "/spec/nothing"}], kind=JSON_PATCH),
        "json patch, no list": patch({"op": "remove"}, kind=JSON_PATCH),
        "json patch, unknown operation": patch([{"op": "swap", "path": "/spec"}], kind=JSON_PATCH),
        "no object": patch([1]),
        "not found": patch(_version("4.4.15"), path=f"{one}s"),
        "get not found": ("GET", f"{one}s", None, plain, {}),
        "get pod not found": ("GET", f"{a_pod}0", None, plain, {}),
        "get set not found": ("GET", f"{a_set}0", None, plain, {}),
        "delete not found": ("DELETE", f"{one}s", None, plain, dry),
        "create again": ("POST", many, {**_base(current), "metadata": {"name": name}}, plain, dry),
        "create without name": ("POST", many, {**_base(current), "metadata": {}}, plain, dry),
        "create with bad name": ("POST", many, {**_base(current), "metadata": {"name": "A_b"}}, plain, dry),
        "create with version": (
            "POST",
            many,
            {**_base(current), "metadata": {"name": "a", "resourceVersion": "5"}},
            plain,
            dry,
        ),
        "create without image": (
            "POST",
            many,
            {**_base(current), "metadata": {"name": "a"}, "spec": {"template": {"spec": {"emqxContainer": {}}}}},
            plain,
            dry,
        ),
        "create without spec": ("POST", many, {**_base(current), "metadata": {"name": "a"}, "spec": {}}, plain, dry),
        "create small": (
            "POST",
            many,
            {
                **_base(current),
                "metadata": {"name": "a"},
                "spec": {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.14"}}}}},
            },
            plain,
            dry,
        ),
        "delete with other uid": (
            "DELETE",
            one,
            {"preconditions": {"uid": "1"}, "apiVersion": "v1", "kind": "DeleteOptions"},
            plain,
            dry,
        ),
        "delete with other version": (
            "DELETE",
            one,
            {"preconditions": {"resourceVersion": "1"}, "apiVersion": "v1", "kind": "DeleteOptions"},
            plain,
            dry,
        ),
        "dry run of some kind": patch(_version("4.4.15"), query={"dryRun": "some"}),
        "validation of some kind": patch(_version("4.4.15"), query={"fieldValidation": "some", **dry}),
        "manager with force": patch(_version("4.4.15"), query={"force": "true", **dry}),
        "apply without manager": (
            "PATCH",
            one,
            {**_base(current), "spec": {"replicas": 5}},
            "application/apply-patch+yaml",
            dry,
        ),
        "apply conflict": (
            "PATCH",
            one,
            {**_base(current), **_version("4.4.15")},
            "application/apply-patch+yaml",
            {"fieldManager": "somebody", **dry},
        ),
        "apply by force": (
            "PATCH",
            one,
            {**_base(current), **_version("4.4.15")},
            "application/apply-patch+yaml",
            {"fieldManager": "somebody", "force": "true", **dry},
        ),
        "status": patch({"status": {"currentStatefulSetVersion": "x"}}, path=f"{one}/status"),
        "status of a wrong kind": patch({"status": {"conditions": "x"}}, path=f"{one}/status"),
        "status past the status": patch({"status": {"currentStatefulSetVersion": "x"}}),
        "scale": ("GET", f"{one}/scale", None, plain, {}),
        "scale patch": patch({"spec": {"replicas": 5}}, path=f"{one}/scale"),
        "scale below zero": patch({"spec": {"replicas": -1}}, path=f"{one}/scale"),
        "scale of a set": ("GET", f"{a_set}/scale", None, plain, {}),
        "scale patch of a set": patch({"spec": {"replicas": 5}}, path=f"{a_set}/scale"),
        "scale of a set below zero": patch({"spec": {"replicas": -1}}, path=f"{a_set}/scale"),
        "set replicas": patch({"spec": {"replicas": 2}}, path=a_set),
        "set below zero": patch({"spec": {"replicas": -1}}, path=a_set),
        "set with another service": patch({"spec": {"serviceName": "other"}}, path=a_set),
        "set with another template": patch(
            {"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}, path=a_set, kind=STRATEGIC
        ),
        "set with another selector": patch({"spec": {"selector": {"matchLabels": {"a": "b"}}}}, path=a_set),
        "stale set": patch({**stale, "spec": {"replicas": 2}}, path=a_set),
        "endpoints of loopback": patch(loopback, path=endpoints),
        "endpoints without address": patch(no_address, path=endpoints),
        "endpoints emptied": patch({"subsets": None}, path=endpoints),
        "service ports without names": patch(two_ports, path=Cluster.path("services", space, name)),
        "service with other address": patch(
            {"spec": {"clusterIP": "10.96.200.200"}}, path=Cluster.path("services", space, name)
        ),
        "pod with another image": patch(
            {"spec": {"containers": [{"name": "emqx", "image": "other"}]}}, path=a_pod, kind=STRATEGIC
        ),
        "pod deleted": ("DELETE", a_pod, None, plain, dry),
        "pod condition": patch(
            {"status": {"conditions": [{"type": "a", "status": "True"}]}}, path=f"{a_pod}/status", kind=STRATEGIC
        ),
        "lease of no time": ("POST", Cluster.path("leases", space), lease, plain, dry),
        "lease": (
            "POST",
            Cluster.path("leases", space),
            {
                "metadata": {"name": "l"},
                "spec": {
                    "holderIdentity": "me",
                    "leaseDurationSeconds": 15,
                    "renewTime": "2026-01-01T00:00:00.000000Z",
                },
            },
            plain,
            dry,
        ),
        "lease with a bad time": (
            "POST",
            Cluster.path("leases", space),
            {"metadata": {"name": "l"}, "spec": {"renewTime": "now"}},
            plain,
            dry,
        ),
        "secret": (
            "POST",
            Cluster.path("secrets", space),
            {"metadata": {"name": "s"}, "stringData": {"a": "b"}},
            plain,
            dry,
        ),
        "secret with a bad key": (
            "POST",
            Cluster.path("secrets", space),
            {"metadata": {"name": "s"}, "data": {"a b": "Yg=="}},
            plain,
            dry,
        ),
        "secret that is not base64": (
            "POST",
            Cluster.path("secrets", space),
            {"metadata": {"name": "s"}, "data": {"a": "?"}},
            plain,
            dry,
        ),
        "list by a bad selector": ("GET", many, None, plain, {"labelSelector": "a in b"}),
        "list by a bad field": ("GET", many, None, plain, {"fieldSelector": "spec.replicas=3"}),
        "watch from a future": ("GET", many, None, plain, {"resourceVersion": "x"}),
        "wrong method": ("POST", one, {}, plain, {}),
        "no such kind": ("GET", f"{many}s", None, plain, {}),
        "create in no namespace": (
            "POST",
            Cluster.path("secrets", f"{space}-not"),
            {"metadata": {"name": "s"}},
            plain,
            dry,
        ),
        "who may": (
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            {"spec": {"resourceAttributes": {"namespace": space, "verb": "get", "resource": "pods"}}},
            plain,
            {},
        ),
    }
    return [(what, *how) for what, how in asked.items()]


def _base(current: Object) -> Object:
    return {key: current[key] for key in ("apiVersion", "kind")} | {
        "metadata": {"name": current["metadata"]["name"]},
        "spec": {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.14"}}}}},
    }
