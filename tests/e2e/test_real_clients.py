"""The release document with its load: real MQTT connections through a release, by the operator and by the console.

The load generator and the console are two programs that share no line. Each counts disconnects by itself: one what its
3,000 connections were told, the other what the brokers' figures say.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from emqx_tui.sandbox.run.runner import Sandbox
from emqx_tui.sandbox.run.subnets import claim_subnet
from emqx_tui.sandbox.world.scenario import manifest
from emqx_tui.sandbox.world.world import World, WorldConfig
from tests.e2e.test_kubectl import KUBECTL, MANIFEST, Kubectl, evacuations_of, needs_kubectl
from tests.support.programs import SOURCES, Headless, approve, command, environment
from tests.support.served import NAME, Served

SPEED, GATED_SPEED = 10.0, 5.0
CLIENTS = 3000
MOSQUITTO = shutil.which("mosquitto_sub")
MQTT_JS = shutil.which("mqtt")
"""The command of npm's package mqtt; where somebody has it, it subscribes, too."""
PATCH = '{"spec": {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}}}}'


class Bench:
    """`bench conn -c 3000`; its clients come back after a second of the sandbox's time."""

    def __init__(self, port: int, home: Path, speed: float) -> None:
        words = ["bench", "conn", "-h", "127.0.0.1", "-p", str(port), "-c", str(CLIENTS), "-i", "1", "-o", "json"]
        words += ["--reconnect-period", f"{1000 / speed:.0f}"]
        self._process = subprocess.Popen(
            command(*words), env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def wait_connected(self) -> None:
        """Until it has said so."""
        assert self._process.stderr is not None
        assert self._process.stderr.readline().startswith(f"{CLIENTS}/{CLIENTS} connected in ")

    def end(self) -> dict[str, Any]:
        """Ctrl-C; its figures."""
        self._process.send_signal(signal.SIGINT)
        out, errors = self._process.communicate(timeout=30)
        assert (self._process.returncode, errors) == (0, ""), out
        return json.loads(out)


def check_all_are_back(figures: dict[str, Any]) -> None:
    assert (figures["connected"], figures["lost"], figures["gave_up"]) == (CLIENTS, 0, 0)
    assert figures["disconnects"]["total"] == figures["reconnects"] == figures["connects"] - CLIENTS


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """Empty, and without simulated clients."""
    subnet = claim_subnet(random.Random())
    try:
        async with Sandbox(World(WorldConfig(clients=0, pod_subnet=subnet.cidr), seed=1), speed=SPEED) as sandbox:
            yield sandbox
    finally:
        subnet.release()


@needs_kubectl
@pytest.mark.timeout(240)
async def test_the_document_by_the_operator_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    """Apply, load, patch, look, wait: its 20 s rounds remove nodes with clients on them, and bench sees the same."""
    kubectl = Kubectl(KUBECTL or "", sandbox.kubeconfig_path, tmp_path)
    path = tmp_path / "emqx-update.yaml"
    path.write_text(MANIFEST)
    (await kubectl("apply", "-f", str(path))).ok()
    assert "condition met" in (await kubectl("wait", "--for=condition=Running", f"emqxenterprise/{NAME}")).ok()
    truth = sandbox.world.cluster().truth
    with Bench(sandbox.mqtt_port, tmp_path, SPEED) as bench:
        await asyncio.to_thread(bench.wait_connected)
        assert truth.live == CLIENTS
        (await kubectl("patch", "EmqxEnterprise", NAME, "--type=merge", "-p", PATCH)).ok()
        async with asyncio.timeout(60):
            while not evacuations_of(sandbox.world.store.get("emqxenterprises", "default", NAME)):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        # At real speed, or the node is gone before kubectl has looked.
        sandbox.clock.speed = 1.0
        (evacuation, *_) = evacuations_of((await kubectl("get", "emqxEnterprise", NAME, "-o", "json")).json())
        assert evacuation["connection_eviction_rate"] == 200
        assert evacuation["stats"]["initial_connected"] == pytest.approx(CLIENTS / 3, rel=0.15)
        sandbox.clock.speed = SPEED
        newest = "jsonpath={.status.conditions[0].type}=Running"
        (await kubectl("wait", f"--for={newest}", f"emqxenterprise/{NAME}", "--timeout=120s")).ok()
        async with asyncio.timeout(30):
            while truth.live < CLIENTS:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        figures = await asyncio.to_thread(bench.end)
    check_all_are_back(figures)
    assert figures["disconnects"]["total"] == truth.total.evicted + truth.total.killed
    assert figures["disconnects"]["0x9c use another server"] == truth.total.evicted > 0
    assert figures["refused"]["total"] == truth.total.refused


class Publisher:
    """Numbers at QoS 1, from a client that is evicted like all others."""

    def __init__(self, port: int, topic: str) -> None:
        words = [sys.executable, "-m", "tests.support.publisher", str(port), topic]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(words, cwd=SOURCES, stdin=pipe, stdout=pipe, text=True)

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def end(self) -> int:
        """How many it has published, the last one acknowledged."""
        out, _ = self._process.communicate(timeout=30)
        return int(out)


def subscribers(port: int, topic: str) -> list[list[str]]:
    """Programs that nobody here wrote, each with a session that it keeps."""
    common = ["-h", "127.0.0.1", "-p", str(port), "-q", "1", "-t", topic]
    words = [[MOSQUITTO or "", *common, "-V", "311", "-i", "mosquitto", "-c"]]
    if MQTT_JS:
        words.append([MQTT_JS, "sub", *common, "-i", "mqtt-js", "--no-clean"])
    return words


@contextlib.contextmanager
def subscriber(words: Sequence[str]) -> Iterator[queue.Queue[str]]:
    """A program that prints a message a line; what it prints."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    lines: queue.Queue[str] = queue.Queue()
    stdout = process.stdout
    assert stdout is not None
    reading = threading.Thread(target=lambda: [lines.put(line.strip()) for line in stdout], daemon=True)
    reading.start()
    try:
        yield lines
    finally:
        process.terminate()
        process.wait()
        reading.join()
        stdout.close()


def read_until(lines: queue.Queue[str], last: str) -> list[str]:
    got: list[str] = []
    while not got or got[-1] != last:
        got.append(lines.get(timeout=20))
    return got


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto-clients is not installed")
@pytest.mark.timeout(240)
def test_the_same_through_the_console_with_gates(tmp_path: Path) -> None:
    """Each gate is approved by a person. Everybody is disconnected once, and a kept subscription misses nothing."""
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(Served(clients=0, speed=GATED_SPEED, cr=manifest(delay_s=5)))
        programs = subscribers(served.mqtt_port, "numbers")
        printed = [stack.enter_context(subscriber(words)) for words in programs]
        others = len(programs) + 1
        bench = stack.enter_context(Bench(served.mqtt_port, tmp_path, GATED_SPEED))
        bench.wait_connected()
        truth = served.world.cluster().truth
        served.wait_until(lambda: truth.live == CLIENTS + len(programs), "the subscribers")
        publisher = stack.enter_context(Publisher(served.mqtt_port, "numbers"))
        served.wait_until(lambda: truth.live == CLIENTS + others, "the publisher")
        rollout = ["rollout", NAME, "--set", "image.version=4.4.15", "--approve", "every-node", "-o", "jsonl"]
        driver = stack.enter_context(Headless([*rollout, *served.flags], tmp_path))
        for gate in ("cut-over", "2", "1", "0"):
            approve(driver, NAME, gate, served.flags, tmp_path)
        finished = driver.until_event("finished", within_s=120)
        assert (finished["result"], finished["clients_lost"]) == ("done", 0)
        served.wait_until(lambda: truth.live == CLIENTS + others, "all are back")
        figures = bench.end()
        count = publisher.end()
        got = [read_until(lines, str(count - 1)) for lines in printed]
    check_all_are_back(figures)
    assert figures["disconnects"] == {"total": CLIENTS, "0x9c use another server": CLIENTS}
    ledger = finished["disconnects_per_client"] * (CLIENTS + others)
    assert figures["disconnects"]["total"] == pytest.approx(ledger, rel=0.01)
    for numbers in got:
        assert sorted(set(numbers), key=int) == [str(number) for number in range(count)]
    per_node = served.world.cluster().truth.per_node.values()
    assert sum(each.evicted for each in per_node) == CLIENTS + others
