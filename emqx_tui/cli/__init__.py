"""The command line: the one place that builds things.

Owns exit codes and what is said on standard error. A mistake is one line and exit code 2, an unexpected failure one
line with the log file's name and exit code 1, never a traceback. Commands import what they need when they run: the
first screen of the console must not wait for libraries that only its engine needs.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from argparse import Namespace
from collections.abc import Sequence

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.machine.log_file import LogFile
from emqx_tui.cli.arguments import UsageError, parse
from emqx_tui.cli.standard_output import OutputLost, flush, occupy_closed_descriptors, say
from emqx_tui.config import Settings, load_settings
from emqx_tui.model.errors import AdapterError, Unreachable

FAILED, USAGE, LOST_CONTACT = 1, 2, 6


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    occupy_closed_descriptors()
    code = _run(sys.argv[1:] if argv is None else argv)
    try:
        flush()
    except OutputLost as lost:
        return complain(f"emqx-tui: {lost.message}", code or FAILED)
    return code


def _run(argv: Sequence[str]) -> int:
    try:
        arguments = parse(argv)
    except UsageError as wrong:
        return complain(str(wrong), USAGE)
    except SystemExit as told:
        return int(told.code or 0)
    try:
        if arguments.command in _PLAIN:
            return _PLAIN[arguments.command](arguments)
        settings = load_settings(arguments.settings, config_file=arguments.config_file)
    except (ConfigError, OutputLost) as wrong:
        return complain(f"emqx-tui: {wrong.message}", USAGE if isinstance(wrong, ConfigError) else FAILED)
    except KeyboardInterrupt:
        return 130
    return _with_log(settings, arguments)


def complain(line: str, code: int) -> int:
    """Say one line on standard error; the exit code."""
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.write(line + "\n")
    return code


def _with_log(settings: Settings, arguments: Namespace) -> int:
    try:
        log = LogFile(settings.log_file, settings.log_level)
    except ConfigError as wrong:
        # A log that nobody asked for is no reason not to look.
        if arguments.command not in _READING or settings.source("log_file") != "default":
            return complain(f"emqx-tui: {wrong.message}", USAGE)
        complain(f"emqx-tui: no log: {wrong.message}", 0)
        log = contextlib.nullcontext()
    with log:
        return _with_settings(settings, arguments)


def _with_settings(settings: Settings, arguments: Namespace) -> int:
    try:
        for warning in settings.warnings:
            complain(f"emqx-tui: {warning}", 0)
        return _COMMANDS[arguments.command](arguments, settings)
    except (UsageError, ConfigError) as wrong:
        return complain(f"emqx-tui {arguments.command}: {wrong}".replace("emqx-tui console", "emqx-tui"), USAGE)
    except AdapterError as error:
        return complain(f"emqx-tui {arguments.command}: {error.message}", _exit_code(error))
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        logging.getLogger(__name__).exception("%s failed", arguments.command)
        return complain(f"emqx-tui: unexpected {type(error).__name__}; the log has it: {settings.log_file}", FAILED)


def _exit_code(error: AdapterError) -> int:
    return LOST_CONTACT if isinstance(error, Unreachable) else FAILED


def _version(arguments: Namespace) -> int:
    from emqx_tui import __version__

    text = (
        f'{{"version": "{__version__}"}}' if getattr(arguments, "output", "") == "json" else f"emqx-tui {__version__}"
    )
    say(text)
    return 0


def _sandbox(arguments: Namespace) -> int:
    from pathlib import Path

    from emqx_tui.sandbox.run.command import SandboxOptions, run_sandbox

    kubeconfig = arguments.settings["kubeconfig"]
    return run_sandbox(
        SandboxOptions(
            clients=arguments.clients,
            nodes=arguments.nodes,
            speed=arguments.speed,
            scenario=arguments.scenario,
            seed=arguments.seed,
            port=arguments.port,
            kubeconfig=Path(kubeconfig).expanduser() if kubeconfig else None,
            parent_pid=arguments.parent_pid,
            ready_fd=arguments.ready_fd,
        )
    )


def _config(arguments: Namespace, settings: Settings) -> int:
    from emqx_tui.cli.show_config import show_config

    return show_config(settings, arguments.output)


def _get(arguments: Namespace, settings: Settings) -> int:
    from emqx_tui.cli.get import run_get

    return run_get(arguments, settings)


def _status(arguments: Namespace, settings: Settings) -> int:
    from emqx_tui.cli.status import run_status

    return run_status(arguments, settings)


def _rollout(arguments: Namespace, settings: Settings) -> int:
    from emqx_tui.cli.rollout import run_rollout_arguments

    return run_rollout_arguments(arguments, settings)


def _verb(arguments: Namespace, settings: Settings) -> int:
    from emqx_tui.cli.verbs import run_verb_command

    return run_verb_command(arguments, settings)


def _console(arguments: Namespace, settings: Settings) -> int:
    from emqx_tui.cli.console import run_console

    return run_console(settings)


def _demo(arguments: Namespace, settings: Settings) -> int:
    from emqx_tui.cli.demo import run_demo

    return run_demo(arguments, settings)


_PLAIN = {"version": _version, "sandbox": _sandbox}
_READING = ("config", "get", "status")
_COMMANDS = {
    "console": _console,
    "demo": _demo,
    "config": _config,
    "get": _get,
    "status": _status,
    "rollout": _rollout,
    **dict.fromkeys(("approve", "hold", "freeze", "resume", "abort"), _verb),
}
