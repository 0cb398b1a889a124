"""`emqx-tui rollout`: from flags to a release, and from what came of it to the last line and an exit code.

Owns the order of the end: the session is left, and its lease with it, before the last line is written.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.cli.connected import Connected, Ending, run_until_signal
from emqx_tui.cli.outlets import outlets
from emqx_tui.cli.parsing.flags import UsageError
from emqx_tui.cli.runner import runner_of
from emqx_tui.cli.standard_output import STANDARD_OUTPUT, OutputLost
from emqx_tui.config import Settings
from emqx_tui.headless.lines.events import Event, Record
from emqx_tui.headless.lines.output import Format, Output, write_to
from emqx_tui.headless.release.exit_status import EXIT_CODES, Leaving, Result
from emqx_tui.headless.release.release_options import Edit, InvalidOption, parse_sets, read_template
from emqx_tui.headless.release.rollout import RolloutOptions, run_rollout
from emqx_tui.headless.release.summary import summary
from emqx_tui.model.errors import AdapterError, Unreachable
from emqx_tui.model.wire import Unparsable
from emqx_tui.model.yaml_values import read_yaml
from emqx_tui.rollout.policy import Approval


def run(arguments: Namespace, settings: Settings) -> int:
    """`emqx-tui rollout`; the exit code."""
    options = rollout_options(arguments, settings)
    return run_rollout_command(arguments.name, options, settings, arguments.output, arguments.timeout)


def rollout_options(arguments: Namespace, settings: Settings) -> RolloutOptions:
    """What `rollout` was asked for. Raises UsageError, ConfigError."""
    if settings.read_only:
        raise UsageError("--read-only and rollout exclude each other; use status --watch")
    edit = edit_of(arguments)
    on_hold = True if arguments.exit_on_hold else False if arguments.wait_on_hold else None
    return RolloutOptions(
        edit=edit,
        approval=Approval(arguments.approval) if arguments.approval else None,
        default_approval=settings.approval,
        leaving=Leaving(arguments.exit_at_gate, on_hold),
        overrides=tuple(arguments.override),
        late_removal=arguments.late_removal,
        parallel_drains=arguments.parallel_drains,
        freeze_on_silence=not arguments.no_freeze_on_silence,
    )


def edit_of(arguments: Namespace) -> Edit:
    """What `--set` and `--template` ask for. Raises UsageError, ConfigError."""
    try:
        edit = parse_sets(arguments.sets)
    except InvalidOption as wrong:
        raise UsageError(str(wrong)) from wrong
    if getattr(arguments, "template", None):
        edit = Edit(edit.image, edit.parameters, template_in(arguments.template))
    return edit


def template_in(path: str) -> Mapping[str, Any]:
    """`spec.template` of the file that `--template` names. Raises UsageError, ConfigError."""
    try:
        return read_template(_yaml(path), path)
    except InvalidOption as wrong:
        raise UsageError(str(wrong)) from wrong


def _yaml(path: str) -> Any:
    # Python has no `sys.stdin` where it is closed.
    if path == "-" and sys.stdin is None:
        raise ConfigError("--template -: standard input is closed")
    try:
        return read_yaml(sys.stdin.buffer.read() if path == "-" else Path(path).expanduser().read_bytes())
    except OSError as error:
        raise ConfigError(f"--template {path}: {error.strerror}") from error
    except Unparsable as error:
        raise ConfigError(f"--template {path}, {error}" if error.line else f"--template {path}: {error}") from error


Prepare = Callable[[Callable[[str], None]], Awaitable[Settings]]
"""Brings a cluster up and returns the settings that reach it; it is given a way to print a line."""


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
        with outlets(own) as tell:
            async with (
                Connected(own) as connection,
                runner_of(connection, own, name, drives=True, on_view=tell) as runner,
            ):
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
    if code == 0 and not output.is_complete:
        raise OutputLost("the release is done, its last line is lost")
    return code
