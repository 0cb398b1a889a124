"""Starts and stops the bed: a real control plane with the real EMQX Operator, in namespaces of its own.

`python -m tests.cluster.bed` runs it in the foreground and says how to reach it; tests start it through `Bed`. The
binaries come from `build.sh`. The API server is reached at a free port of this machine's loopback address, nothing
else is; the bed ends with the process that started it, and takes along only what it started.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

HERE = Path(__file__).parents[1]
START_S = 120.0
MOUNTS = 'mount --bind "$1/hosts" /etc/hosts; mount --bind "$1/resolv.conf" /etc/resolv.conf; shift; exec "$@"'
"""Names that only the bed knows; nothing of the machine is changed."""


class Unavailable(Exception):
    """The bed cannot run here; the text is one line."""


def binaries() -> Path:
    """The folder with everything that `build.sh` makes; raises Unavailable with one line when there is none."""
    told = subprocess.run(["bash", HERE / "build.sh", "--where"], capture_output=True, text=True, check=False)
    if told.returncode != 0:
        raise Unavailable((told.stderr or told.stdout).strip().splitlines()[-1])
    return Path(told.stdout.strip())


def has_operator(folder: Path) -> bool:
    """Whether the real operator was brought in; its Go module cannot be had from the module proxy."""
    return (folder / "operator" / "emqx-operator").exists()


def why_not() -> str:
    """Why this machine cannot run the bed; empty when it can."""
    try:
        binaries()
    except Unavailable as reason:
        return str(reason)
    for program in ("unshare", "setpriv", "ip"):
        if shutil.which(program) is None:
            return f"{program} is not installed: util-linux and iproute2 have it"
    tried = subprocess.run(["unshare", "-rmnpf", "--mount-proc", "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"no namespaces here: {tried.stderr.strip()}"


class Bed:
    """`with Bed() as bed:`; `bed.kubeconfig` leads to it."""

    def __init__(
        self, folder: Path | None = None, *, simulated: bool = False, brokers: Path | None = None, reads: bool = False
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="emqx-tui-bed-")) if folder is None else folder
        self.simulated, self.brokers, self.reads = simulated, brokers, reads
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Bed:
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            # The first process of the PID namespace goes with it, and takes all others along.
            self._process.kill()
            self._process.wait(20)
        if os.environ.get("EMQX_TUI_KEEP_BED") is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _start(self) -> None:
        found = binaries()
        (self.folder / "hosts").write_text("127.0.0.1 localhost\n")
        (self.folder / "resolv.conf").write_text("")
        with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
            inside = [
                sys.executable,
                "-m",
                "tests.cluster.bed.inside",
                *("--folder", str(self.folder)),
                *("--binaries", str(found)),
                *("--listener", str(listener.fileno())),
                *("--outer-port", str(listener.getsockname()[1])),
                *(["--simulated"] if self.simulated or not has_operator(found) else []),
                *(["--brokers", str(self.brokers.resolve())] if self.brokers else []),
                *(["--audit-reads"] if self.reads else []),
            ]
            alone = ["setpriv", "--pdeathsig", "KILL", "unshare", "-rmnpf", "--mount-proc", "--kill-child=SIGKILL"]
            unshare = [*alone, "bash", "-ec", MOUNTS, "bed", str(self.folder)]
            errors = (self.folder / "errors.log").open("wb")
            with errors:
                self._process = subprocess.Popen(
                    [*unshare, *inside],
                    pass_fds=(listener.fileno(),),
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    stdin=subprocess.DEVNULL,
                    text=True,
                    start_new_session=True,
                )
        assert self._process.stdout is not None
        told = self._process.stdout.readline()
        up = json.loads(told) if told else {"up": False, "why": (self.folder / "errors.log").read_text()[-2000:]}
        if not up["up"]:
            raise Unavailable(f"the bed did not start: {up['why']}")


class Control:
    """The bed's own socket: what happened to the clients, and faults."""

    def __init__(self, folder: Path) -> None:
        transport = httpx.HTTPTransport(uds=str(folder / "control.sock"))
        self._http = httpx.Client(transport=transport, base_url="http://bed", timeout=20.0)

    def get(self, path: str) -> Any:
        return self._answer(self._http.get(path))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._answer(self._http.post(path, json=dict(body or {})))

    def close(self) -> None:
        self._http.close()

    @staticmethod
    def _answer(response: httpx.Response) -> Any:
        found = response.json()
        assert response.status_code == 200, found
        return found


def _wait(bed: Bed, until: int | None) -> None:
    """For Ctrl-C, SIGTERM, the end of another process, or the end of the bed itself."""
    ended = [os.pidfd_open(pid) for pid in (bed.pid, until) if pid is not None]
    select.select(ended, [], [])


def main() -> int:
    parser = argparse.ArgumentParser(description="a real control plane with the real EMQX Operator")
    parser.add_argument("--folder", type=Path, help="an empty folder for its files; without, one of its own")
    parser.add_argument("--until", type=int, metavar="PID", help="end with this process")
    parser.add_argument("--simulated", action="store_true", help="run the simulated operator on the real control plane")
    parser.add_argument(
        "--brokers", type=Path, metavar="FOLDER", help="run the program `start` of a folder in each pod"
    )
    parser.add_argument("--audit-reads", action="store_true", help="log requests that change nothing, too")
    asked = parser.parse_args()
    if reason := why_not():
        print(f"the bed did not start: {reason}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        made = Bed(asked.folder, simulated=asked.simulated, brokers=asked.brokers, reads=asked.audit_reads)
        with made as bed, contextlib.suppress(KeyboardInterrupt):
            print(f"export KUBECONFIG={bed.kubeconfig}", flush=True)
            print("The bed is up until Ctrl-C.", flush=True)
            _wait(bed, asked.until)
    except Unavailable as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0
