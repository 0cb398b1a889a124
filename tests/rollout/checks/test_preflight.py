"""What is looked at before a release may start: each check passing, waiting for what is not known, and failing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from emqx_tui.model.kube_object import Meta
from emqx_tui.model.owners import Owners, owner
from emqx_tui.model.reading import MISSING, Reading
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.model.workloads import Port, Service
from emqx_tui.rollout.change import Owned, Rates
from emqx_tui.rollout.checks.preflight import PREFLIGHT, Facts, Question, blocking, run
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.rollout.policy import CLOSED_S, Policy
from tests.support import scenes as build
from tests.support.scenes import Scene, with_place, with_side

PASS, WAIT, FAIL, SKIPPED = Outcome.PASS, Outcome.WAIT, Outcome.FAIL, Outcome.SKIPPED
IDLE = build.idle()
GRANTED = Facts(
    resource_patch="",
    endpoints_patch="",
    scale_patch="",
    status_patch="",
    service_patch="",
    broker_login="",
    journal="",
    license_keys=1,
)


def question(scene: Scene = IDLE, rates: Rates | None = build.RATES, facts: Facts = GRANTED, **parts: Any) -> Question:
    snapshot = replace(scene.snapshot(), **parts)
    return Question(snapshot, rates, Policy(), facts)


def told(**facts: Any) -> Question:
    return question(facts=replace(GRANTED, **facts))


def resource(**fields: Any) -> Question:
    return question(resource=Reading(replace(IDLE.resource(), **fields), build.NOW))


def delay_owned_by(manager: str) -> Question:
    fields = {"f:spec": {"f:blueGreenUpdate": {"f:initialDelaySeconds": {}}}}
    return resource(owners=Owners(((owner(manager, "Apply"), fields),)))


def changed_by(manager: str) -> Question:
    """The edit changes a field that `manager` has applied."""
    return replace(question(), owned=(Owned(owner(manager, "Apply"), ("spec.emqxContainer.image.version",)),))


def versions(version: str) -> Question:
    return question(with_side(IDLE, "blue", version=version))


LABELS = (("apps.emqx.io/instance", "emqx-ee"), ("apps.emqx.io/managed-by", "emqx-operator"))


def beside(name: str, selector: tuple[tuple[str, str], ...]) -> Question:
    """Another Service in the namespace, and pods that carry labels."""
    snapshot = IDLE.snapshot()
    meta = Meta("default", name, "u", "1", None, False, 1, (), "")
    other = Service(meta, "LoadBalancer", selector, (), "Cluster")
    pods = tuple(replace(p, meta=replace(p.meta, labels=LABELS)) for p in snapshot.pods.value or ())
    return question(
        services=Reading((*(snapshot.services.value or ()), other), build.NOW), pods=Reading(pods, build.NOW)
    )


NOTHING = Question(Snapshot(build.NOW, "default", "emqx-ee"), None, Policy())
UDP = (*build.SERVICE_PORTS, Port("mqtt-sn", 1884, "UDP"))

TABLE: dict[str, list[tuple[str, Question, Outcome, str]]] = {
    "blue-green": [
        ("given, with rates", question(), PASS, ""),
        ("not given", resource(blue_green=None), FAIL, "one by one"),
        ("a rate is missing", question(rates=None), FAIL, "is missing"),
        ("not read", NOTHING, WAIT, ""),
    ],
    "running": [
        ("Running", question(), PASS, ""),
        ("updating", question(replace(IDLE, is_running=False)), FAIL, "BlueGreenUpdating"),
        ("no condition", resource(conditions=()), FAIL, "no condition"),
        ("not read", NOTHING, WAIT, ""),
    ],
    "no-release": [
        ("one set", question(), PASS, ""),
        ("status is set", question(replace(IDLE, has_status=True)), FAIL, "under way"),
        ("two sets", question(replace(IDLE, green=build.ready().green)), FAIL, "2 StatefulSets"),
        ("no set", question(replace(IDLE, blue=None)), FAIL, "none"),
        ("not read", NOTHING, WAIT, ""),
    ],
    "valve": [
        ("free", question(), PASS, "60"),
        ("absent", question(replace(IDLE, delay_s=None)), PASS, "0"),
        ("left closed", question(replace(IDLE, delay_s=CLOSED_S + 4)), FAIL, "left over"),
        (
            "closed in a release without a journal",
            question(replace(build.ready(), delay_s=CLOSED_S + 4)),
            FAIL,
            "1000000004: it holds the operator in the middle of a release whose journal is gone; leave it",
        ),
    ],
    "complete": [
        ("whole", question(), PASS, "3/3 Ready, 3/3 in EMQX"),
        ("one not Ready", question(with_place(IDLE, "blue", 1, is_ready=False)), FAIL, "2/3 Ready"),
        ("one not in EMQX", question(with_place(IDLE, "blue", 1, is_joined=False)), FAIL, "2/3 in EMQX"),
        ("EMQX not read", question(nodes=MISSING), WAIT, "3/3 Ready, EMQX not read"),
        (
            "EMQX not read, one not Ready",
            question(with_place(IDLE, "blue", 1, is_ready=False), nodes=MISSING),
            FAIL,
            "2/3 Ready, EMQX not read",
        ),
        ("pods not read", question(pods=MISSING), WAIT, "pods not read yet"),
        ("of another size", question(replace(IDLE, replicas=5)), FAIL, "StatefulSet wants 3, the object 5"),
        ("no set seen", NOTHING, WAIT, ""),
    ],
    "emqx-version": [
        ("4.4.12", versions("4.4.12"), PASS, "4.4.12"),
        ("4.4.11", versions("4.4.11"), FAIL, "no evacuation"),
        ("no version", versions("latest"), FAIL, "latest"),
        ("no node", question(nodes=MISSING), WAIT, ""),
    ],
    "sessions": [
        ("kept", versions("4.4.24"), PASS, "are evacuated"),
        ("lost before 4.4.24: said, not refused", versions("4.4.23"), PASS, "note:"),
        ("no node", question(nodes=MISSING), WAIT, ""),
    ],
    "operator-line": [
        ("pods have the gate", question(), PASS, ""),
        ("one has none", question(with_place(IDLE, "blue", 0, on_serving=None)), FAIL, "watch only"),
        ("a gate that is False is a gate", question(with_place(IDLE, "blue", 0, on_serving=False)), PASS, ""),
        ("no pod", question(pods=MISSING), WAIT, ""),
    ],
    "listener": [
        ("no selector", question(), PASS, ""),
        ("a selector", question(replace(IDLE, selector=LABELS)), FAIL, "has a selector"),
        ("no address", question(replace(IDLE, addresses=frozenset())), FAIL, "no address"),
        ("not seen", question(endpoints=MISSING), WAIT, ""),
    ],
    "other-services": [
        ("none", question(), PASS, ""),
        ("one selects the pods", beside("mine", LABELS[:1]), FAIL, "mine"),
        ("one selects others", beside("mine", (("app", "web"),)), PASS, ""),
        ("one without selector", beside("mine", ()), PASS, ""),
        ("the headless one is the operator's", beside("emqx-ee-headless", LABELS), PASS, ""),
        ("not read", question(services=MISSING), WAIT, ""),
    ],
    "traffic-policy": [
        ("Cluster", question(), PASS, ""),
        ("Local on node ports", question(replace(IDLE, traffic_policy="Local")), FAIL, "Local"),
        ("not seen", question(services=MISSING), WAIT, ""),
    ],
    "udp": [
        ("none", question(), PASS, ""),
        ("one", question(replace(IDLE, service_ports=UDP)), FAIL, "mqtt-sn"),
        ("not seen", question(services=MISSING), WAIT, ""),
    ],
    "brokers-quiet": [
        ("quiet", question(), PASS, ""),
        ("a rebalance", question(replace(IDLE, rebalances=1)), FAIL, "rebalance"),
        ("an evacuation", question(replace(IDLE, foreign=("emqx@h",))), FAIL, "emqx@h"),
        ("not read", question(evacuations=MISSING), WAIT, "not read yet"),
    ],
    "gitops": [
        ("kubectl owns it", delay_owned_by("kubectl-edit"), PASS, ""),
        ("Argo CD owns it", delay_owned_by("argocd-controller"), FAIL, "argocd-controller"),
        ("Flux owns it", delay_owned_by("kustomize-controller"), FAIL, "kustomize-controller"),
        ("Helm by Flux owns it", delay_owned_by("helm-controller"), FAIL, ""),
        ("not read", NOTHING, WAIT, ""),
    ],
    "gitops-template": [
        ("nobody's", question(), PASS, ""),
        ("kubectl applied it", changed_by("kubectl-client-side-apply"), PASS, ""),
        ("Argo CD owns it", changed_by("argocd-controller"), FAIL, "image.version is owned by argocd-controller"),
        ("Flux owns it", changed_by("kustomize-controller"), FAIL, "in the middle of the release"),
    ],
    "dry-run": [
        ("accepted", question(), PASS, ""),
        ("refused", told(resource_patch="denied by policy"), FAIL, "denied by policy"),
        ("not asked", told(resource_patch=None), WAIT, "not asked"),
    ],
    "right-endpoints": [
        ("granted", question(), PASS, ""),
        ("denied", told(endpoints_patch="forbidden"), FAIL, "forbidden"),
        ("not asked", told(endpoints_patch=None), WAIT, ""),
    ],
    "right-scale": [
        ("granted", question(), PASS, ""),
        ("denied", told(scale_patch="forbidden"), FAIL, "forbidden"),
        ("not asked", told(scale_patch=None), WAIT, ""),
    ],
    "right-status": [
        ("granted", question(), PASS, "may be repaired"),
        ("denied: said, not refused", told(status_patch="forbidden"), PASS, "note: no status repair"),
        ("not asked", told(status_patch=None), WAIT, ""),
    ],
    "right-service": [
        ("granted", question(), PASS, "may be put back"),
        ("denied: said, not refused", told(service_patch="forbidden"), PASS, "note: lost ports cannot be put back"),
        ("not asked", told(service_patch=None), WAIT, ""),
    ],
    "right-journal": [
        ("granted", question(), PASS, ""),
        ("denied", told(journal="secrets is forbidden"), FAIL, "secrets is forbidden"),
        ("not asked", told(journal=None), WAIT, ""),
    ],
    "emqx-api": [
        ("answers", question(), PASS, ""),
        ("refuses", told(broker_login="401"), FAIL, "401"),
        ("not asked", told(broker_login=None), WAIT, ""),
    ],
    "single-name": [
        ("alone", question(), PASS, ""),
        ("another kind", told(same_name=("emqxes/emqx-ee",)), FAIL, "emqxes/emqx-ee"),
    ],
    "license": [
        ("one key", told(license_keys=1), PASS, "one key"),
        ("not readable", told(license_keys=None), SKIPPED, "cannot be read"),
        ("two keys", told(license_keys=2), FAIL, "2 keys"),
    ],
    "capacity": [
        ("not readable", question(), SKIPPED, "not checked: the quotas cannot be read"),
        ("room", told(capacity=""), PASS, "room on machines not checked"),
        ("no room", told(capacity="quota compute: green needs 3 more pods"), FAIL, "3 more pods"),
    ],
    "accept-rate": [
        ("well below", question(), PASS, ""),
        ("at half of what is accepted", question(rates=Rates(1500, 1, 5)), PASS, ""),
        ("above", question(rates=Rates(1501, 1, 5)), FAIL, "1,501/s"),
        (
            "no node read: as much as one accepts",
            question(rates=Rates(500, 1, 5), nodes=MISSING),
            PASS,
            "1 node accepts",
        ),
        (
            "no node read: more than one accepts",
            question(rates=Rates(501, 1, 5), nodes=MISSING),
            FAIL,
            "1 node accepts",
        ),
        ("no rates", question(rates=None), SKIPPED, "no rates"),
    ],
}
CASES = {f"{name}: {case}": (name, *rest) for name, rows in TABLE.items() for case, *rest in rows}


@pytest.mark.parametrize(("name", "asked", "outcome", "evidence"), CASES.values(), ids=CASES)
def test_a_check(name: str, asked: Question, outcome: Outcome, evidence: str) -> None:
    (result,) = [r for r in run(asked) if r.name == name]
    assert (result.outcome, evidence in result.evidence) == (outcome, True), result
    # The evidence of `valve` says what to do itself: it is not the same each time.
    assert result.hint or outcome is not FAIL or name == "valve"


def test_every_check_is_in_the_table_once_and_runs_in_order() -> None:
    names = [r.name for r in run(question())]
    assert sorted(names) == sorted(TABLE)
    assert len(names) == len(PREFLIGHT)


def test_a_healthy_cluster_may_start() -> None:
    assert blocking(run(question()), ()) == ()


def test_what_is_not_known_keeps_from_starting_and_cannot_be_overridden() -> None:
    results = run(NOTHING)
    names = tuple(r.name for r in results)
    stopping = {r.name for r in blocking(results, names)}
    assert {r.name for r in results if r.outcome is WAIT} <= stopping


OVERRIDABLE = {"gitops-template", "other-services", "traffic-policy", "udp", "accept-rate", "capacity"}


def test_only_what_a_person_may_judge_better_can_be_overridden() -> None:
    failing = {row[0]: row for row in CASES.values() if row[2] is FAIL}
    found = set()
    for name, asked, _, _ in failing.values():
        (result,) = [r for r in run(asked) if r.name == name]
        stopped = {r.name for r in blocking((result,), (name,))}
        assert stopped == (set() if result.can_override else {name})
        if result.can_override:
            found.add(name)
    assert found == OVERRIDABLE


def test_overrides_go_by_name() -> None:
    udp = next(r for r in run(question(replace(IDLE, service_ports=UDP))) if r.name == "udp")
    assert blocking((udp,), ("traffic-policy",)) == (udp,)
    assert blocking((udp,), ("traffic-policy", "udp")) == ()


def test_a_failure_says_what_to_do_where_that_is_known() -> None:
    hints: dict[str, CheckResult] = {
        name: next(r for r in run(asked) if r.name == name)
        for name, asked, outcome, _ in CASES.values()
        if outcome is FAIL
    }
    assert hints["gitops"].hint
    assert hints["right-endpoints"].hint
    assert all(not r.hint for r in run(question()) if r.outcome is PASS)
