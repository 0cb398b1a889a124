"""`emqx-tui demo`: the sandbox, and the console on it, in one command.

Owns the choice between screen and script, and their speeds. To everything else the sandbox is a cluster like any
other, reached through a kubeconfig. The console opens at once; the sandbox comes up beside it.
"""

from __future__ import annotations

import importlib
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace

from emqx_tui.adapters.kubernetes.access import Access
from emqx_tui.adapters.kubernetes.kubeconfig_access import load_access
from emqx_tui.adapters.machine.host import ThisHost
from emqx_tui.cli.commands.console import has_terminal, show
from emqx_tui.cli.parsing.flags import UsageError
from emqx_tui.cli.sandbox_child import SandboxChild
from emqx_tui.config import Settings
from emqx_tui.rollout.policy import Approval
from emqx_tui.session.engine import Connected

NAME, TARGET = "emqx-ee", "4.4.15"
SCREEN_SPEED, FLEET_SPEED, SCRIPT_SPEED = 10.0, 4.0, 60.0


def run(arguments: Namespace, settings: Settings) -> int:
    """`emqx-tui demo`; the exit code."""
    on_screen = has_terminal() and arguments.output is None
    by_default = (FLEET_SPEED if arguments.clusters > 1 else SCREEN_SPEED) if on_screen else SCRIPT_SPEED
    speed = arguments.speed or by_default
    flags = ["--clients", str(arguments.clients), "--nodes", str(arguments.nodes), "--seed", str(arguments.seed)]
    flags += ["--speed", f"{speed:g}", "--scenario", arguments.scenario]
    if arguments.mqtt_port is not None:
        flags += ["--mqtt-port", str(arguments.mqtt_port)]
    own = _about_the_sandbox(settings, speed)
    if arguments.clusters > 1:
        if arguments.scenario != "smooth":
            raise UsageError("--clusters and --scenario exclude each other: a fleet has its own story")
        flags += ["--clusters", str(arguments.clusters)]
        own = own if own.namespace else replace(own, all_namespaces=True)
    with SandboxChild(flags, own.kubeconfig) as child:
        return _on_screen(own, child, arguments) if on_screen else _scripted(own, child, arguments)


OF_OTHER_CLUSTERS = (
    "kubeconfig",
    "context",
    "cluster",
    "user",
    "namespace",
    "all_namespaces",
    "as_user",
    "as_groups",
    "request_timeout_s",
    "emqx_access",
)


def _about_the_sandbox(settings: Settings, speed: float) -> Settings:
    """The settings without the cluster that the file or the environment selects; flags are kept."""
    mine = {name: getattr(_DEFAULTS, name) for name in OF_OTHER_CLUSTERS if not settings.source(name).startswith("--")}
    return replace(settings, **mine, clock_rate=speed)


_DEFAULTS = Settings()


def _on_screen(settings: Settings, child: SandboxChild, arguments: Namespace) -> int:
    host = ThisHost.detect()
    # What the top line says until the sandbox serves, and after: the names never change.
    placeholder = Access("sandbox", context="demo", all_namespaces=settings.all_namespaces)

    async def connected() -> Connected:
        child.start()
        _load_beside()
        from emqx_tui.adapters.connect import connect

        access = load_access(replace(settings.access_request(), kubeconfig=await child.ready()))
        return await connect(access, emqx_access=settings.emqx_access, clock_rate=settings.clock_rate, host=host)

    # A fleet is found in the middle of its releases, which nobody else drives.
    return show(settings, placeholder, host, connected, is_demo=True, drives=arguments.clusters > 1).code


def _load_beside() -> None:
    """Load what the connection needs while the sandbox comes up."""
    for name in ("emqx_tui.adapters.connect", "emqx_tui.session.session"):
        importlib.import_module(name)


def _scripted(settings: Settings, child: SandboxChild, arguments: Namespace) -> int:
    child.start()
    _load_beside()
    from emqx_tui.cli.commands.rollout import run_rollout_command
    from emqx_tui.headless.release.release_options import parse_sets
    from emqx_tui.headless.release.rollout import RolloutOptions

    async def prepare(say: Callable[[str], None]) -> Settings:
        kubeconfig = await child.ready()
        flags = f"--kubeconfig {kubeconfig} --clock-rate {settings.clock_rate:g}"
        say(f"from other terminals: emqx-tui {flags} status {NAME}")
        say(f"MQTT clients: {child.mqtt}, the listener Service of {NAME}")
        return replace(settings, kubeconfig=kubeconfig)

    options = RolloutOptions(
        edit=parse_sets([f"image.version={TARGET}"]),
        approval=Approval(arguments.approval) if arguments.approval else Approval.AUTO,
    )
    return run_rollout_command(NAME, options, settings, arguments.output or "text", prepare=prepare)
