"""`emqx-tui completion bash|zsh|fish`, and the answers to the shell that has loaded the script.

The script runs `emqx-tui` again with the line typed so far (argcomplete's protocol: `_ARGCOMPLETE` and `COMP_*` in the
environment, answers on descriptor 8). Commands, flags and their choices come from the parser, contexts from the
kubeconfig, namespaces and clusters from the API server. Whatever goes wrong completes nothing and prints nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import argcomplete
from argcomplete.completers import FilesCompleter, SuppressCompleter
from argcomplete.lexers import split_line
from argcomplete.shell_integration import shellcode

from emqx_tui.adapters.emqx import DIRECT, PORT_FORWARD
from emqx_tui.adapters.kubernetes.access import Access
from emqx_tui.adapters.kubernetes.kubeconfig import KubeConfig, read_config
from emqx_tui.adapters.kubernetes.kubeconfig_access import load_access
from emqx_tui.adapters.machine.log_file import LEVELS
from emqx_tui.cli.parsing.arguments import completion_parser, parse_global_flags
from emqx_tui.cli.parsing.flags import LIST_FORMS, list_form
from emqx_tui.cli.standard_output import say
from emqx_tui.config import Settings, load_settings
from emqx_tui.model.kinds import Kind
from emqx_tui.ui.text.themes import THEMES

TIMEOUT_S = 2.0
"""How long the API server may take, the credential plugin included."""

Found = Callable[[], Sequence[str]]


def run(arguments: Namespace) -> int:
    """Print the script of a shell; the exit code."""
    # Without bash's own completion of file names behind it: where a cluster is meant, no file is.
    say(shellcode(["emqx-tui"], shell=arguments.shell, complete_arguments=["-o", "nospace"]).rstrip())
    return 0


def answer_shell() -> None:
    """Write what the line can go on with, and end the process."""
    logging.disable()
    parser = completion_parser()
    for each in _parsers(parser):
        for action in each._actions:
            if found := _completer(action):
                action.completer = found  # pyright: ignore[reportAttributeAccessIssue]
    argcomplete.autocomplete(parser, always_complete_options=False, default_completer=SuppressCompleter())


def _parsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    commands = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    return [parser, *(command for each in commands for command in each.choices.values())]


def _completer(action: argparse.Action) -> Callable[..., Any] | None:
    if action.metavar in ("FILE", "FOLDER"):
        return FilesCompleter()
    if action.dest == "fault":
        return _faults
    if action.dest == "like":
        return _like
    if action.type is list_form:
        return _quiet(lambda: (*LIST_FORMS, "jsonpath="))
    found = _SOURCES.get(action.dest)
    return _quiet(found) if found else None


def _faults(prefix: str = "", **_: Any) -> Sequence[str]:
    """The next name of a list."""
    from emqx_tui.sandbox.fault_spec import KINDS

    begun = prefix[: prefix.rfind(",") + 1]
    return [f"{begun}{name}@" for name in KINDS]


def _like(prefix: str = "", **_: Any) -> Sequence[str]:
    """NAMESPACE/NAME of the clusters of this context, and other contexts; after one of these, of its clusters."""
    contexts, found = list[str](), list[str]()
    with contextlib.suppress(Exception):
        contexts = list(_kubeconfig().contexts)
    begun, slash, _rest = prefix.partition("/")
    context = begun if slash and begun in contexts else ""
    with contextlib.suppress(Exception):
        wanted = replace(_settings().access_request(), all_namespaces=True)
        access = load_access(replace(wanted, context=context) if context else wanted)
        found = _names(access, Kind.EMQX_ENTERPRISE.info.path(None), lambda of: f"{of['namespace']}/{of['name']}")
    return [f"{context}/{each}" for each in found] if context else [*found, *(f"{each}/" for each in contexts)]


def _quiet(found: Found) -> Callable[..., Sequence[str]]:
    def complete(**_: Any) -> Sequence[str]:
        with contextlib.suppress(Exception):
            return found()
        return ()

    return complete


def _settings() -> Settings:
    """The settings as the line typed so far gives them."""
    _, begun, _, words, _ = split_line(os.environ["COMP_LINE"], int(os.environ["COMP_POINT"]))
    given = parse_global_flags([os.path.expanduser(word) for word in [*words[1:], begun]])
    return load_settings(given.settings, config_file=given.config_file)


def _kubeconfig() -> KubeConfig:
    return read_config(_settings().kubeconfig, os.environ)


def _clusters() -> Sequence[str]:
    access = load_access(_settings().access_request())
    return _names(access, Kind.EMQX_ENTERPRISE.info.path(access.scope))


def _namespaces() -> Sequence[str]:
    return _names(load_access(_settings().access_request()), "/api/v1/namespaces")


def _names(access: Access, path: str, spell: Callable[[dict[str, Any]], str] = lambda of: str(of["name"])) -> list[str]:
    """The names in a collection, as `spell` has them of its items' metadata."""
    from emqx_tui.adapters.kubernetes.client import KubeClient
    from emqx_tui.rollout.requests import KubeRequest

    async def ask() -> list[str]:
        async with asyncio.timeout(TIMEOUT_S):
            answer = await KubeClient(access).request(KubeRequest("GET", path, timeout_s=TIMEOUT_S))
        return [spell(each["metadata"]) for each in answer["items"]]

    # Never closed: closing a loop waits for name look-ups, and the process ends at once anyway.
    return asyncio.new_event_loop().run_until_complete(ask())


def _settable() -> Sequence[str]:
    from emqx_tui.headless.release.release_options import NAMES

    return [f"{name}=" for name in NAMES]


def _overridable() -> Sequence[str]:
    from emqx_tui.rollout.checks.preflight import PREFLIGHT

    return [check.name for check in PREFLIGHT if check.can_override]


def _words() -> Sequence[str]:
    from emqx_tui.explain import entries

    return [entry.word for entry in entries()]


_SOURCES: dict[str, Found] = {
    "name": _clusters,
    "confirm": _clusters,
    "namespace": _namespaces,
    "context": lambda: list(_kubeconfig().contexts),
    "cluster": lambda: list(_kubeconfig().clusters),
    "user": lambda: list(_kubeconfig().users),
    "emqx_access": lambda: (PORT_FORWARD, DIRECT),
    "log_level": lambda: LEVELS,
    "theme": lambda: list(THEMES),
    "gate": lambda: ("cut-over",),
    "sets": _settable,
    "override": _overridable,
    "word": _words,
}
"""What completes an argument, by where the parser keeps it."""
