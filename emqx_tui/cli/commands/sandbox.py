"""`emqx-tui sandbox`: a simulated cluster, served until Ctrl-C."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from emqx_tui.sandbox.run.command import SandboxOptions, run_sandbox


def run(arguments: Namespace) -> int:
    """Serve it; the exit code."""
    kubeconfig = arguments.settings["kubeconfig"]
    make = None
    if arguments.clusters > 1:
        # It loads the rules of a release: for a fleet only.
        from emqx_tui.cli.demo_fleet import fleet_world

        make = fleet_world(arguments.clusters)
    names = ("clients", "nodes", "speed", "scenario", "seed", "port", "mqtt_port", "parent_pid", "ready_fd")
    names += ("shape", "faults", "record")
    return run_sandbox(
        SandboxOptions(
            **{name: getattr(arguments, name) for name in names},
            kubeconfig=Path(kubeconfig).expanduser() if kubeconfig else None,
        ),
        make,
    )
