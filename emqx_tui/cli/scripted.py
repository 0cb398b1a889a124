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
from collections.abc import Coroutine
from datetime import UTC, datetime
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
from emqx_tui.headless.events import Event, Record, dumps
from emqx_tui.headless.listing import Listing, Place
from emqx_tui.headless.orders import Edit, WrongOrder, parse_sets, read_template
from emqx_tui.headless.output import Format, Output, write_to
from emqx_tui.headless.rollout import FIRST_DATA_S, RolloutOrders, run_rollout
from emqx_tui.headless.rows import Printer
from emqx_tui.headless.seat import Seat, is_whole, why_unreadable
from emqx_tui.headless.status import document, lines
from emqx_tui.headless.summary import summary
from emqx_tui.headless.verbs import Code, Verb, VerbOrders, run_verb
from emqx_tui.model.errors import AdapterError, Forbidden, NotFound, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.rollout.policy import Approval, Policy
from emqx_tui.session.options import Options, Outside
from emqx_tui.session.view import View

STANDARD_OUTPUT = 1
STATUS_AGAIN_S = 2.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_scripted(arguments: Namespace, settings: Settings) -> int:
    """Any command that talks to a cluster without a screen; the exit code."""
    match arguments.command:
        case "rollout":
            orders = rollout_orders(arguments, settings)
            return asyncio.run(rollout(arguments.name, orders, settings, arguments.output, arguments.timeout))
        case "get":
            return asyncio.run(_until_signal(get(arguments, settings)))
        case "status":
            return asyncio.run(_until_signal(status(arguments, settings)))
        case _:
            return asyncio.run(verb(arguments, settings))


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


async def rollout(
    name: str, orders: RolloutOrders, settings: Settings, form: str, timeout_s: float | None = None
) -> int:
    """`emqx-tui rollout`: whatever happens, the last line says so."""
    output = Output(Format(form), write_to(STANDARD_OUTPUT))
    ending = Ending(timeout_s)
    last, code = None, EXIT_CODES[Result.FAILED]
    try:
        async with Connected(settings) as connection, seat_at(connection, settings, name, drives=True) as seat:
            ending.end_at(seat)
            last, code = await run_rollout(seat, orders, output)
    except (UsageError, ConfigError):
        output.close()
        raise
    except AdapterError as error:
        result = Result.LOST_CONTACT if isinstance(error, Unreachable) else Result.FAILED
        output.tell(Record(Event.PROBLEM, datetime.now(UTC), None, {"text": error.message}))
        last, code = summary(None, result, datetime.now(UTC)), EXIT_CODES[result]
    except asyncio.CancelledError:
        if ending.code is None:
            raise
        code = ending.code
    except Exception:
        output.finish(summary(None, Result.FAILED, datetime.now(UTC)))
        raise
    output.finish(last or summary(None, Result.FAILED, datetime.now(UTC)))
    return code


async def verb(arguments: Namespace, settings: Settings) -> int:
    """`emqx-tui approve`, `hold`, `freeze`, `resume`, `abort`."""
    if settings.read_only:
        raise UsageError(f"--read-only and {arguments.command} exclude each other")
    if arguments.command == "abort" and arguments.confirm != arguments.name:
        raise UsageError(f"--confirm {arguments.confirm}: expected the name again, {arguments.name}")
    orders = VerbOrders(
        Verb(arguments.command),
        gate=getattr(arguments, "gate", None) or "",
        count=getattr(arguments, "count", 1),
        token=getattr(arguments, "token", None) or "",
        reason=getattr(arguments, "reason", ""),
    )
    is_json = arguments.output == "json"
    ending = Ending()
    async with (
        Connected(settings) as connection,
        seat_at(connection, settings, arguments.name, drives=False) as seat,
    ):
        ending.end_at(seat)
        answer = await run_verb(seat, orders, (lambda line: None) if is_json else _say)
    if is_json:
        _say(dumps(answer.to_json(orders.verb)))
    elif answer.code in (0, Code.NOTHING_WAITS):
        _say(answer.sentence)
    else:
        sys.stderr.write(f"emqx-tui {arguments.command}: {answer.message}\n")
    return answer.code


async def status(arguments: Namespace, settings: Settings) -> int:
    """`emqx-tui status`."""
    async with (
        Connected(settings) as connection,
        seat_at(connection, settings, arguments.name, drives=False) as seat,
    ):
        view = await seat.until(is_whole, within_s=FIRST_DATA_S)
        if view.snapshot.resource.value is None:
            problem = why_unreadable(view, Kind.EMQX_ENTERPRISE)
            where = f"namespace {view.snapshot.namespace}"
            raise NotFound(problem or f"no EmqxEnterprise {arguments.name!r} in {where}")
        shown = ""
        while True:
            text = dumps(document(view)) if arguments.output == "json" else "\n".join(lines(view))
            if text != shown:
                _say(text + ("\n" if arguments.watch and arguments.output == "text" else ""))
            shown = text
            if not arguments.watch or view.result or view.journal is None:
                return 0
            view = await _after(seat, STATUS_AGAIN_S)


async def _after(seat: Seat, seconds: float) -> View:
    """The first view after so much wall time."""
    begun = seat.clock.monotonic()
    await seat.next()
    return await seat.until(lambda seen: bool(seen.result) or seat.clock.monotonic() - begun >= seconds)


async def get(arguments: Namespace, settings: Settings) -> int:
    """`emqx-tui get`."""
    name = arguments.name or ""
    async with Connected(settings) as connection, Listing(_place(connection, settings), name) as listing:
        fleet = await listing.first()
        if fleet is None or not fleet.is_synced:
            raise Unreachable(fleet.problem if fleet and fleet.problem else "the cluster did not answer in time")
        printer = Printer(arguments.output, all_namespaces=connection.access.all_namespaces, write=_say)
        if fleet.problem:
            sys.stderr.write(f"emqx-tui get: {fleet.problem}\n")
        if name and not fleet.rows:
            raise NotFound(f"no EmqxEnterprise {name!r} in namespace {fleet.namespace}")
        if not fleet.rows and arguments.output in ("table", "wide"):
            where = f" in {fleet.namespace} namespace" if fleet.namespace else ""
            sys.stderr.write(f"No EmqxEnterprise found{where}.\n")
        printer.all(fleet)
        if arguments.watch:
            async for changed in listing.changes():
                printer.changed(changed)
    return 0


def _place(connection: Connection, settings: Settings) -> Place:
    access = connection.access

    def outside(namespace: str, name: str) -> Outside:
        return Outside(connection.kube, connection.emqx(namespace, name), connection.clock, connection.host)

    return Place(
        context=access.context,
        server=access.server,
        namespace=access.scope,
        fallback_namespace=access.namespace,
        kube=connection.kube,
        emqx=connection.emqx,
        clock=connection.clock,
        outside=outside,
        options=_options(settings, drives=False),
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def _until_signal(work: Coroutine[Any, Any, int]) -> int:
    """Run `work`; a signal ends it with 128 + its number."""
    ending = Ending()
    try:
        return await work
    except asyncio.CancelledError:
        if ending.code is None:
            raise
        return ending.code


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
    return Seat(namespace, name, outside, _options(settings, drives=drives))


def _options(settings: Settings, *, drives: bool) -> Options:
    policy = Policy().at_rate(settings.clock_rate)
    return Options(policy=policy, read_only=settings.read_only, drives=drives, console_version=__version__)


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
