"""The session runner of a command: a session of one cluster, with what the settings say of it."""

from __future__ import annotations

from emqx_tui import __version__
from emqx_tui.adapters.connect import Connection
from emqx_tui.adapters.machine.flight_log import FlightLog
from emqx_tui.cli.arguments import UsageError
from emqx_tui.config import Settings
from emqx_tui.headless.session_runner import SessionRunner
from emqx_tui.rollout.policy import Policy
from emqx_tui.session.options import Options, Ports


def runner_of(
    connection: Connection, settings: Settings, name: str, *, drives: bool, is_recorded: bool = True
) -> SessionRunner:
    """A session runner for the cluster `name` of the settings' namespace. Raises UsageError."""
    if connection.access.all_namespaces:
        raise UsageError("-A and a NAME exclude each other; give -n NAMESPACE")
    namespace = connection.access.namespace
    recorder = FlightLog(settings.flight_log_dir, namespace, name) if is_recorded else None
    ports = Ports(connection.kube, connection.emqx(namespace, name), connection.clock, connection.host, recorder)
    return SessionRunner(namespace, name, ports, options_of(settings, drives=drives))


def options_of(settings: Settings, *, drives: bool) -> Options:
    """How a session of these settings behaves."""
    policy = Policy().at_rate(settings.clock_rate)
    return Options(policy=policy, read_only=settings.read_only, drives=drives, console_version=__version__)
