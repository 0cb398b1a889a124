"""The sandbox as a foreground process: `emqx-tui sandbox`.

Owns the choice of a world by options, the usage text, and the end of the process: by a signal, or with the process that
started it. A parent process passes its own id and waits for the ready line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from emqx_tui.sandbox.fault_spec import Fault
from emqx_tui.sandbox.mqtt.server import PORT as MQTT_PORT
from emqx_tui.sandbox.run.runner import ADDRESS, Sandbox, prepare
from emqx_tui.sandbox.run.subnets import Subnet, claim_subnet
from emqx_tui.sandbox.world.faults import arrange
from emqx_tui.sandbox.world.scenario import SCENARIOS, scenario
from emqx_tui.sandbox.world.shape import read_shape, shaped
from emqx_tui.sandbox.world.world import SETTLING_S, World, WorldConfig

logger = logging.getLogger(__name__)

_PARENT_CHECK_S = 0.5
_CHURN_PER_CLIENT_S = 5e-5
"""Each client reconnects every five and a half hours on average: 5/s of 100,000."""


@dataclass(frozen=True, kw_only=True)
class SandboxOptions:
    """Options of `emqx-tui sandbox`."""

    clients: int = 100_000
    nodes: int = 3
    speed: float = 1.0
    scenario: str | None = None
    """None: an empty cluster"""
    seed: int = 1
    port: int = 0
    mqtt_port: int | None = None
    """of the listener Service; None: 1883, or any other when that is taken"""
    kubeconfig: Path | None = None
    """None: a temporary file, removed at the end"""
    parent_pid: int | None = None
    """end when this process is gone"""
    ready_fd: int | None = None
    """write one line of JSON here when serving"""
    shape: Path | None = None
    """a file with the shape of another cluster, instead of a scenario"""
    faults: tuple[Fault, ...] = ()
    record: Path | None = None
    """write what the faults did and, at the end, what really happened to the clients here, as JSON lines"""


MakeWorld = Callable[[SandboxOptions, str, float], World]
"""Of the options, a network for pods and the instant at which its clock stands."""


def run_sandbox(options: SandboxOptions, make: MakeWorld | None = None) -> int:
    """Serve until SIGINT, SIGTERM or the end of the parent; returns the exit code."""
    if options.scenario is not None and options.scenario not in SCENARIOS:
        _tell(f"no scenario {options.scenario!r}; there are: {', '.join(SCENARIOS)}", sys.stderr)
        return 2
    # Not the seed: two sandboxes with the same seed have the same history and still different addresses.
    subnet = claim_subnet(random.Random(f"{os.getpid()} {time.time_ns()}"))
    try:
        return asyncio.run(_serve(options, subnet, make or make_world))
    except OSError as refused:
        _tell(f"cannot serve: {refused}", sys.stderr)
        return 1
    finally:
        subnet.release()


def make_world(options: SandboxOptions, pod_subnet: str, start: float) -> World:
    """The world of these options; its clock stands at `start`."""
    churn_per_s = options.clients * _CHURN_PER_CLIENT_S
    if options.shape is not None:
        return shaped(read_shape(options.shape), seed=options.seed, start=start, pod_subnet=pod_subnet, prepare=prepare)
    if options.scenario is None:
        config = WorldConfig(
            clients=options.clients, churn_per_s=churn_per_s, pod_subnet=pod_subnet, start=start + SETTLING_S
        )
        return World(config, seed=options.seed, prepare=prepare)
    return scenario(
        options.scenario,
        clients=options.clients,
        nodes=options.nodes,
        seed=options.seed,
        churn_per_s=churn_per_s,
        start=start,
        pod_subnet=pod_subnet,
        prepare=prepare,
    )


async def _serve(options: SandboxOptions, subnet: Subnet, make: MakeWorld) -> int:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ending.set)
    world = make(options, subnet.cidr, time.time())
    record = _Record(options.record)
    if options.faults:
        arrange(world, options.faults, record.write)
    mqtt_ports = (MQTT_PORT, 0) if options.mqtt_port is None else (options.mqtt_port,)
    ports = {"port": options.port, "mqtt_ports": mqtt_ports}
    async with Sandbox(world, speed=options.speed, kubeconfig=options.kubeconfig, **ports) as sandbox:
        _tell(_usage(sandbox, options), sys.stderr if options.ready_fd == 1 else sys.stdout)
        _say_ready(sandbox, options.ready_fd)
        waits = [asyncio.create_task(ending.wait()), asyncio.create_task(sandbox.clock.broken())]
        if options.parent_pid is not None:
            waits.append(asyncio.create_task(_outlived(options.parent_pid)))
        done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        for wait in done:
            if failure := wait.exception():
                logger.critical("the simulation broke", exc_info=failure)
                return 1
        record.write_truth(world)
    return 0


class _Record:
    """The file of `--record`; nothing is written without one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def write(self, told: Mapping[str, Any]) -> None:
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(told) + "\n")

    def write_truth(self, world: World) -> None:
        for cluster in world.clusters.values():
            truth, counts = cluster.truth, cluster.truth.since_mark()
            self.write({"clients": truth.live + truth.offline, "disconnects": counts.disconnects, "lost": counts.lost})


def _tell(text: str, stream: TextIO) -> None:
    """Print, even if the reader is gone."""
    with contextlib.suppress(OSError, ValueError):
        stream.write(text + "\n")
        stream.flush()


def _usage(sandbox: Sandbox, options: SandboxOptions) -> str:
    path = sandbox.kubeconfig_path
    filled = f"scenario {options.scenario}" if options.scenario else "empty"
    about = f"{filled}, {options.clients:,} clients, {sandbox.speed:g}x time, seed {options.seed}"
    return "\n".join(
        [
            f"Sandbox at {sandbox.url}: {about}",
            "",
            f"  export KUBECONFIG={path}",
            "  kubectl get emqxenterprises",
            f"  emqx-tui --kubeconfig {path} --clock-rate {sandbox.speed:g}",
            f"  emqx-tui bench conn -h {ADDRESS} -p {sandbox.mqtt_port} -c 1000",
            "",
            f"MQTT clients: {ADDRESS} port {sandbox.mqtt_port}, the listener Service of the first cluster.",
            f"Contexts: {', '.join(sandbox.accounts.users)}. Ctrl-C ends it.",
        ]
    )


def _say_ready(sandbox: Sandbox, descriptor: int | None) -> None:
    if descriptor is None:
        return
    ready = {
        "kubeconfig": str(sandbox.kubeconfig_path),
        "url": sandbox.url,
        "mqtt": f"{ADDRESS}:{sandbox.mqtt_port}",
        "speed": sandbox.speed,
    }
    with contextlib.suppress(OSError):
        os.write(descriptor, json.dumps(ready).encode() + b"\n")
        if descriptor > 2:
            os.close(descriptor)


async def _outlived(pid: int) -> None:
    """Returns when process `pid` is gone; a child also notices that it was given to another parent."""
    is_child = os.getppid() == pid
    while True:
        if is_child and os.getppid() != pid:
            return
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        except PermissionError:
            pass
        await asyncio.sleep(_PARENT_CHECK_S)
