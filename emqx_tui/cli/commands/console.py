"""The console on a terminal: the engine behind it, the app in front.

Nothing here loads `kubernetes`, aiohttp or httpx: the engine does, in its own thread, once the first frame is drawn.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from emqx_tui import __version__, runbook
from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.kubernetes.access import Access
from emqx_tui.adapters.kubernetes.kubeconfig import read_config
from emqx_tui.adapters.kubernetes.kubeconfig_access import load_access
from emqx_tui.adapters.machine.host import ThisHost
from emqx_tui.cli.garbage import search_often
from emqx_tui.cli.outlets import outlets
from emqx_tui.cli.parsing.flags import UsageError
from emqx_tui.config import Settings, load_settings
from emqx_tui.rollout.policy import Policy
from emqx_tui.session.engine import LOW_BANDWIDTH_S, TELL_EVERY_S, Connected, Engine, Identity
from emqx_tui.session.options import Options
from emqx_tui.session.ports import Recorder


def has_terminal() -> bool:
    """Standard input and output are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def run(arguments: Namespace, settings: Settings) -> int:
    """`emqx-tui`: the console on the cluster of the settings; the exit code."""
    if not has_terminal():
        raise UsageError("the console needs a terminal; use a command such as get, status or rollout (see --help)")
    host, words = ThisHost.detect(), ""
    while True:
        access = load_access(settings.access_request())
        shown = show(settings, access, host, _connecting(settings, access, host), first_words=words)
        if not shown.wanted_context:
            return shown.code
        settings, words = _in_context(shown.wanted_context, arguments, settings)


def _connecting(settings: Settings, access: Access, host: ThisHost) -> Callable[[], Awaitable[Connected]]:
    async def connected() -> Connected:
        from emqx_tui.adapters.connect import connect

        return await connect(access, emqx_access=settings.emqx_access, clock_rate=settings.clock_rate, host=host)

    return connected


def _in_context(context: str, arguments: Namespace, before: Settings) -> tuple[Settings, str]:
    """The settings as the file has them for another context; those of before, and why, where it leads nowhere.

    Flags stay, but for those that chose a place.
    """
    of_a_place = dict.fromkeys(("cluster", "user", "namespace", "all_namespaces"))
    flags = {**arguments.settings, **of_a_place, "context": context}
    try:
        settings = load_settings(flags, config_file=arguments.config_file)
        load_access(settings.access_request())
    except ConfigError as wrong:
        return before, wrong.message
    return settings, ""


@dataclass(frozen=True)
class Shown:
    """How the console was left."""

    code: int
    wanted_context: str = ""
    """The context to go on with; empty: none."""


def show(
    settings: Settings,
    access: Access,
    host: ThisHost,
    connected: Callable[[], Awaitable[Connected]],
    *,
    is_demo: bool = False,
    is_rehearsal: bool = False,
    drives: bool = False,
    first_words: str = "",
) -> Shown:
    """Open the console; `connected` is called in the engine's loop. `drives`: releases that nobody drives, unasked."""
    from emqx_tui.ui.app import ConsoleApp
    from emqx_tui.ui.shell.own_keys import with_own

    options = Options(
        policy=Policy().at_rate(settings.clock_rate),
        read_only=settings.read_only,
        drives=drives,
        console_version=__version__,
        context=settings.context,
    )
    with outlets(settings) as tell:
        engine = Engine(
            Identity(access.context, access.server, access.scope, access.namespace, host.person),
            then_searching(connected),
            options,
            lambda namespace, name: _flight_log(settings, namespace, name),
            tell,
            tell_every_s=LOW_BANDWIDTH_S if settings.low_bandwidth else TELL_EVERY_S,
        )
        app = ConsoleApp(
            engine,
            is_production=settings.is_production(access.context),
            theme=settings.theme,
            colour=settings.colour,
            is_ascii=settings.ascii,
            is_demo=is_demo,
            is_rehearsal=is_rehearsal,
            state_dir=settings.flight_log_dir,
            write_report=partial(_write_report, settings),
            runbook=runbook.load(settings.runbook),
            keys=with_own(settings.keys),
            contexts=() if is_demo else _contexts(settings, access),
            first_words=first_words,
        )
        app.run()
        if engine.failure is not None:
            raise RuntimeError("the engine ended") from engine.failure
        return Shown(app.return_code or 0, app.wanted_context)


def then_searching(connected: Callable[[], Awaitable[Connected]]) -> Callable[[], Awaitable[Connected]]:
    """Connects, and begins to look for garbage: all is loaded then."""

    async def connected_and_searching() -> Connected:
        found = await connected()
        search_often()
        return found

    return connected_and_searching


def _flight_log(settings: Settings, namespace: str, name: str) -> Recorder:
    from emqx_tui.adapters.machine.flight_log import FlightLog

    return FlightLog(settings.flight_log_dir, namespace, name)


def _write_report(settings: Settings, namespace: str, name: str, release_id: str) -> str:
    from emqx_tui.cli.commands.report import write_report

    return write_report(settings.flight_log_dir, namespace, name, release_id)


def _contexts(settings: Settings, access: Access) -> list[str]:
    """The other contexts of the kubeconfig."""
    return sorted(set(read_config(settings.kubeconfig, os.environ).contexts) - {access.context})
