"""The bed is what it says: a real API server, a real operator, pods that can be reached, clients that follow."""

from __future__ import annotations

import pytest

from tests.cluster.case import Case
from tests.support.programs import wait_until


@pytest.mark.smoke
def test_a_cluster_comes_up_and_a_console_sees_it_through_port_forward(case: Case) -> None:
    case.start_cluster(clients=90)
    assert case.cluster.call("GET", "/version")["gitVersion"].startswith("v1.")
    deployed = case.cluster.call(
        "GET", "/apis/apps/v1/namespaces/emqx-operator-system/deployments/emqx-operator-controller-manager"
    )
    assert deployed["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2] == "2.2.29"
    assert sum(case.live().values()) == 90

    def row() -> list[str]:
        shown = case.console("get")
        assert shown.returncode == 0, shown.stderr
        return shown.stdout.splitlines()[1].split()[:5]

    # A broker's /stats follow its clients by two seconds.
    whole = [case.name, "Running", "4.4.14", "3/3", "90"]
    wait_until(lambda: row() == whole, "count of the clients", within_s=10)


@pytest.mark.smoke
def test_a_release_by_policy_auto_cuts_every_client_off_once(case: Case) -> None:
    case.start_cluster(clients=300)
    with case.release("4.4.15", "--approve", "auto") as driver:
        assert driver.end(within_s=400) == 0
    truth = case.truth()
    assert (truth["live"], truth["lost"]) == (300, 0)
    assert truth["since_mark"]["evicted"] <= 300
    assert truth["since_mark"]["killed"] == truth["since_mark"]["refused"] == 0
    assert case.replicas() == [0, 3]
    assert case.resource["spec"]["blueGreenUpdate"]["initialDelaySeconds"] == 5
