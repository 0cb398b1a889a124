"""The console on a terminal: the engine behind it, the app in front.

Nothing here loads `kubernetes`, aiohttp or httpx: the engine does, in its own thread, once the first frame is drawn.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable

from emqx_tui import __version__, runbook
from emqx_tui.adapters.kubernetes.access import Access
from emqx_tui.adapters.kubernetes.kubeconfig_access import load_access
from emqx_tui.adapters.machine.flight_log import FlightLog
from emqx_tui.adapters.machine.host import ThisHost
from emqx_tui.cli.arguments import UsageError
from emqx_tui.cli.outlets import outlets
from emqx_tui.config import Settings
from emqx_tui.rollout.policy import Policy
from emqx_tui.session.engine import LOW_BANDWIDTH_S, TELL_EVERY_S, Connected, Engine, Identity
from emqx_tui.session.options import Options


def has_terminal() -> bool:
    """Standard input and output are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def run(arguments: Namespace, settings: Settings) -> int:
    """`emqx-tui`: the console on the cluster of the settings; the exit code."""
    if not has_terminal():
        raise UsageError("the console needs a terminal; use a command such as get, status or rollout (see --help)")
    access = load_access(settings.access_request())
    host = ThisHost.detect()

    async def connected() -> Connected:
        from emqx_tui.adapters.connect import connect

        return await connect(access, emqx_access=settings.emqx_access, clock_rate=settings.clock_rate, host=host)

    return show(settings, access, host, connected)


def show(
    settings: Settings,
    access: Access,
    host: ThisHost,
    connected: Callable[[], Awaitable[Connected]],
    *,
    is_demo: bool = False,
    drives: bool = False,
) -> int:
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
            connected,
            options,
            lambda namespace, name: FlightLog(settings.flight_log_dir, namespace, name),
            tell,
            tell_every_s=LOW_BANDWIDTH_S if settings.low_bandwidth else TELL_EVERY_S,
        )
        app = ConsoleApp(
            engine,
            context=access.context,
            server=access.server,
            namespace=access.scope,
            is_production=settings.is_production(access.context),
            is_ascii=settings.ascii,
            is_demo=is_demo,
            state_dir=settings.flight_log_dir,
            runbook=runbook.load(settings.runbook),
            keys=with_own(settings.keys),
        )
        app.run()
        if engine.failure is not None:
            raise RuntimeError("the engine ended") from engine.failure
        return app.return_code or 0
