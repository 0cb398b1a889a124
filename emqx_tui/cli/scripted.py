"""Commands without a screen: from settings and flags to a seat at a cluster, and to an exit code.

Owns the loop, the signals and the time-out of these commands, and the order of their end: the session is left, and its
lease with it, before the last line is written.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from argparse import Namespace
from typing import Any

from emqx_tui import __version__
from emqx_tui.adapters.connect import Connection, connect
from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.flight_log import FlightLog
from emqx_tui.adapters.host import ThisHost
from emqx_tui.adapters.kubeconfig import load_access
from emqx_tui.cli.arguments import UsageError, existing_file
from emqx_tui.config import Settings
from emqx_tui.headless.endings import EXIT_CODES, Leaving, Result
from emqx_tui.headless.events import Event, Record
from emqx_tui.headless.orders import Edit, WrongOrder, parse_sets, read_template
from emqx_tui.headless.output import Format, Output, write_to
from emqx_tui.headless.rollout import RolloutOrders, run_rollout
from emqx_tui.headless.seat import Seat
from emqx_tui.headless.summary import summary
from emqx_tui.model.errors import AdapterError, Forbidden, NotFound, Unreachable
from emqx_tui.rollout.policy import Approval, Policy
from emqx_tui.session.options import Options, Outside

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_scripted(arguments: Namespace, settings: Settings) -> int:
    """Any command that talks to a cluster without a screen; the exit code."""
    if arguments.command == "rollout":
        return asyncio.run(rollout(arguments.name, rollout_orders(arguments, settings), settings, arguments))
    raise UsageError(f"unknown command {arguments.command}")


def rollout_orders(arguments: Namespace, settings: Settings) -> RolloutOrders:
    """What `rollout` was asked for. Raises UsageError, ConfigError."""
    if settings.read_only:
        raise UsageError("--read-only and rollout exclude each other; use status --watch")
    try:
        edit = parse_sets(arguments.sets)
        if arguments.template:
            edit = Edit(edit.image, edit.parameters, read_template(_yaml(arguments.template), arguments.template))
    except WrongOrder as wrong:
        raise UsageError(str(wrong)) from wrong
    on_hold = True if arguments.exit_on_hold else False if arguments.wait_on_hold else None
    return RolloutOrders(
        edit=edit,
        approval=Approval(arguments.approval) if arguments.approval else None,
        default_approval=settings.approval,
        leaving=Leaving(arguments.exit_at_gate, on_hold),
        overrides=tuple(arguments.override),
        late_removal=arguments.late_removal,
        parallel_drains=arguments.parallel_drains,
    )


def _yaml(path: str) -> Any:
    from ruamel.yaml import YAML, YAMLError

    text = sys.stdin.read() if path == "-" else existing_file(path, "--template")
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"--template {path}{place}: {getattr(error, 'problem', None) or 'not YAML'}") from error


async def rollout(name: str, orders: RolloutOrders, settings: Settings, arguments: Namespace) -> int:
    """`emqx-tui rollout`."""
    output = Output(Format(arguments.output), write_to(1))
    ending = Ending(getattr(arguments, "timeout", None))
    last, code = None, EXIT_CODES[Result.FAILED]
    try:
        async with Connected(settings) as connection:
            seat = seat_at(connection, settings, name, drives=True)
            async with seat:
                ending.end_at(seat)
                last, code = await run_rollout(seat, orders, output)
    except AdapterError as error:
        return _tell_failure(output, error)
    except asyncio.CancelledError:
        if ending.code is None:
            raise
        code = ending.code
    if last is None:
        last = summary(None, Result.FAILED, _now())
    output.finish(last)
    return code


def _tell_failure(output: Output, error: AdapterError) -> int:
    """There is no contact, or none was ever made: say why, and end."""
    result = Result.LOST_CONTACT if isinstance(error, Unreachable) else Result.FAILED
    output.tell(Record(Event.PROBLEM, _now(), None, {"text": error.message}))
    output.finish(summary(None, result, _now()))
    return EXIT_CODES[result]


def _now():
    from datetime import UTC, datetime

    return datetime.now(UTC)


class Connected:
    """`async with Connected(settings) as connection:`. Raises AdapterError when the cluster does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: Connection | None = None

    async def __aenter__(self) -> Connection:
        settings = self._settings
        access = load_access(settings.access_request())
        connection = await connect(access, emqx_access=settings.emqx_access, clock_rate=settings.clock_rate)
        if connection.problem is not None and not isinstance(connection.problem, Forbidden | NotFound):
            await connection.close()
            raise connection.problem
        self._connection = connection
        return connection

    async def __aexit__(self, *_: object) -> None:
        if self._connection is not None:
            await self._connection.close()


def seat_at(connection: Connection, settings: Settings, name: str, *, drives: bool) -> Seat:
    """A seat at the cluster `name` of the settings' namespace."""
    if connection.access.all_namespaces:
        raise UsageError("-A and a NAME exclude each other; give -n NAMESPACE")
    namespace = connection.access.namespace
    host: ThisHost = connection.host
    recorder = FlightLog(settings.flight_log_dir, namespace, name) if drives else None
    outside = Outside(connection.kube, connection.emqx(namespace, name), connection.clock, host, recorder)
    options = Options(
        policy=Policy().at_rate(settings.clock_rate),
        read_only=settings.read_only,
        drives=drives,
        console_version=__version__,
    )
    return Seat(namespace, name, outside, options)


class Ending:
    """Signals and the time-out of one command: they stop its seat, or before there is one, the whole command."""

    def __init__(self, timeout_s: float | None = None) -> None:
        self.code: int | None = None
        """Exit code by a signal."""
        self._seat: Seat | None = None
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        for number in SIGNALS:
            self._loop.add_signal_handler(number, self._signalled, number)
        if timeout_s:
            self._loop.call_later(timeout_s, self._end, "timeout", None)

    def end_at(self, seat: Seat) -> None:
        """Signals reach this seat from now on."""
        self._seat = seat

    def _signalled(self, number: signal.Signals) -> None:
        # A second one ends the process at once.
        for other in SIGNALS:
            self._loop.remove_signal_handler(other)
        self._end(number.name, 128 + number)

    def _end(self, reason: str, code: int | None) -> None:
        self.code = code
        if self._seat is not None:
            self._seat.stop(reason, code)
        elif self._task is not None:
            self.code = 1 if code is None else code
            self._task.cancel()


def show_config(settings: Settings, form: str) -> int:
    """`emqx-tui config`."""
    try:
        access = load_access(settings.access_request())
        where = f"{access.context or '-'}, {access.server}, namespace {access.scope or 'all'}, from {access.origin}"
    except ConfigError as error:
        where = error.message
    if form == "json":
        shown = {line.partition(" = ")[0]: line.partition(" = ")[2].partition("  # ") for line in settings.lines()}
        document = {name: {"value": value.strip(), "source": source} for name, (value, _, source) in shown.items()}
        text = json.dumps({"schema": 1, "settings": document, "cluster": where}, indent=2)
    else:
        text = "\n".join([*settings.lines(), "", f"cluster: {where}"])
    sys.stdout.write(text + "\n")
    return 0
