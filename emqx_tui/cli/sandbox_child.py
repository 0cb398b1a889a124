"""The sandbox of a demo: a process of its own that never outlives the one that started it.

Owns the child and what it said last. The child watches its parent by itself and takes its temporary kubeconfig along,
so that even `kill -9` of the demo leaves nothing behind; a session of its own keeps Ctrl-C away from it, because the
console gives its lease back to a cluster that is still there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from types import TracebackType
from typing import IO

from emqx_tui.adapters.errors import one_line
from emqx_tui.model.errors import AdapterError

END_S = 2.0
_LINE_BYTES = 65_536


class SandboxChild:
    """Within `with SandboxChild([...]) as child:`, `await child.ready()` starts it and waits until it serves."""

    def __init__(self, flags: list[str], kubeconfig: str = "") -> None:
        """`flags` as `emqx-tui sandbox` takes them; `kubeconfig` = a file to write, empty for a temporary one."""
        self._flags = flags
        if kubeconfig:
            self._flags = [*flags, "--kubeconfig", kubeconfig]
        self._exit = contextlib.ExitStack()
        self._words: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._reading = -1
        self._kubeconfig = ""
        self.mqtt = ""
        """host and port for MQTT clients, once it serves"""

    def __enter__(self) -> SandboxChild:
        self._words = self._exit.enter_context(tempfile.TemporaryFile())
        return self

    def start(self) -> None:
        """Start the process, unless it runs already."""
        if self._process is not None and self._process.poll() is None:
            return
        self._close_pipe()
        self._reading, writing = os.pipe()
        command = [sys.executable, "-m", "emqx_tui", "sandbox", *self._flags]
        command += ["--parent-pid", str(os.getpid()), "--ready-fd", str(writing)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._words,
                pass_fds=(writing,),
                start_new_session=True,
            )
        finally:
            os.close(writing)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._close_pipe()
        self._exit.close()

    async def ready(self) -> str:
        """Wait until the sandbox serves: the path of its kubeconfig. Raises AdapterError when it does not come up."""
        if self._kubeconfig:
            return self._kubeconfig
        self.start()
        loop = asyncio.get_running_loop()
        told: asyncio.Future[bytes] = loop.create_future()

        def read() -> None:
            line = os.read(self._reading, _LINE_BYTES)
            if not told.done():
                told.set_result(line)

        loop.add_reader(self._reading, read)
        try:
            line = await told
        finally:
            loop.remove_reader(self._reading)
        with contextlib.suppress(ValueError):
            serving = json.loads(line)
            self._kubeconfig, self.mqtt = str(serving["kubeconfig"]), str(serving["mqtt"])
            return self._kubeconfig
        raise AdapterError(f"the sandbox did not start: {self._last_words()}")

    def _close_pipe(self) -> None:
        if self._reading >= 0:
            os.close(self._reading)
            self._reading = -1

    def _last_words(self) -> str:
        if self._words is None:
            return "it was never started"
        self._words.seek(0)
        lines = self._words.read()[-4096:].decode("utf-8", "replace").strip().splitlines()
        return one_line(lines[-1]) if lines else "it said nothing"
