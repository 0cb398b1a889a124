"""`emqx-tui status`: where the release of a cluster stands."""

from __future__ import annotations

from argparse import Namespace

from emqx_tui.cli.connected import Connected, run_until_signal
from emqx_tui.cli.runner import runner_of
from emqx_tui.cli.standard_output import say
from emqx_tui.config import Settings
from emqx_tui.headless.lines.events import dumps
from emqx_tui.headless.looking.readiness import has_answered, is_out_of_reach, is_whole, why_unreadable
from emqx_tui.headless.looking.status import document, lines
from emqx_tui.headless.release.rollout import FIRST_DATA_S
from emqx_tui.headless.session_runner import SessionRunner
from emqx_tui.model.errors import NotFound, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.session.views.view import View

STATUS_AGAIN_S = 2.0
OPERATOR_S = 3.0
"""In a release, the answer of the operator is waited for this long."""


def run(arguments: Namespace, settings: Settings) -> int:
    """Print it; the exit code."""
    return run_until_signal(lambda ending: status(arguments, settings))


async def status(arguments: Namespace, settings: Settings) -> int:
    """Print it once, or with every change until the release ends. Raises AdapterError."""
    async with (
        Connected(settings) as connection,
        runner_of(connection, settings, arguments.name, drives=False, is_recorded=False) as runner,
    ):
        view = await first_look(runner, arguments.name)
        if view.snapshot.blue_uid and not settings.read_only:
            view = await runner.until(
                lambda seen: seen.snapshot.operator_answers.read_at is not None, within_s=OPERATOR_S
            )
        shown = ""
        while True:
            text = dumps(document(view)) if arguments.output == "json" else "\n".join(lines(view))
            if text != shown:
                say(text + ("\n" if arguments.watch and arguments.output == "text" else ""))
            shown = text
            if not arguments.watch or view.result or view.journal is None:
                return 0
            view = await _after(runner, STATUS_AGAIN_S)


async def first_look(runner: SessionRunner, name: str) -> View:
    """A view of the whole cluster. Raises AdapterError where there is none."""
    view = await runner.until(lambda seen: is_whole(seen) or is_out_of_reach(seen), within_s=FIRST_DATA_S)
    if is_out_of_reach(view) or not has_answered(view, Kind.EMQX_ENTERPRISE):
        raise Unreachable(why_unreadable(view, Kind.EMQX_ENTERPRISE) or "the cluster did not answer in time")
    if view.snapshot.resource.value is None:
        problem = why_unreadable(view, Kind.EMQX_ENTERPRISE)
        where = f"namespace {view.snapshot.namespace}"
        raise NotFound(problem or f"no EmqxEnterprise {name!r} in {where}")
    return view


async def _after(runner: SessionRunner, seconds: float) -> View:
    """The first view after so much wall time."""
    begun = runner.clock.monotonic()
    await runner.next()
    return await runner.until(lambda seen: bool(seen.result) or runner.clock.monotonic() - begun >= seconds)
