"""`emqx-tui bench conn`: many MQTT connections from one process.

Load is put on this machine without further ado; any other host has to be named twice.
"""

from __future__ import annotations

import asyncio
import json
import os
from argparse import Namespace

from emqx_tui.cli import FAILED, USAGE, complain
from emqx_tui.cli.parsing.bench_arguments import PASSWORD
from emqx_tui.cli.parsing.flags import UsageError
from emqx_tui.cli.standard_output import say
from emqx_tui.mqtt_bench.options import BenchOptions, Will
from emqx_tui.mqtt_bench.run import CannotRun, addresses_of, allow_descriptors, is_this_machine, run_clients
from emqx_tui.mqtt_bench.wire import VERSIONS

SOME_LOST = 1


def run(arguments: Namespace) -> int:
    """Run it; the exit code."""
    options = options_of(arguments)
    try:
        address = _address(options.host, options.port, arguments.confirm)
        allow_descriptors(options.count)
    except (UsageError, CannotRun) as wrong:
        return complain(f"emqx-tui bench conn: {wrong}", USAGE if isinstance(wrong, UsageError) else FAILED)
    tally = asyncio.run(run_clients(options, address))
    say(json.dumps(tally.as_json()) if arguments.output == "json" else tally.as_text())
    return SOME_LOST if tally.lost else 0


def options_of(arguments: Namespace) -> BenchOptions:
    will = None
    if arguments.will_topic:
        will = Will(
            topic=arguments.will_topic,
            message=arguments.will_message,
            qos=arguments.will_qos,
            retain=arguments.will_retain,
            delay_s=arguments.will_delay_interval,
        )
    return BenchOptions(
        host=arguments.hostname,
        port=arguments.port,
        count=arguments.count,
        interval_ms=arguments.interval,
        version=VERSIONS[arguments.mqtt_version],
        client_id=arguments.client_id,
        clean=arguments.clean,
        session_expiry_s=arguments.session_expiry_interval,
        keep_alive_s=arguments.keepalive,
        username=arguments.username,
        password=os.environ.get(PASSWORD) if arguments.password is None else arguments.password,
        will=will,
        reconnect_period_ms=arguments.reconnect_period,
        max_reconnects=arguments.maximum_reconnect_times,
        give_up_when_refused=arguments.give_up_when_refused,
        duration_s=arguments.duration,
    )


def _address(host: str, port: int, confirmed: str | None) -> tuple[str, int]:
    """Where to connect. Raises UsageError for another machine that was named only once, CannotRun."""
    addresses = addresses_of(host, port)
    if not is_this_machine(addresses) and confirmed != host:
        raise UsageError(f"{host} is not this machine: to put load on it, name it once more with --confirm {host}")
    return addresses[0]
