"""`emqx-tui rehearse`: the console, or a release without a screen, on a sandbox that has the shape of a real cluster.

The real cluster is looked at once, with a session that may not write, and its connection is closed before the sandbox
is started. From then on nothing of its settings is left: the kubeconfig is the sandbox's own, a temporary file.
"""

from __future__ import annotations

import json
import tempfile
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from emqx_tui.adapters.kubernetes.access import Access
from emqx_tui.adapters.kubernetes.kubeconfig_access import load_access
from emqx_tui.adapters.machine.flight_reading import read_recording, recordings_of
from emqx_tui.adapters.machine.host import ThisHost
from emqx_tui.cli.commands.console import has_terminal, show
from emqx_tui.cli.commands.demo import OF_OTHER_CLUSTERS
from emqx_tui.cli.sandbox_child import SandboxChild
from emqx_tui.cli.standard_output import say
from emqx_tui.config import Settings, load_settings
from emqx_tui.headless.lines.events import dumps
from emqx_tui.headless.rehearsal.likeness import NotLike, default_shape, next_version, shape
from emqx_tui.headless.rehearsal.rehearsal import Rehearsal, document, lines, rehearsal
from emqx_tui.headless.report.report import Report, report
from emqx_tui.model.errors import Rejected
from emqx_tui.rollout.policy import Approval
from emqx_tui.session.engine import Connected

CONTEXT = "REHEARSAL"
FOLDER = "rehearsals"
"""In the folder of the flight logs: a rehearsal is never taken for a release of the real cluster."""
SCREEN_SPEED, SCRIPT_SPEED = 10.0, 60.0


def run(arguments: Namespace, settings: Settings) -> int:
    """Rehearse, then print what it showed; the exit code. Raises UsageError, ConfigError, AdapterError."""
    like = shape_like(arguments) if arguments.like else default_shape()
    on_screen = has_terminal() and arguments.approval is None
    speed = arguments.speed or (SCREEN_SPEED if on_screen else SCRIPT_SPEED)
    own = settings_of_its_own(settings, speed)
    metadata = like["manifest"]["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    before = set(own.flight_log_dir.glob("*"))
    with tempfile.TemporaryDirectory(prefix="emqx-tui-rehearsal-") as folder:
        record = Path(folder, "record")
        with SandboxChild(_flags(arguments, like, speed, Path(folder), record)) as child:
            play = _on_screen if on_screen else _without_a_screen
            code = play(replace(own, namespace=namespace), child, like, arguments)
        told = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
    asked = [str(fault) for fault in arguments.fault]
    found, path = _report(own.flight_log_dir, namespace, name, before)
    like_what = str(arguments.like or "")
    shown = rehearsal(f"{namespace}/{name}", like_what, asked=asked, told=told, report=found, recording=path)
    _say(shown, arguments.output)
    return code


def settings_of_its_own(settings: Settings, speed: float) -> Settings:
    """Nothing that leads to another cluster, looks like it, or calls a person for what is not real; flags among it."""
    left_out = (*OF_OTHER_CLUSTERS, "metrics", "notify", "read_only", "colour")
    defaults = Settings()
    return replace(
        settings,
        **{name: getattr(defaults, name) for name in left_out},
        clock_rate=speed,
        flight_log_dir=settings.flight_log_dir / FOLDER,
    )


def _flags(arguments: Namespace, like: dict[str, Any], speed: float, folder: Path, record: Path) -> list[str]:
    file = folder / "shape"
    file.write_text(json.dumps(like), encoding="utf-8")
    flags = ["--shape", str(file), "--record", str(record), "--speed", f"{speed:g}", "--seed", str(arguments.seed)]
    flags += ["--clients", str(sum(like["clients"])), "--mqtt-port", "0"]
    return flags + (["--fault", ",".join(map(str, arguments.fault))] if arguments.fault else [])


# -- the real cluster -------------------------------------------------------------------------------------------------


def shape_like(arguments: Namespace) -> dict[str, Any]:
    """The shape of the cluster that `--like` names. Sends nothing but reads. Raises ConfigError, AdapterError."""
    from emqx_tui.cli.commands.status import first_look
    from emqx_tui.cli.connected import Connected as Connecting
    from emqx_tui.cli.connected import run_until_signal
    from emqx_tui.cli.runner import runner_of

    context, namespace, name = arguments.like
    flags = {**arguments.settings, "namespace": namespace, "all_namespaces": None, "read_only": True}
    if context:
        flags |= {"context": context, "cluster": None, "user": None}
    settings = load_settings(flags, config_file=arguments.config_file)
    found: list[dict[str, Any]] = []

    async def look() -> int:
        async with (
            Connecting(settings) as connection,
            runner_of(connection, settings, name, drives=False, is_recorded=False) as runner,
        ):
            view = await first_look(runner, name)
            view = await runner.until(
                lambda seen: seen.snapshot.operator_image.read_at is not None, within_s=OPERATOR_S
            )
            found.append(shape(view.snapshot))
        return 0

    try:
        code = run_until_signal(lambda ending: look())
    except NotLike as wrong:
        raise Rejected(f"{namespace}/{name} cannot be rehearsed: {wrong}") from wrong
    if not found:
        raise SystemExit(code)
    return found[0]


OPERATOR_S = 3.0
"""The operator's image is waited for this long."""


# -- the rehearsal ----------------------------------------------------------------------------------------------------


def _on_screen(settings: Settings, child: SandboxChild, like: dict[str, Any], arguments: Namespace) -> int:
    host = ThisHost.detect()
    named = arguments.like or "the demo's cluster"
    placeholder = Access("sandbox", context=CONTEXT, namespace=settings.namespace)

    async def connected() -> Connected:
        child.start()
        from emqx_tui.adapters.connect import connect

        access = load_access(replace(settings.access_request(), kubeconfig=await child.ready()))
        return await connect(access, emqx_access=settings.emqx_access, clock_rate=settings.clock_rate, host=host)

    words = f"a rehearsal on a simulated cluster like {named}: nothing here reaches a real one"
    return show(settings, placeholder, host, connected, is_demo=True, is_rehearsal=True, first_words=words).code


def _without_a_screen(settings: Settings, child: SandboxChild, like: dict[str, Any], arguments: Namespace) -> int:
    child.start()
    from emqx_tui.cli.commands.rollout import edit_of, run_rollout_command
    from emqx_tui.headless.release.rollout import RolloutOptions

    container = like["manifest"]["spec"]["template"]["spec"]["emqxContainer"]
    arguments.sets = arguments.sets or [f"image.version={next_version(container['image']['version'])}"]
    options = RolloutOptions(edit=edit_of(arguments), approval=Approval(arguments.approval or Approval.AUTO))

    async def prepare(tell: Callable[[str], None]) -> Settings:
        kubeconfig = await child.ready()
        flags = f"--kubeconfig {kubeconfig} --clock-rate {settings.clock_rate:g} -n {settings.namespace}"
        tell(f"REHEARSAL on a simulated cluster; from other terminals: emqx-tui {flags}")
        return replace(settings, kubeconfig=kubeconfig)

    name = like["manifest"]["metadata"]["name"]
    form = "jsonl" if arguments.output == "json" else "text"
    return run_rollout_command(name, options, settings, form, prepare=prepare)


def _report(folder: Path, namespace: str, name: str, before: set[Path]) -> tuple[Report | None, str]:
    """Of the release in the recordings that were not there before, and its file."""
    paths = (path for path in recordings_of(folder, name, namespace) if path not in before)
    found = ((told, str(path)) for path in paths if (told := report(read_recording(path))) is not None)
    return next(found, (None, ""))


def _say(found: Rehearsal, form: str) -> None:
    say(dumps(document(found)) if form == "json" else "\n".join(lines(found)))
