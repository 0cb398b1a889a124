"""`emqx-tui info`: versions, files, every setting with where it came from, and the cluster that they lead to."""

from __future__ import annotations

import json
import os
import platform
from argparse import Namespace
from importlib.metadata import version
from typing import Any

from emqx_tui import __version__
from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.kubernetes.kubeconfig_access import load_access
from emqx_tui.cli.standard_output import say
from emqx_tui.config import Settings, json_schema, settings_file

LIBRARIES = ("textual", "kubernetes", "aiohttp", "httpx", "plotext")


def run(arguments: Namespace, settings: Settings) -> int:
    """Print it; the exit code."""
    if arguments.schema:
        say(json.dumps(json_schema(), indent=2))
        return 0
    found = document(arguments, settings)
    say(json.dumps(found, indent=2) if arguments.output == "json" else "\n".join(lines(found, settings)))
    return 0


def document(arguments: Namespace, settings: Settings) -> dict[str, Any]:
    """For programs, and for a report of a fault: nothing in it is secret."""
    try:
        access = load_access(settings.access_request())
        cluster = f"{access.context or '-'}, {access.server}, namespace {access.scope or 'all'}, from {access.origin}"
    except ConfigError as error:
        cluster = error.message
    file = settings_file(arguments.config_file, os.environ)
    python = f"{platform.python_implementation()} {platform.python_version()}, {platform.system()}"
    return {
        "schema": 1,
        "versions": {"emqx-tui": __version__, "python": python, **{name: version(name) for name in LIBRARIES}},
        "files": {
            "settings": f"{file}{'' if file.exists() else ' (not there)'}",
            "log": str(settings.log_file),
            "recordings": str(settings.flight_log_dir),
        },
        "settings": {name: {"value": value, "source": source} for name, value, source in settings.shown()},
        "cluster": cluster,
    }


def lines(found: dict[str, Any], settings: Settings) -> list[str]:
    """For people."""
    return [
        *(f"{name:<10}  {value}" for name, value in found["versions"].items()),
        "",
        *(f"{name:<10}  {value}" for name, value in found["files"].items()),
        "",
        *settings.lines(),
        "",
        f"cluster: {found['cluster']}",
    ]
