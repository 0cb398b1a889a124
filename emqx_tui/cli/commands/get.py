"""`emqx-tui get`: the clusters in reach, once or with every change."""

from __future__ import annotations

import sys
from argparse import Namespace

from emqx_tui.adapters.connect import Connection
from emqx_tui.cli.connected import Connected, options_of, run_until_signal
from emqx_tui.cli.standard_output import say
from emqx_tui.config import Settings
from emqx_tui.headless.looking.listing import Listing, Place
from emqx_tui.headless.looking.rows import Printer, Renders
from emqx_tui.model.errors import NotFound, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.model.wire import clean
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.session.options import Ports


def run(arguments: Namespace, settings: Settings) -> int:
    """Print the list; the exit code."""
    return run_until_signal(lambda ending: get(arguments, settings))


async def get(arguments: Namespace, settings: Settings) -> int:
    """Print the list. Raises AdapterError."""
    name = arguments.name or ""
    async with Connected(settings) as connection, Listing(place_of(connection, settings), name) as listing:
        fleet = await listing.first()
        if fleet is None or not fleet.is_synced:
            if fleet is None or not fleet.problem or any(source.is_unreachable for source in fleet.health):
                raise Unreachable(fleet.problem if fleet and fleet.problem else "the cluster did not answer in time")
            # Ask once more, for the kind of failure.
            path = Kind.EMQX_ENTERPRISE.info.path(connection.access.scope)
            await connection.kube.request(KubeRequest("GET", path, query={"limit": "1"}))
            raise Unreachable(fleet.problem)
        printer = Printer(
            form_of(arguments.output),
            all_namespaces=connection.access.all_namespaces,
            write=say,
            is_one=bool(name),
        )
        if fleet.problem:
            sys.stderr.write(f"emqx-tui get: {fleet.problem}\n")
        if name and not fleet.rows:
            raise NotFound(f"no EmqxEnterprise {name!r} in namespace {fleet.namespace}")
        if not fleet.rows and arguments.output in ("table", "wide"):
            where = f" in {fleet.namespace} namespace" if fleet.namespace else ""
            sys.stderr.write(f"No EmqxEnterprise found{where}.\n")
        printer.all(fleet)
        if arguments.output == "table":
            for row in fleet.rows:
                if row.problem:
                    name = "/".join(row.key) if connection.access.all_namespaces else row.resource.name
                    sys.stderr.write(f"emqx-tui get: {clean(name)}: {clean(row.problem)}\n")
        if arguments.watch:
            async for changed in listing.changes():
                printer.changed(changed)
    return 0


def form_of(output: str) -> str | Renders:
    """What `-o` names."""
    template = output.removeprefix("jsonpath=")
    if template == output:
        return output
    from emqx_tui.headless.looking.jsonpath import Template

    return Template.parse(template)


def place_of(connection: Connection, settings: Settings) -> Place:
    """Where `get` looks."""
    access = connection.access

    def ports(namespace: str, name: str) -> Ports:
        return Ports(connection.kube, connection.emqx(namespace, name), connection.clock, connection.host)

    return Place(
        context=access.context,
        server=access.server,
        namespace=access.scope,
        fallback_namespace=access.namespace,
        kube=connection.kube,
        emqx=connection.emqx,
        clock=connection.clock,
        ports=ports,
        options=options_of(settings, drives=False),
    )
