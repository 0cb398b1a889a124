"""`emqx-tui compare`: the figures of two recorded releases side by side. Asks no cluster."""

from __future__ import annotations

import json
from argparse import Namespace

from emqx_tui.cli.commands.report import report_of
from emqx_tui.cli.standard_output import say
from emqx_tui.config import Settings
from emqx_tui.headless.report.comparison import compared, document, lines


def run(arguments: Namespace, settings: Settings) -> int:
    """Print them; the exit code. Raises ConfigError."""
    rows = compared(report_of(arguments.first, settings), report_of(arguments.second, settings))
    is_json = arguments.output == "json"
    say(json.dumps(document(rows), indent=2, ensure_ascii=False) if is_json else "\n".join(lines(rows)))
    return 0
