"""`emqx-tui plan`: what a release is expected to do, before anybody starts it. Sends nothing but dry-runs."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime, timedelta

from emqx_tui.cli.commands.rollout import edit_of
from emqx_tui.cli.commands.status import first_look
from emqx_tui.cli.connected import Connected, Ending, run_until_signal
from emqx_tui.cli.runner import runner_of
from emqx_tui.cli.standard_output import say
from emqx_tui.config import Settings
from emqx_tui.headless.advice import Cluster, command
from emqx_tui.headless.lines.events import dumps
from emqx_tui.headless.release.plan import Planned, Wish, document, lines, planned
from emqx_tui.headless.release.release_options import Edit, InvalidOption
from emqx_tui.headless.session_runner import SessionRunner
from emqx_tui.model.errors import Rejected
from emqx_tui.rollout.change import ReleaseOptions, Verdict
from emqx_tui.session.views.view import EditPreview, View


def run(arguments: Namespace, settings: Settings) -> int:
    """Print the forecast; the exit code. Raises UsageError, ConfigError, AdapterError."""
    edit = edit_of(arguments)
    return run_until_signal(lambda ending: _plan(arguments, edit, settings, ending))


async def _plan(arguments: Namespace, edit: Edit, settings: Settings, ending: Ending) -> int:
    async with (
        Connected(settings) as connection,
        runner_of(connection, settings, arguments.name, drives=False, is_recorded=False) as runner,
    ):
        ending.end_at(runner)
        view = await first_look(runner, arguments.name)
        preview = await _preview(runner, view, edit, arguments)
    seen = view.snapshot
    wish = Wish(_next(arguments.finish_by, view.now), arguments.max_reconnects)
    found = planned(seen.namespace, seen.name, view.now, preview, wish)
    if found is None:
        raise Rejected(_why_not(preview, has_edit=bool(edit)))
    if arguments.output == "json":
        say(dumps(document(found)))
    else:
        say("\n".join(lines(found, _command(found, view, arguments))))
    return 0 if found.is_fine else 1


async def _preview(runner: SessionRunner, view: View, edit: Edit, arguments: Namespace) -> EditPreview:
    resource = view.snapshot.resource.value
    assert resource is not None
    try:
        draft = edit.draft(resource)
    except InvalidOption as wrong:
        raise Rejected(str(wrong)) from wrong
    options = ReleaseOptions(late_removal=arguments.late_removal, parallel_drains=arguments.parallel_drains)
    return await runner.session.preview_edit(1, draft, options)


def _why_not(preview: EditPreview, *, has_edit: bool) -> str:
    change = preview.change
    match change.verdict:
        case Verdict.STARTS_RELEASE if preview.plan is None:
            return "no plan can be made: give connEvictRate and sessEvictRate, of at least 1 per second"
        case Verdict.STARTS_RELEASE:
            return "no forecast: a node's clients could not be counted"
        case Verdict.UNCHANGED if has_edit:
            return "nothing would change: the object asks for this already"
        case Verdict.UNCHANGED:
            return "say what to change, such as --set image.version=4.4.15"
        case Verdict.REFUSED:
            return "; ".join(f"{problem.path}: {problem.sentence}" for problem in change.problems)
        case _:
            return f"this edit starts no release ({change.verdict}): add what does, such as --set image.version=4.4.15"


def _next(at: datetime | None, now: datetime) -> datetime | None:
    """The next time that clocks here show a bare time; any other instant as it is."""
    if at is None or at.year > 1:
        return at
    local = now.astimezone()
    found = local.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
    return found if found > local else found + timedelta(days=1)


def _command(found: Planned, view: View, arguments: Namespace) -> str:
    words = [word for each in arguments.sets for word in ("--set", each)]
    words += ["--template", arguments.template] if arguments.template else []
    words += ["--set", f"connEvictRate={found.rate_per_s}"] if found.wish else []
    words += ["--late-removal"] if arguments.late_removal else []
    words += ["--parallel-drains", str(arguments.parallel_drains)] if arguments.parallel_drains > 1 else []
    return command("rollout", Cluster.of(view), *words)
