"""A terminal that stops reading (Ctrl-S, a line that died) stops the drawing, and nothing else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from emqx_tui.sandbox.world.scenario import manifest
from tests.support.person import Person
from tests.support.programs import command, environment, run, wait_until
from tests.support.served import NAME, Served
from tests.support.terminal import Terminal

STALL_S = 30.0
FULL_BYTES = 3_500
"""A pseudo-terminal takes about 4 kB; so much of unread output means that its writer waits."""


def blue_size(served: Served, name: str) -> int:
    found = served.find("statefulsets", name)
    assert found is not None
    return found["spec"]["replicas"]


@pytest.mark.timeout(180)
def test_thirty_seconds_without_a_reader(tmp_path: Path) -> None:
    """One node is drained and removed, the next one begins, and a hold from elsewhere is written down and obeyed."""
    cr = manifest(delay_s=5, conn_evict_rate_per_s=10, sess_evict_rate_per_s=10)
    with (
        Served(clients=3000, speed=10, cr=cr, pod_boot_s=5.0) as served,
        Terminal(command(*served.flags), environment=environment(tmp_path)) as terminal,
    ):
        person = Person(terminal)
        person.find()
        blue = served.list("statefulsets")[0]["metadata"]["name"]
        person.edit_version("4.4.15")
        person.choose_policy("cut-over")
        person.start("4.4.15")
        person.approve("green", title="Approve: cut over to green")
        terminal.until(served.evacuating, "the first drain", within_s=40)

        stalled_at = time.monotonic()
        renewals: set[str] = set()

        def see(condition) -> bool:
            renewals.add(served.renewed_at())
            return bool(condition())

        live = served.live()
        assert blue_size(served, blue) == 3
        wait_until(lambda: see(lambda: blue_size(served, blue) == 2), "removal of node 2", within_s=40)
        wait_until(lambda: see(lambda: any(f"{blue}-1" in n for n in served.evacuating())), "drain of node 1")
        assert terminal.waiting() > FULL_BYTES
        assert sum(count for node, count in served.live().items() if f"{blue}-2" in node) == 0
        assert any(count > 900 for node, count in live.items() if f"{blue}-1" in node)

        held = run(["hold", NAME, "--reason", "the terminal is dead", *served.flags], tmp_path)
        assert held.returncode == 0, held.stderr
        journal = served.journal()
        assert journal is not None
        assert journal["hold"]["reason"] == "the terminal is dead"
        assert not journal["hold"]["auto"]

        wait_until(lambda: see(lambda: _left(served, f"{blue}-1") == 0), "end of the drain that ran", within_s=40)
        drained_at = served.now()
        # Unheld, the node goes within a few seconds of the cluster, and the next one begins.
        wait_until(lambda: see(lambda: served.now() > drained_at + 60), "a minute of the cluster")
        wait_until(lambda: see(lambda: time.monotonic() > stalled_at + STALL_S), "thirty seconds", within_s=STALL_S)
        assert terminal.waiting() > FULL_BYTES
        assert blue_size(served, blue) == 2
        assert not any(f"{blue}-0" in node for node in served.evacuating())
        assert len(renewals - {""}) >= STALL_S / 10

        terminal.until_shown("HELD", "the terminal is dead", within_s=20)
        terminal.press("r")
        terminal.until(lambda: blue_size(served, blue) == 1, "removal of node 1 after the resume")


def _left(served: Served, pod: str) -> int:
    return sum(count for node, count in served.live().items() if pod in node)
