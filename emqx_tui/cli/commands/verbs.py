"""`emqx-tui approve`, `hold`, `freeze`, `resume`, `abort` and `adopt`: one intent, and what came of it."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from emqx_tui.cli.connected import Connected, Ending, run_until_signal
from emqx_tui.cli.parsing.flags import UsageError
from emqx_tui.cli.runner import runner_of
from emqx_tui.cli.standard_output import say
from emqx_tui.config import Settings
from emqx_tui.headless.lines.events import dumps
from emqx_tui.headless.verbs.verb_answer import Code, Verb, VerbOptions
from emqx_tui.headless.verbs.verbs import run_verb
from emqx_tui.model.workloads import DelaySource, OwnDelay
from emqx_tui.rollout.gate_id import GateKind


def run(arguments: Namespace, settings: Settings) -> int:
    """Submit one intent; the exit code."""
    options = verb_options(arguments, settings)
    return run_until_signal(lambda ending: verb(options, arguments, settings, ending))


def verb_options(arguments: Namespace, settings: Settings) -> VerbOptions:
    """What `approve` and the like were asked for. Raises UsageError, ConfigError."""
    if settings.read_only:
        raise UsageError(f"--read-only and {arguments.command} exclude each other")
    if arguments.command in ("abort", "adopt") and arguments.confirm != arguments.name:
        raise UsageError(f"--confirm {arguments.confirm}: expected the name again, {arguments.name}")
    gate, count = getattr(arguments, "gate", None), getattr(arguments, "count", 1)
    if count > 1 and gate is not None and gate.kind is not GateKind.NODE:
        raise UsageError(f"--count {count}: expected with a node's ordinal or without a GATE, not with {gate}")
    delay, path = getattr(arguments, "delay", None), getattr(arguments, "template", None)
    return VerbOptions(
        Verb(arguments.command),
        gate=gate,
        count=count,
        token=getattr(arguments, "token", None) or "",
        reason=getattr(arguments, "reason", ""),
        delay=None if delay is None else OwnDelay(delay, DelaySource.GIVEN),
        template=_template(path) if path else None,
    )


def _template(path: str) -> Mapping[str, Any]:
    # What reads it is loaded for those who name one.
    from emqx_tui.cli.commands.rollout import template_in

    return template_in(path)


async def verb(options: VerbOptions, arguments: Namespace, settings: Settings, ending: Ending) -> int:
    """Submit the intent and tell its outcome. Raises AdapterError."""
    is_json = arguments.output == "json"
    async with (
        Connected(settings) as connection,
        runner_of(connection, settings, arguments.name, drives=False) as runner,
    ):
        ending.end_at(runner)
        answer = await run_verb(runner, options, (lambda line: None) if is_json else say)
    if is_json:
        say(dumps(answer.to_json(options.verb)))
    elif answer.code in (0, Code.NOTHING_WAITS):
        say(answer.sentence)
    else:
        sys.stderr.write(f"emqx-tui {options.verb}: {answer.message}\n")
    return answer.code
