"""`kill -9` of whoever drives, in each step, over real sockets: nothing unapproved happens, and all ends well."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emqx_tui.sandbox.world.scenario import manifest
from tests.support.person import Person
from tests.support.programs import Headless, approve, command, environment
from tests.support.served import NAME, Served
from tests.support.terminal import Terminal
from tests.support.witness import Witness

DELAY_S = 30
ROLLOUT = ("rollout", NAME, "--set", "image.version=4.4.15", "--approve", "every-node", "-o", "jsonl")


def served_cluster(**config: Any) -> Served:
    """Drains that also a slow machine meets in the middle: 200 clients a node, three a second."""
    cr = manifest(delay_s=DELAY_S, conn_evict_rate_per_s=3, sess_evict_rate_per_s=3)
    return Served(clients=600, speed=20, cr=cr, churn_per_s=0.0, **config)


class Cluster:
    """What can be told of the release from the cluster alone."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.blue = served.list("statefulsets")[0]["metadata"]["name"]
        self.witness = served.call(lambda: Witness(served.world))

    def creates(self) -> bool:
        """The second set is there, and not all of it is ready."""
        green = [s for s in self.served.list("statefulsets") if s["metadata"]["name"] != self.blue]
        return bool(green) and (green[0].get("status") or {}).get("readyReplicas", 0) < 3

    def waits(self) -> bool:
        """The operator has seen green complete: the user's delay runs."""
        resource = self.served.find("emqxenterprises", NAME)
        status = (resource or {}).get("status", {}).get("blueGreenUpdateStatus") or {}
        return bool(status.get("startedAt"))

    def watches_canary(self) -> bool:
        """One blue address is out of the Service."""
        return len([ip for ip in self._addresses() if ip in self._ips(self.blue)]) == 2

    def drains(self) -> bool:
        """An evacuation is under way, and some are gone already."""
        return any(0 < self._live(node) < 190 for node in self.served.evacuating())

    def size(self) -> int:
        found = self.served.find("statefulsets", self.blue)
        return found["spec"]["replicas"] if found else 0

    def check_ended(self) -> None:
        def check() -> None:
            assert self.witness.broken == []
            self.witness.check_ended("4.4.15", delay_s=DELAY_S)
            truth = self.served.world.cluster().truth.since_mark()
            assert (truth.killed, truth.lost) == (0, 0)

        self.served.call(check)
        assert self.served.find("leases", f"emqx-tui-{NAME}") is None

    def _live(self, node: str) -> int:
        return self.served.live().get(node, 0)

    def _ips(self, name: str) -> set[str]:
        pods = [pod for pod in self.served.list("pods") if pod["metadata"]["name"].startswith(f"{name}-")]
        return {pod["status"]["podIP"] for pod in pods}

    def _addresses(self) -> list[str]:
        endpoints = self.served.find("endpoints", NAME) or {}
        return [address["ip"] for subset in endpoints.get("subsets") or () for address in subset["addresses"]]


@pytest.mark.timeout(180)
def test_a_driver_killed_once_in_each_step(tmp_path: Path) -> None:
    with served_cluster() as served:
        cluster = Cluster(served)
        drivers = 0

        def drive_until(is_reached: Callable[[], object], what: str, *gates: str) -> None:
            """A driver, a person at a second terminal who approves these gates, and a death."""
            nonlocal drivers
            drivers += 1
            with Headless([*ROLLOUT, *served.flags], tmp_path) as driver:
                for gate in gates:
                    approve(driver, NAME, gate, served.flags, tmp_path)
                served.wait_until(is_reached, what, within_s=40)

        drive_until(cluster.creates, "creation of green")
        drive_until(cluster.waits, "start of the delay")
        drive_until(cluster.watches_canary, "canary", "cut-over")
        drive_until(cluster.drains, "drain", "2")
        drive_until(lambda: cluster.size() == 2, "scale-down")
        drive_until(lambda: cluster.size() == 0, "end of blue", "1", "0")
        assert cluster.witness.journal() is not None
        assert drivers == 6

        with Headless([*ROLLOUT, *served.flags], tmp_path) as driver:
            assert driver.end(within_s=60) == 0
            assert driver.told[-1]["result"] == "done"
            assert driver.told[-1]["clients_lost"] in (0, None)
        cluster.check_ended()


def test_a_console_killed_in_the_middle_of_a_drain(tmp_path: Path) -> None:
    """The next one, opened and told to drive, brings the approved drain to its end, and begins no other."""
    with served_cluster() as served:
        cluster = Cluster(served)
        with Terminal(command(*served.flags), environment=environment(tmp_path)) as terminal:
            person = Person(terminal)
            person.find()
            person.edit_version("4.4.15")
            person.start("4.4.15")
            person.approve("green", title="Approve: cut over to green")
            person.approve("2", title="Approve: drain")
            terminal.until(cluster.drains, "a drain")
            os.kill(terminal.pid, signal.SIGKILL)
            assert terminal.wait(5) == -signal.SIGKILL

        with Terminal(command(*served.flags), environment=environment(tmp_path)) as terminal:
            person = Person(terminal)
            terminal.until(lambda: terminal.line_with(NAME, "4.4.14→4.4.15"), "the release in the list", within_s=30)
            terminal.press("enter")
            person.take_over()
            terminal.until(lambda: cluster.size() == 2, "removal of the drained node", within_s=40)
            for ordinal in "10":
                person.approve(ordinal, title=f"Approve: drain {cluster.blue}-{ordinal}"[:30])
            terminal.until_shown("DONE 4.4.14 → 4.4.15", within_s=60)
            terminal.until(lambda: served.find("leases", f"emqx-tui-{NAME}") is None, "removal of the lease")
        cluster.check_ended()
