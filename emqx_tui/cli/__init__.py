"""The command line: builds everything, runs one command.

Owns exit codes and what is said on standard error. A mistake is one line and exit code 2, an unexpected failure one
line with the log file's name and exit code 1, never a traceback. Commands import what they need when they run: the
first screen of the console must not wait for libraries that only its engine needs.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from types import ModuleType

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.machine.log_file import LogFile
from emqx_tui.cli.parsing.arguments import parse
from emqx_tui.cli.parsing.flags import UsageError
from emqx_tui.cli.standard_output import OutputLost, flush, occupy_closed_descriptors, say
from emqx_tui.config import Settings, load_settings
from emqx_tui.model.errors import AdapterError, Unreachable

FAILED, USAGE, LOST_CONTACT = 1, 2, 6

_WITHOUT_SETTINGS = ("bench", "completion", "dashboard", "explain", "sandbox")
_READING = ("compare", "doctor", "get", "info", "plan", "replay", "report", "status")
_OWN_MODULES = (
    *(
        "compare",
        "console",
        "demo",
        "doctor",
        "get",
        "info",
        "plan",
        "rehearse",
        "replay",
        "report",
        "rollout",
        "status",
    ),
)
"""Commands with a module of their name; all others are verbs."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    if "_ARGCOMPLETE" in os.environ:
        _load("completion").answer_shell()
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
        if arguments.command == "version":
            return _version(arguments)
        if arguments.command in _WITHOUT_SETTINGS:
            return _load(arguments.command).run(arguments)
        context_of = _simulated if arguments.command in ("demo", "rehearse") else _context_of
        settings = load_settings(arguments.settings, config_file=arguments.config_file, context_of=context_of)
    except (ConfigError, OutputLost) as wrong:
        return complain(f"emqx-tui: {wrong.message}", USAGE if isinstance(wrong, ConfigError) else FAILED)
    except KeyboardInterrupt:
        return 130
    return _with_log(settings, arguments)


def _simulated(settings: Settings) -> str:
    """Whatever the kubeconfig leads to, a demo and a rehearsal have a cluster of their own."""
    return "demo"


def _context_of(settings: Settings) -> str:
    """The context that the settings lead to; empty where they lead nowhere: the command will say why."""
    from emqx_tui.adapters.kubernetes.kubeconfig_access import load_access

    try:
        return load_access(settings.access_request()).context
    except ConfigError:
        return ""


def complain(line: str, code: int) -> int:
    """Say one line on standard error; the exit code."""
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.write(line + "\n")
    return code


def _with_log(settings: Settings, arguments: Namespace) -> int:
    try:
        log = LogFile(settings.log_file, settings.log_level)
    except ConfigError as wrong:
        # Commands that only read go on without a log file that was not asked for.
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
        return _load(arguments.command if arguments.command in _OWN_MODULES else "verbs").run(arguments, settings)
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

    is_json = getattr(arguments, "output", "") == "json"
    say(f'{{"version": "{__version__}"}}' if is_json else f"emqx-tui {__version__}")
    return 0


def _load(module: str) -> ModuleType:
    """A command's module, with its `run`."""
    return importlib.import_module(f"emqx_tui.cli.commands.{module}")
