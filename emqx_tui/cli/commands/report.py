"""`emqx-tui report`: what a release did, from the flight log of a console, for a change ticket. Asks no cluster."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from emqx_tui import __version__
from emqx_tui.adapters.errors import ConfigError, one_line
from emqx_tui.adapters.machine.flight_log import prune
from emqx_tui.adapters.machine.flight_reading import read_recording, recordings_of
from emqx_tui.cli.standard_output import say
from emqx_tui.config import Settings
from emqx_tui.headless.report.report import Report, report
from emqx_tui.headless.report.report_document import document
from emqx_tui.headless.report.report_forms import html, markdown
from emqx_tui.headless.report.report_page import page

REPORTS = 40
"""Kept in the folder, all clusters together; the oldest go first."""


def run(arguments: Namespace, settings: Settings) -> int:
    """Print the report; the exit code. Raises ConfigError."""
    say(_spelled(report_of(arguments.file, settings), arguments.output))
    return 0


def recorded(word: str, settings: Settings) -> Iterator[Path]:
    """The file of this name or, where there is none, the recordings of the cluster of this name, newest first."""
    path = Path(os.path.expanduser(word))
    if is_file(word):
        yield path
    else:
        yield from recordings_of(settings.flight_log_dir, word, settings.namespace)


def is_file(word: str) -> bool:
    """It names a file, if only one that is not there."""
    path = Path(os.path.expanduser(word))
    return os.path.lexists(path) or path.name != word or ".jsonl" in word


def report_of(word: str, settings: Settings) -> Report:
    """The last release in what `word` names. Raises ConfigError."""
    if (found := _newest(recorded(word, settings))) is not None:
        return found
    if is_file(word):
        raise ConfigError(f"{one_line(word)}: no release is in this recording")
    where = f" in namespace {settings.namespace}" if settings.namespace else ""
    folder = one_line(str(settings.flight_log_dir))
    raise ConfigError(f"no file {one_line(word)!r}, and no recording in {folder} of a release of that cluster{where}")


def _newest(paths: Iterator[Path]) -> Report | None:
    return next((found for path in paths if (found := report(read_recording(path))) is not None), None)


def write_report(folder: Path, namespace: str, name: str, release_id: str) -> str:
    """Write the page of a recorded release beside its recording; what came of it, in one line.

    A cluster of the same name, in another context, may have one that is newer.

    Only its owner can read the file; of those written before, the newest are kept. Never raises.
    """
    try:
        told = (report(read_recording(path)) for path in recordings_of(folder, name, namespace))
        found = next((each for each in told if each and each.journal and each.journal.release_id == release_id), None)
        if found is None:
            return "no report: nothing of this release is recorded yet"
        path = folder / f"report-{namespace}-{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.html"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(html(page(found, __version__)))
        prune(folder, "report-*.html", REPORTS)
    except ConfigError as error:
        return f"no report: {error.message}"
    except OSError as error:
        return f"no report: {error.strerror}: {error.filename}"
    return f"the report is in {path}"


def _spelled(found: Report, form: str) -> str:
    match form:
        case "json":
            return json.dumps(document(found, __version__), indent=2, ensure_ascii=False)
        case "html":
            return html(page(found, __version__))
        case _:
            return markdown(page(found, __version__))
