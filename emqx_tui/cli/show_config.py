"""`emqx-tui config`: every setting, where it came from, and the cluster that they lead to."""

from __future__ import annotations

import json
from argparse import Namespace

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.kubernetes.kubeconfig_access import load_access
from emqx_tui.cli.standard_output import say
from emqx_tui.config import Settings


def run(arguments: Namespace, settings: Settings) -> int:
    """Print it; the exit code."""
    try:
        access = load_access(settings.access_request())
        where = f"{access.context or '-'}, {access.server}, namespace {access.scope or 'all'}, from {access.origin}"
    except ConfigError as error:
        where = error.message
    if arguments.output == "json":
        shown = {line.partition(" = ")[0]: line.partition(" = ")[2].partition("  # ") for line in settings.lines()}
        document = {name: {"value": value.strip(), "source": source} for name, (value, _, source) in shown.items()}
        text = json.dumps({"schema": 1, "settings": document, "cluster": where}, indent=2)
    else:
        text = "\n".join([*settings.lines(), "", f"cluster: {where}"])
    say(text)
    return 0
