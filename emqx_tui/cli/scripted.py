"""Commands without a screen: from flags to options, and from what came of them to lines and an exit code.

Owns the order of the end: the session is left, and its lease with it, before the last line is written.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.kubernetes.kubeconfig_access import load_access
from emqx_tui.cli.arguments import UsageError, existing_file
from emqx_tui.cli.connected import Connected, Ending, place_of, run_until_signal, runner_of
from emqx_tui.config import Settings
from emqx_tui.headless.events import Event, Record, dumps
from emqx_tui.headless.exit_status import EXIT_CODES, Leaving, Result
from emqx_tui.headless.listing import Listing
from emqx_tui.headless.output import Format, Output, write_to
from emqx_tui.headless.readiness import is_whole, why_unreadable
from emqx_tui.headless.release_options import Edit, InvalidOption, parse_sets, read_template
from emqx_tui.headless.rollout import FIRST_DATA_S, RolloutOptions, run_rollout
from emqx_tui.headless.rows import Printer
from emqx_tui.headless.session_runner import SessionRunner
from emqx_tui.headless.status import document, lines
from emqx_tui.headless.summary import summary
from emqx_tui.headless.verbs import Code, Verb, VerbOptions, run_verb
from emqx_tui.model.errors import AdapterError, NotFound, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.model.wire import Unparsable
from emqx_tui.model.yaml_values import read_yaml
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.session.view import View

STANDARD_OUTPUT = 1
STATUS_AGAIN_S = 2.0


def run_scripted(arguments: Namespace, settings: Settings) -> int:
    """Any command that talks to a cluster without a screen; the exit code."""
    match arguments.command:
        case "rollout":
            options = rollout_options(arguments, settings)
            return run_rollout_command(arguments.name, options, settings, arguments.output, arguments.timeout)
        case "get":
            return run_until_signal(lambda ending: get(arguments, settings))
        case "status":
            return run_until_signal(lambda ending: status(arguments, settings))
        case _:
            options = verb_options(arguments, settings)
            return run_until_signal(lambda ending: verb(options, arguments, settings, ending))


def rollout_options(arguments: Namespace, settings: Settings) -> RolloutOptions:
    """What `rollout` was asked for. Raises UsageError, ConfigError."""
    if settings.read_only:
        raise UsageError("--read-only and rollout exclude each other; use status --watch")
    try:
        edit = parse_sets(arguments.sets)
        if arguments.template:
            edit = Edit(edit.image, edit.parameters, read_template(_yaml(arguments.template), arguments.template))
    except InvalidOption as wrong:
        raise UsageError(str(wrong)) from wrong
    on_hold = True if arguments.exit_on_hold else False if arguments.wait_on_hold else None
    return RolloutOptions(
        edit=edit,
        approval=Approval(arguments.approval) if arguments.approval else None,
        default_approval=settings.approval,
        leaving=Leaving(arguments.exit_at_gate, on_hold),
        overrides=tuple(arguments.override),
        late_removal=arguments.late_removal,
        parallel_drains=arguments.parallel_drains,
    )


def _yaml(path: str) -> Any:
    try:
        return read_yaml(sys.stdin.buffer.read() if path == "-" else existing_file(path, "--template"))
    except Unparsable as error:
        raise ConfigError(f"--template {path}, {error}" if error.line else f"--template {path}: {error}") from error


def verb_options(arguments: Namespace, settings: Settings) -> VerbOptions:
    """What `approve` and the like were asked for. Raises UsageError."""
    if settings.read_only:
        raise UsageError(f"--read-only and {arguments.command} exclude each other")
    if arguments.command == "abort" and arguments.confirm != arguments.name:
        raise UsageError(f"--confirm {arguments.confirm}: expected the name again, {arguments.name}")
    return VerbOptions(
        Verb(arguments.command),
        gate=getattr(arguments, "gate", None) or "",
        count=getattr(arguments, "count", 1),
        token=getattr(arguments, "token", None) or "",
        reason=getattr(arguments, "reason", ""),
    )


Prepare = Callable[[Callable[[str], None]], Awaitable[Settings]]
"""Something to be waited for before the cluster can be reached, that gives the settings to reach it with. It is given
a way to say a line."""


def run_rollout_command(
    name: str,
    options: RolloutOptions,
    settings: Settings,
    form: str,
    timeout_s: float | None = None,
    prepare: Prepare | None = None,
) -> int:
    """`emqx-tui rollout`: whatever happens, the last line says so."""
    output = Output(Format(form), write_to(STANDARD_OUTPUT))
    last: Record | None = None

    def say(event: Event, text: str) -> None:
        output.tell(Record(event, datetime.now(UTC), None, {"text": text}))

    async def work(ending: Ending) -> int:
        nonlocal last
        own = await prepare(lambda text: say(Event.NOTICE, text)) if prepare else settings
        async with Connected(own) as connection, runner_of(connection, own, name, drives=True) as runner:
            ending.end_at(runner)
            last, code = await run_rollout(runner, options, output)
            return code

    def failed(result: Result) -> Record:
        return last or summary(None, result, datetime.now(UTC))

    try:
        code = run_until_signal(work, timeout_s)
    except (UsageError, ConfigError):
        output.close()
        raise
    except AdapterError as error:
        result = Result.LOST_CONTACT if isinstance(error, Unreachable) else Result.FAILED
        say(Event.PROBLEM, error.message)
        output.finish(failed(result))
        return EXIT_CODES[result]
    except BaseException:
        output.finish(failed(Result.FAILED))
        raise
    output.finish(failed(Result.FAILED))
    return code


async def verb(options: VerbOptions, arguments: Namespace, settings: Settings, ending: Ending) -> int:
    """`emqx-tui approve`, `hold`, `freeze`, `resume`, `abort`."""
    is_json = arguments.output == "json"
    async with (
        Connected(settings) as connection,
        runner_of(connection, settings, arguments.name, drives=False) as runner,
    ):
        ending.end_at(runner)
        answer = await run_verb(runner, options, (lambda line: None) if is_json else _say)
    if is_json:
        _say(dumps(answer.to_json(options.verb)))
    elif answer.code in (0, Code.NOTHING_WAITS):
        _say(answer.sentence)
    else:
        sys.stderr.write(f"emqx-tui {options.verb}: {answer.message}\n")
    return answer.code


async def status(arguments: Namespace, settings: Settings) -> int:
    """`emqx-tui status`."""
    async with (
        Connected(settings) as connection,
        runner_of(connection, settings, arguments.name, drives=False, is_recorded=False) as runner,
    ):
        view = await runner.until(is_whole, within_s=FIRST_DATA_S)
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
            view = await _after(runner, STATUS_AGAIN_S)


async def _after(runner: SessionRunner, seconds: float) -> View:
    """The first view after so much wall time."""
    begun = runner.clock.monotonic()
    await runner.next()
    return await runner.until(lambda seen: bool(seen.result) or runner.clock.monotonic() - begun >= seconds)


async def get(arguments: Namespace, settings: Settings) -> int:
    """`emqx-tui get`."""
    name = arguments.name or ""
    async with Connected(settings) as connection, Listing(place_of(connection, settings), name) as listing:
        fleet = await listing.first()
        if fleet is None or not fleet.is_synced:
            # Ask once more, for the kind of failure.
            path = Kind.EMQX_ENTERPRISE.info.path(connection.access.scope)
            await connection.kube.request(KubeRequest("GET", path, query={"limit": "1"}))
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


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


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
