"""Hazards of the operator that no fact covers: its rhythm, what starts a release, what its webhook refuses.

What each label means stands in the README here, with the tests of the hazards that are facts as well.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.cluster.acts import only_the_real, passes, status_writes
from tests.cluster.case import NAME, Case, Cluster
from tests.cluster.hand import Hand

Object = dict[str, Any]


def test_a_pass_comes_every_20_s_and_at_once_for_a_new_spec(case: Case) -> None:
    """O1: a status or a label of a pod brings none, so what the resource says may be 20 s old."""
    Hand(case).start_cluster(replicas=1, clients=0)
    first = len(passes(case))
    case.wait_until(lambda: len(passes(case)) >= first + 1, "pass", within_s=40)
    case.patch("emqxenterprises", {"status": {"readyReplicas": 7}}, sub="status")
    case.patch("pods", {"metadata": {"labels": {"seen": "yes"}}}, case.pods_of(case.blue)[0]["metadata"]["name"])
    case.wait_until(lambda: len(passes(case)) >= first + 4, "three passes more", within_s=90)
    gaps = [later - earlier for earlier, later in itertools.pairwise(passes(case)[first:])]
    assert all(19.0 < gap < 25.0 for gap in gaps), gaps
    before = len(status_writes(case))
    case.set_delay(1000)
    case.wait_until(lambda: len(status_writes(case)) > before, "pass for a new spec", within_s=5)
    print(f"passes every {statistics.mean(gaps):.1f} s")


def test_only_the_pod_template_starts_a_release(case: Case) -> None:
    """O2: parameters of the release, access rules and the Service's template do not."""
    Hand(case).start_cluster(replicas=1, clients=0)
    case.patch_spec(
        blueGreenUpdate={
            "initialDelaySeconds": 1000,
            "evacuationStrategy": {"waitTakeover": 9, "connEvictRate": 7, "sessEvictRate": 7},
        },
        serviceTemplate={"metadata": {"annotations": {"balancer": "internal"}}},
        template={"spec": {"emqxContainer": {"emqxACL": ["{allow, all}."]}}},
    )
    case.holds_for(25.0, lambda: len(case.sets) == 1, "one set")
    case.patch_spec(template={"spec": {"emqxContainer": {"emqxConfig": {"zone.external.max_packet_size": "2MB"}}}})
    case.wait_until(lambda: len(case.sets) == 2, "second set", within_s=15)


def _container(**fields: Any) -> Object:
    return {"spec": {"template": {"spec": {"emqxContainer": fields}}}}


REFUSED: Mapping[str, tuple[Object, str]] = {
    "latest": (_container(image={"version": "latest"}), "version"),
    "too old": (_container(image={"version": "4.4.13"}), "4.4.14"),
    "5.0.0": (_container(image={"version": "5.0.0"}), "5"),
    "node name": (_container(emqxConfig={"name": "other"}), "name"),
    "cluster key": (_container(emqxConfig={"cluster.discovery": "static"}), "cluster"),
    "API keys": (_container(bootstrapAPIKeys=[{"key": "one", "secret": "two-two"}]), "bootstrap"),
    "storage": ({"spec": {"persistent": {"spec": {"resources": {"requests": {"storage": "9Gi"}}}}}}, "Persistent"),
    "an annotation with storage": ({"metadata": {"annotations": {"team": "red"}}}, "Persistent"),
}
TAKEN: Mapping[str, Object] = {
    "version": _container(image={"version": "4.4.24"}),
    "cluster key removed": _container(emqxConfig={"cluster.dns.type": None}),
    "negative delay": {"spec": {"blueGreenUpdate": {"initialDelaySeconds": -1}}},
    "no blueGreenUpdate": {"spec": {"blueGreenUpdate": None}},
    "replicas": {"spec": {"replicas": 1}},
}


@pytest.fixture(scope="module")
def resource(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """One EmqxEnterprise with storage, that nothing waits for; requests against it are dry."""
    case = Case(cluster, tmp_path_factory.mktemp("home"))
    storage = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Mi"}}}
    made = {
        "apiVersion": "apps.emqx.io/v1beta4",
        "kind": "EmqxEnterprise",
        "metadata": {"name": NAME},
        "spec": {"persistent": {"spec": storage}, "blueGreenUpdate": {"initialDelaySeconds": 60}},
    }
    made["spec"].update(_container(image={"version": "4.4.14"})["spec"])
    case.create("emqxenterprises", made)
    yield case
    case.close()


@pytest.mark.smoke
@pytest.mark.parametrize("what", REFUSED)
def test_refused_changes(resource: Case, what: str) -> None:
    """O9 (and fact 8 for the annotation): the schema or the webhook says no, and names the field."""
    body, word = REFUSED[what]
    answer = resource.try_patch("emqxenterprises", body, dryRun="All")
    assert answer.get("status") == "Failure", answer
    assert word in answer["message"]


@pytest.mark.smoke
@pytest.mark.parametrize("what", TAKEN)
def test_changes_that_are_taken(resource: Case, what: str) -> None:
    """O9, the other side: nobody stops the dangerous ones."""
    answer = resource.try_patch("emqxenterprises", TAKEN[what], dryRun="All")
    assert answer.get("kind") == "EmqxEnterprise", answer


@pytest.mark.smoke
def test_a_rate_of_0_is_taken_and_left_out(resource: Case) -> None:
    """O6, O9: the schema asks for 1 and more, but the webhook drops a 0 before the schema is looked at."""
    body = {"spec": {"blueGreenUpdate": {"evacuationStrategy": {"connEvictRate": 0, "sessEvictRate": 5}}}}
    answer = resource.try_patch("emqxenterprises", body, dryRun="All")
    assert answer["spec"]["blueGreenUpdate"]["evacuationStrategy"] == {"sessEvictRate": 5}
    below = {"spec": {"blueGreenUpdate": {"evacuationStrategy": {"connEvictRate": -1}}}}
    assert "connEvictRate" in resource.try_patch("emqxenterprises", below, dryRun="All")["message"]


def test_a_delay_above_int32_is_refused(resource: Case) -> None:
    """O9: the webhook cannot decode it."""
    only_the_real(resource.cluster, "how Go decodes")
    body = {"spec": {"blueGreenUpdate": {"initialDelaySeconds": 2**31}}}
    assert "int32" in resource.try_patch("emqxenterprises", body, dryRun="All")["message"]
