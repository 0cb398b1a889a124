"""A listener Service that the operator cannot write, applied with kubectl: every front names it, and why."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from emqx_tui.sandbox.world.scenario import manifest
from tests.e2e.test_kubectl import KUBECTL, needs_kubectl
from tests.support.programs import command, environment, run, wait_until
from tests.support.served import Served
from tests.support.terminal import Terminal

REFUSED = """\
apiVersion: apps.emqx.io/v1beta4
kind: EmqxEnterprise
metadata: {name: broken, namespace: default}
spec:
  replicas: 1
  blueGreenUpdate: {initialDelaySeconds: 5, evacuationStrategy: {waitTakeover: 5, connEvictRate: 50, sessEvictRate: 50}}
  template: {spec: {emqxContainer: {image: {repository: emqx/emqx-ee, version: 4.4.14}}}}
  serviceTemplate: {spec: {type: LoadBalancer, ports: [{port: 1883, targetPort: 1883}]}}
"""
PROBLEM = (
    "Service broken does not exist: no client can connect; likely cause: port 1883 of spec.serviceTemplate has no name"
)


@pytest.fixture
def served() -> Iterator[Served]:
    with Served(speed=20, cr=manifest(delay_s=5), pod_boot_s=2.0) as served:
        yield served


def apply(served: Served, folder: Path) -> None:
    path = folder / "broken.yaml"
    path.write_text(REFUSED)
    words = [str(KUBECTL), "--kubeconfig", str(served.kubeconfig), "apply", "-f", str(path)]
    done = subprocess.run(words, env=environment(folder), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    wait_until(
        lambda: ((served.find("emqxenterprises", "broken") or {}).get("status") or {}).get("readyReplicas"), "pod"
    )


@needs_kubectl
def test_every_front_names_the_service_and_the_likely_cause(served: Served, tmp_path: Path) -> None:
    apply(served, tmp_path)
    table = run(["get", *served.flags], tmp_path)
    assert f"emqx-tui get: broken: {PROBLEM}\n" in table.stderr
    assert "emqx-ee" in table.stdout, "and the other cluster is listed"
    items = json.loads(run(["get", "-o", "json", *served.flags], tmp_path).stdout)["items"]
    assert {item["name"]: item["problem"] for item in items} == {"broken": PROBLEM, "emqx-ee": None}
    assert f"problem  {PROBLEM}" in run(["status", "broken", *served.flags], tmp_path).stdout.splitlines()
    document = json.loads(run(["status", "broken", "-o", "json", *served.flags], tmp_path).stdout)
    assert PROBLEM in document["problems"]
    words = ["rollout", "broken", "--set", "image.version=4.4.15", "--approve", "auto", *served.flags]
    refused = run(words, tmp_path)
    assert refused.returncode == 1
    assert PROBLEM in refused.stdout + refused.stderr
    with Terminal(command(*served.flags), environment=environment(tmp_path), columns=80, rows=24) as terminal:

        def shown() -> str:
            return " ".join(line[40:].strip() for line in terminal.lines())

        terminal.until(lambda: PROBLEM in " ".join(terminal.text().split()), "the list's last lines")
        terminal.press("enter")
        terminal.until(lambda: PROBLEM in " ".join(shown().split()), "the cluster's screen")
