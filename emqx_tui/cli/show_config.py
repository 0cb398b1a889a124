"""`emqx-tui config`: every setting, where it came from, and the cluster that they lead to."""

from __future__ import annotations

import json

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.kubernetes.kubeconfig_access import load_access
from emqx_tui.cli.standard_output import say
from emqx_tui.config import Settings


def show_config(settings: Settings, form: str) -> int:
    """`emqx-tui config`."""
    try:
        access = load_access(settings.access_request())
        where = f"{access.context or '-'}, {access.server}, namespace {access.scope or 'all'}, from {access.origin}"
    except ConfigError as error:
        where = error.message
    if form == "json":
        shown = {line.partition(" = ")[0]: line.partition(" = ")[2].partition("  # ") for line in settings.lines()}
        document = {name: {"value": value.strip(), "source": source} for name, (value, _, source) in shown.items()}
        text = json.dumps({"schema": 1, "settings": document, "cluster": where}, indent=2)
    else:
        text = "\n".join([*settings.lines(), "", f"cluster: {where}"])
    say(text)
    return 0
