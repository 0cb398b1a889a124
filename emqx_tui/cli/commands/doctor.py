"""`emqx-tui doctor`: what a console needs, checked one by one, each with its cure.

Changes nothing: rights are asked for by dry-runs of the very requests that a release sends.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import assert_never
from urllib.parse import urlsplit

from emqx_tui import runbook
from emqx_tui.adapters.connect import Connection, connect
from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.kubernetes.access import (
    Access,
    BasicLogin,
    ExecLogin,
    NoLogin,
    TokenFileLogin,
    TokenLogin,
)
from emqx_tui.adapters.kubernetes.kubeconfig_access import load_access
from emqx_tui.adapters.kubernetes.proxy import proxy_of
from emqx_tui.cli.connected import run_until_signal
from emqx_tui.cli.runner import runner_of
from emqx_tui.cli.standard_output import say
from emqx_tui.config import Settings
from emqx_tui.headless.lines.events import dumps
from emqx_tui.headless.looking import doctor
from emqx_tui.headless.looking.readiness import is_out_of_reach, is_whole
from emqx_tui.headless.release.rollout import FIRST_DATA_S
from emqx_tui.model.errors import AdapterError, Forbidden, NotFound, Unauthorized
from emqx_tui.model.kinds import Kind
from emqx_tui.model.wire import Fields, Malformed
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.rollout.requests import KubeRequest

Found = list[CheckResult]
FAILED = 1
WHICH = "mend it there, or choose another by --kubeconfig or --context"


def run(arguments: Namespace, settings: Settings) -> int:
    """Print what was found; the exit code: 0 when nothing is wrong."""
    return run_until_signal(lambda ending: examine(arguments, settings))


async def examine(arguments: Namespace, settings: Settings) -> int:
    """Check this machine, the way to the API server, and one cluster."""
    sections: dict[str, Found] = {"this machine": _this_machine(settings)}
    try:
        access = load_access(settings.access_request())
    except ConfigError as wrong:
        sections["kubernetes"] = [CheckResult("kubeconfig", Outcome.FAIL, wrong.message, WHICH)]
    else:
        await _ask(access, arguments.name, settings, sections)
    if arguments.output == "json":
        say(dumps(doctor.document(sections, datetime.now(UTC))))
    else:
        say("\n".join(doctor.lines(sections)))
    return 0 if doctor.is_well(sections) else FAILED


async def _ask(access: Access, name: str, settings: Settings, sections: dict[str, Found]) -> None:
    found = sections["kubernetes"] = [kubeconfig(access), proxy(access)]
    try:
        connection = await connect(access, emqx_access=settings.emqx_access, clock_rate=settings.clock_rate)
    except ConfigError as wrong:
        found.append(CheckResult("api-server", Outcome.FAIL, wrong.message, WHICH))
        return
    try:
        found.append(await api_server(connection))
        if connection.problem is not None and not isinstance(connection.problem, Forbidden | NotFound):
            return
        compared = len(found)
        served, names = await clusters(connection)
        found.append(served)
        # With -A a name says nothing.
        wanted = name or (names[0] if len(names) == 1 and not access.all_namespaces else "")
        if wanted:
            sections[f"cluster {access.namespace}/{wanted}"] = await cluster(connection, settings, wanted)
        # Last: how fast the server's time runs is seen from one answer to the next.
        clock = connection.clock
        result = doctor.clock(clock.skew_s, clock.uncertainty_s, pace=clock.pace, rate=settings.clock_rate)
        found.insert(compared, result)
    finally:
        await connection.close()


def terminal(settings: Settings) -> CheckResult:
    """The terminal that this process writes to."""
    size = shutil.get_terminal_size()
    encoding = getattr(sys.stdout, "encoding", "") or ""
    term = os.environ.get("TERM", "")
    seen = doctor.Terminal(sys.stdout.isatty(), size.columns, size.lines, encoding, term, settings.ascii)
    return doctor.terminal(seen)


def files(settings: Settings) -> CheckResult:
    """Can the log and the recordings be written?"""
    for name, folder in (("log_file", settings.log_file.parent), ("flight_log_dir", settings.flight_log_dir)):
        if not os.access(_nearest(folder), os.W_OK | os.X_OK):
            hint = f"set {name}, or make the folder writable"
            return CheckResult("files", Outcome.FAIL, f"{folder} cannot be written", hint)
    return CheckResult("files", Outcome.PASS, f"log {settings.log_file}, recordings in {settings.flight_log_dir}")


def own_runbook(settings: Settings) -> CheckResult:
    """Can the runbook of the settings be used? The cards of the gates go on without."""
    found = runbook.load(settings.runbook)
    if found.problem:
        hint = f"mend the file, or leave out the setting runbook ({settings.source('runbook')})"
        return CheckResult("runbook", Outcome.FAIL, found.problem, hint)
    if settings.runbook is None:
        return CheckResult("runbook", Outcome.PASS, "the words of the program")
    return CheckResult("runbook", Outcome.PASS, f"{settings.runbook}")


def metrics(settings: Settings) -> CheckResult:
    """Can they be served? It is tried: a console whose address is taken does not start."""
    if not settings.metrics:
        return CheckResult("metrics", Outcome.PASS, "not served")
    from emqx_tui.adapters.metrics import Metrics

    try:
        with Metrics(settings.metrics) as served:
            return CheckResult("metrics", Outcome.PASS, f"can be served on {served.host}:{served.port}")
    except ConfigError as wrong:
        hint = f"give a free address of this machine, or leave out the setting metrics ({settings.source('metrics')})"
        return CheckResult("metrics", Outcome.FAIL, wrong.message, hint)


def calls(settings: Settings) -> CheckResult:
    """Can a person be called? Nobody is: what has to be there for a call is looked for."""
    if not settings.notify:
        return CheckResult("notify", Outcome.PASS, "nobody is called")
    from emqx_tui.adapters.machine.notifier import Notifier

    try:
        way = Notifier(settings.notify).way
    except ConfigError as wrong:
        hint = f"mend it, or leave out the setting notify ({settings.source('notify')})"
        return CheckResult("notify", Outcome.FAIL, wrong.message, hint)
    return CheckResult("notify", Outcome.PASS, f"{way}; not tried")


def _this_machine(settings: Settings) -> Found:
    return [terminal(settings), files(settings), own_runbook(settings), calls(settings), metrics(settings)]


def _nearest(folder: Path) -> Path:
    """The folder, or the one that it would be made in."""
    return next((each for each in (folder, *folder.parents) if each.exists()), folder)


def kubeconfig(access: Access) -> CheckResult:
    """Which cluster the settings lead to, and as whom."""
    where = "all namespaces" if access.all_namespaces else f"namespace {access.namespace}"
    who = f"as {access.user or 'nobody'} ({_login(access)})"
    acting = f", acting as {access.as_user}" if access.as_user else ""
    named = f"context {access.context}" if access.context else access.server
    return CheckResult("kubeconfig", Outcome.PASS, f"{named}, {where}, {who}{acting}, from {access.origin}")


def _login(access: Access) -> str:
    match access.login:
        case NoLogin():
            return "client certificate" if access.certificate else "no credentials"
        case TokenLogin():
            return "token"
        case TokenFileLogin(path):
            return f"token of {path}"
        case BasicLogin():
            return "user name and password"
        case ExecLogin(command):
            return f"exec plugin {Path(command).name}"
        case _:
            assert_never(access.login)


def proxy(access: Access) -> CheckResult:
    """What stands between; never with its user name and password."""
    url = proxy_of(access, os.environ)
    if not url:
        return CheckResult("proxy", Outcome.PASS, "none")
    parts = urlsplit(url)
    source = "the kubeconfig" if access.proxy_url else "the environment"
    return CheckResult("proxy", Outcome.PASS, f"{parts.scheme}://{parts.hostname}:{parts.port or 80}, by {source}")


async def api_server(connection: Connection) -> CheckResult:
    """Does it answer, and to us? Asked a second time: the first answer pays for libraries and handshakes."""
    begun = time.monotonic()
    if connection.problem is None:
        await connection.check()
    server, problem = connection.access.server, connection.problem
    if isinstance(problem, Unauthorized):
        return CheckResult("api-server", Outcome.FAIL, problem.message, "log in again, or renew the token")
    if problem is not None and not isinstance(problem, Forbidden | NotFound):
        return CheckResult("api-server", Outcome.FAIL, problem.message, "does kubectl reach it with the same flags?")
    version = connection.server_version or "its version is not told"
    took_ms = (time.monotonic() - begun) * 1000
    return CheckResult("api-server", Outcome.PASS, f"{server}, {version}, answers in {took_ms:,.0f} ms")


async def clusters(connection: Connection) -> tuple[CheckResult, list[str]]:
    """Is the resource served, and which clusters are in reach? (check, names)."""
    scope = connection.access.scope
    path = Kind.EMQX_ENTERPRISE.info.path(scope)
    where = f"in namespace {scope}" if scope else "in all namespaces"
    try:
        answer = await connection.kube.request(KubeRequest("GET", path, query={"limit": "500"}, timeout_s=10.0))
        names = [item.child("metadata").text("name") for item in Fields(answer).children("items")]
    except NotFound:
        hint = "install EMQX Operator 2.1.3 or later: it brings apps.emqx.io/v1beta4"
        return CheckResult("resource", Outcome.FAIL, "EmqxEnterprise (apps.emqx.io/v1beta4) is not served", hint), []
    except Forbidden as wrong:
        return CheckResult("resource", Outcome.FAIL, wrong.message, "grant the Role in README"), []
    except (AdapterError, Malformed) as wrong:
        return CheckResult("resource", Outcome.FAIL, f"{path}: {wrong}", "does kubectl get emqxenterprises answer?"), []
    many = f"{len(names):,} clusters {where}" if len(names) != 1 else f"one cluster {where}: {names[0]}"
    ask = "; give a NAME to check its rights and its EMQX" if len(names) > 1 else ""
    return CheckResult("resource", Outcome.PASS, f"EmqxEnterprise is served, {many}{ask}"), names


async def cluster(connection: Connection, settings: Settings, name: str) -> Found:
    """The pre-flight checks: rights, operator, EMQX, and whether a release could start now."""
    async with runner_of(connection, settings, name, drives=False, is_recorded=False) as runner:
        view = await runner.until(lambda seen: is_whole(seen) or is_out_of_reach(seen), within_s=FIRST_DATA_S)
        if view.snapshot.resource.value is None:
            return [CheckResult("object", Outcome.FAIL, f"no EmqxEnterprise {name!r}", "see: emqx-tui get")]
        return doctor.with_cures(await runner.session.examine())
