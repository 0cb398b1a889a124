"""What a console promises about a release, checked against what the cluster itself recorded.

Owns the list of writes that a console may make. Everything is read from the audit log, from the requests that EMQX
got, from objects, and from the bed's count of clients: nothing from the product.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tests.cluster.case import CLOSED_S, Case
from tests.support.programs import Headless

Object = dict[str, Any]
CONSOLE = "emqx-tui/"
"""how its user agent begins"""
OPERATOR = "emqx-operator-controller-manager"
PASS_EVERY_S = 20.0
STORED = 300
"""answers below this one changed something"""


class Watched:
    """One release of one running cluster; made before it begins."""

    def __init__(self, case: Case, *, churning: int = 0) -> None:
        """`churning`: so many clients may be on their way at any time, for they come and go by themselves."""
        self.case = case
        self._churning = churning
        resource = case.resource
        self.size: int = resource["spec"]["replicas"]
        self.delay_s: int | None = resource["spec"]["blueGreenUpdate"].get("initialDelaySeconds")
        self.metadata = _marks(resource)
        self.blue: str = case.blue["metadata"]["name"]
        self._ports = case.get("endpoints")["subsets"][0]["ports"]
        self._nudges = 0

    # -- looking

    @property
    def green(self) -> str:
        return next(name for name in self.sizes() if name != self.blue)

    def sizes(self) -> dict[str, int]:
        """Wanted pods by StatefulSet."""
        return {each["metadata"]["name"]: each["spec"]["replicas"] for each in self.case.sets}

    def pod(self, ordinal: int) -> str:
        """A node of blue."""
        return f"{self.blue}-{ordinal}"

    def pods(self, stateful_set: str) -> list[str]:
        """Those that exist, by name."""
        found = next(each for each in self.case.sets if each["metadata"]["name"] == stateful_set)
        return [pod["metadata"]["name"] for pod in self.case.pods_of(found)]

    def on(self, stateful_set: str) -> int:
        """Clients that live there."""
        return sum(live for pod, live in self.case.live().items() if pod.startswith(f"{stateful_set}-"))

    def asked(self, word: str) -> list[str]:
        """Pods whose evacuation somebody asked to `start` or `stop`, in order, with success."""
        asked = self.case.asked(f"evacuation/{word}")
        return [each["pod"] for each in asked if json.loads(each["answer"] or "{}").get("code") == 0]

    def is_closed(self) -> bool:
        return self.case.resource["spec"]["blueGreenUpdate"].get("initialDelaySeconds", 0) >= CLOSED_S

    def is_reset(self) -> bool:
        return not self.case.blue_green

    # -- acting

    def approve(self, driver: Headless, *gates: str, within_s: float = 150.0) -> None:
        """A person at a second terminal opens each gate once it waits."""
        for gate in gates:
            gate_id = f"node:{gate}" if gate.isdigit() else gate
            driver.until_event("gate", gate=gate_id, waits_for="person", within_s=within_s)
            self.say("approve", gate.partition(":")[0])
            driver.until_event("approved", gate=gate_id, within_s=60)

    def say(self, verb: str, *words: str) -> str:
        """`emqx-tui VERB NAME …` at a second terminal; it has to be taken."""
        done = self.case.console(verb, self.case.name, *words, within_s=150)
        assert done.returncode == 0, done.stderr or done.stdout
        return done.stdout

    def carry_on(self, *words: str) -> Headless:
        """A new console, for the release that is under way."""
        case = self.case
        return Headless(["rollout", *case.flags, "-o", "jsonl", *words, case.name], case.home)

    def cause_pass(self) -> None:
        """A pass of the held operator, now: another closed value, as any change of the object would cause one."""
        before = self._passes()
        self._nudges += 1
        self.case.set_delay(CLOSED_S + 500 + self._nudges)
        self.case.wait_until(lambda: self._passes() > before, "pass of the operator", within_s=60)

    def _passes(self) -> int:
        return len(self.case.audit("statefulsets", user=OPERATOR)) + len(
            self.case.audit("emqxenterprises", "status", user=OPERATOR)
        )

    def stands_still(self, seconds: float, *, endpoints: bool = True) -> None:
        """Nothing that a release does step by step happens, while the operator passes again and again."""
        before = self._standing(endpoints)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.cause_pass()
            self.case.holds_for(
                min(left, PASS_EVERY_S), lambda: self._standing(endpoints) == before, f"it went on from {before}"
            )

    def _standing(self, endpoints: bool) -> Object:
        # Evacuations are judged by who was asked: one that runs may come to its own end.
        return {
            "version": self.case.resource["spec"]["template"]["spec"]["emqxContainer"]["image"]["version"],
            "closed": self.is_closed(),
            "blue": self.sizes()[self.blue],
            "blue pods": self.pods(self.blue),
            "asked": [self.asked("start"), self.asked("stop")],
            "addresses": self.case.addresses() if endpoints else [],
        }

    # -- judging

    def everybody_is_back(self, *, within_s: float = 30.0) -> None:
        """Every client is connected, none was lost."""
        case, least = self.case, self.case.clients - self._churning
        case.wait_until(lambda: case.truth()["live"] >= least, f"{least} clients", within_s=within_s)
        truth = case.truth()
        assert (truth["live"] + truth["waiting"], truth["lost"]) == (truth["size"], 0), truth

    def check_ended(self, version: str, staying: str) -> None:
        """One generation, the user's own delay, every client, no trace of a release."""
        case = self.case
        self.everybody_is_back(within_s=70)
        assert self.sizes() == {name: self.size if name == staying else 0 for name in (self.blue, self.green)}
        case.wait_until(lambda: case.phase == "Running" and self.is_reset(), "Running", within_s=60)
        case.wait_until(lambda: case.addresses() == self.pods(staying), "Endpoints of what stays", within_s=60)
        assert len(self.pods(staying)) == self.size
        case.wait_until(lambda: self._are_ready(staying), "Ready pods", within_s=60)
        resource = case.resource
        assert resource["spec"]["template"]["spec"]["emqxContainer"]["image"]["version"] == version
        assert resource["spec"]["blueGreenUpdate"].get("initialDelaySeconds") == self.delay_s
        assert _marks(resource) == self.metadata
        assert case.find("secrets", f"emqx-tui-{case.name}") is None
        assert case.find("leases", f"emqx-tui-{case.name}") is None
        assert case.truth()["since_mark"]["killed"] == 0
        self.check_writes()

    def _are_ready(self, stateful_set: str) -> bool:
        conditions = [
            condition
            for pod in self.pods(stateful_set)
            for condition in self.case.get("pods", pod)["status"]["conditions"]
        ]
        return all(each["status"] == "True" for each in conditions)

    def check_writes(self) -> None:
        """Who wrote what: the console only what it may, the operator nothing that cuts a client off."""
        entries = self.case.audit()
        sent = [each for each in entries if each.get("userAgent", "").startswith(CONSOLE)]
        written = [each for each in sent if not is_rehearsal(each)]
        for each in written:
            self._check_write(each)
        assert any(_kind(each) == "patch emqxenterprises" for each in written)
        self._check_sizes(entries)
        strangers = [each for each in self.case.asked("evacuation") if each["way"] != "forwarded"]
        assert strangers == []

    def _check_write(self, entry: Object) -> None:
        body, kind, name = entry.get("requestObject") or {}, _kind(entry), entry["objectRef"].get("name")
        match kind:
            case "patch emqxenterprises":
                _check_resource_patch(body)
            case "patch emqxenterprises/status":
                assert body["status"] == {"blueGreenUpdateStatus": None}
                assert body.keys() <= {"status", "metadata"}
            case "patch endpoints":
                assert name == self.case.name
                assert body.keys() == {"metadata", "subsets"}
                assert body["metadata"].keys() == {"uid", "resourceVersion"}
                (subset,) = body["subsets"]
                assert subset["addresses"]
                assert _spelled(subset["ports"]) == _spelled(self._ports)
            case "patch services":
                assert body.keys() == {"metadata", "spec"}
                assert body["spec"].keys() == {"ports"}
            case "patch statefulsets/scale":
                assert body.keys() == {"metadata", "spec"}
                assert body["spec"].keys() == {"replicas"}
                assert body["metadata"].keys() == {"uid", "resourceVersion"}
            case "create secrets" | "create leases" | "create events":
                pass
            case "patch secrets" | "delete secrets" | "patch leases" | "delete leases":
                assert name == f"emqx-tui-{self.case.name}"
            case "create selfsubjectaccessreviews" | "create selfsubjectrulesreviews":
                pass
            case "create pods/portforward" | "get pods/portforward":
                pass
            case _:
                raise AssertionError(f"a console must not {kind} {name}: {body}")

    def _check_sizes(self, entries: Sequence[Object]) -> None:
        """Only the console changed the size of a set, and blue shrank by one at a time."""
        sizes = {self.blue: self.size}
        for entry in entries:
            kind, name = _kind(entry), entry["objectRef"].get("name")
            if entry["responseStatus"]["code"] >= STORED or is_rehearsal(entry):
                continue
            if kind == "patch statefulsets/scale":
                wanted = entry["requestObject"]["spec"]["replicas"]
                assert entry["userAgent"].startswith(CONSOLE)
                assert name != self.blue or wanted in (sizes[name] - 1, self.size), f"{sizes[name]} to {wanted}"
                sizes[name] = wanted
            elif kind in ("create statefulsets", "update statefulsets") and OPERATOR in entry["user"]["username"]:
                wanted = entry["requestObject"]["spec"]["replicas"]
                assert wanted == sizes.setdefault(entry["requestObject"]["metadata"]["name"], self.size)
            assert kind != "delete statefulsets"


def _check_resource_patch(body: Any) -> None:
    if isinstance(body, list):
        assert [(each["op"], each["path"]) for each in body] == [
            ("test", "/metadata/uid"),
            ("test", "/metadata/generation"),
            ("replace", "/spec/template"),
        ]
        return
    assert body.keys() <= {"metadata", "spec"}
    assert body.get("metadata", {}).keys() <= {"uid", "resourceVersion"}
    assert body["spec"].keys() <= {"template", "blueGreenUpdate"}
    parameters = body["spec"]["blueGreenUpdate"]
    assert parameters.keys() <= {"initialDelaySeconds", "evacuationStrategy"}
    if "template" in body["spec"]:
        assert "metadata" in body
        assert parameters["initialDelaySeconds"] >= CLOSED_S


def _marks(resource: Object) -> tuple[Mapping[str, str], Mapping[str, str]]:
    metadata = resource["metadata"]
    return metadata.get("labels") or {}, metadata.get("annotations") or {}


def _kind(entry: Object) -> str:
    where = entry["objectRef"]
    sub = f"/{where['subresource']}" if where.get("subresource") else ""
    return f"{entry['verb']} {where['resource']}{sub}"


def is_rehearsal(entry: Object) -> bool:
    """A dry-run: it has the shape of the request, not yet its preconditions."""
    return "dryRun=All" in entry["requestURI"]


def _spelled(ports: Sequence[Object]) -> set[tuple[str, int, str]]:
    return {(each.get("name", ""), each["port"], each.get("protocol", "TCP")) for each in ports}
