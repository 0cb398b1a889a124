"""`emqx-tui report`: what a release did, from the flight log of a console, for a change ticket. Asks no cluster."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from pathlib import Path

from emqx_tui import __version__
from emqx_tui.adapters.errors import ConfigError, one_line
from emqx_tui.adapters.machine.flight_reading import read_recording, recordings_of
from emqx_tui.cli.standard_output import say
from emqx_tui.config import Settings
from emqx_tui.headless.report import Report, document, report
from emqx_tui.headless.report_forms import html, markdown
from emqx_tui.headless.report_page import page


def run(arguments: Namespace, settings: Settings) -> int:
    """Print the report; the exit code. Raises ConfigError."""
    say(_spelled(_found(arguments.file, settings), arguments.output))
    return 0


def _found(word: str, settings: Settings) -> Report:
    """The last release in the file of this name or, where there is none, of the cluster of this name."""
    path = Path(os.path.expanduser(word))
    if os.path.lexists(path) or path.name != word or ".jsonl" in word:
        found = report(read_recording(path))
        if found is None:
            raise ConfigError(f"{one_line(word)}: no release is in this recording")
        return found
    for recording in recordings_of(settings.flight_log_dir, word, settings.namespace):
        if (found := report(read_recording(recording))) is not None:
            return found
    where = f" in namespace {settings.namespace}" if settings.namespace else ""
    folder = one_line(str(settings.flight_log_dir))
    raise ConfigError(f"no file {one_line(word)!r}, and no recording in {folder} of a release of that cluster{where}")


def _spelled(found: Report, form: str) -> str:
    match form:
        case "json":
            return json.dumps(document(found, __version__), indent=2, ensure_ascii=False)
        case "html":
            return html(page(found, __version__))
        case _:
            return markdown(page(found, __version__))
