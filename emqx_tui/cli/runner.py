"""The session runner of a command: a session of one cluster, with what the settings say of it."""

from __future__ import annotations

from collections.abc import Callable

from emqx_tui.adapters.connect import Connection
from emqx_tui.adapters.machine.drivers_log import DriversLog
from emqx_tui.adapters.machine.flight_log import FlightLog
from emqx_tui.cli.connected import options_of
from emqx_tui.cli.parsing.flags import UsageError
from emqx_tui.config import Settings
from emqx_tui.headless.session_runner import SessionRunner
from emqx_tui.session.options import Ports
from emqx_tui.session.views.view import View


def runner_of(
    connection: Connection,
    settings: Settings,
    name: str,
    *,
    drives: bool,
    is_recorded: bool = True,
    on_view: Callable[[View], None] = lambda view: None,
) -> SessionRunner:
    """A session runner for the cluster `name` of the settings' namespace. Raises UsageError.

    What does not drive from the beginning is recorded from the moment on in which it does.
    """
    if connection.access.all_namespaces:
        raise UsageError("-A and a NAME exclude each other; give -n NAMESPACE")
    namespace = connection.access.namespace
    log = FlightLog(settings.flight_log_dir, namespace, name) if is_recorded else None
    recorder = log if log is None or drives else DriversLog(log)
    ports = Ports(connection.kube, connection.emqx(namespace, name), connection.clock, connection.host, recorder)
    return SessionRunner(namespace, name, ports, options_of(settings, drives=drives), on_view)
