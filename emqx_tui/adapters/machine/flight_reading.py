"""Reads a whole flight log back, all its parts in order, for a report.

What a console that died left half-written is skipped and told. A file that is something else, or of a newer console, is
a ConfigError of one line.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emqx_tui.adapters.errors import ConfigError, one_line
from emqx_tui.adapters.machine.flight_log import LINE_BYTES, PARTS, SCHEMA
from emqx_tui.model.wire import Unparsable, clean, read_json
from emqx_tui.rollout.telling.flight_records import Recording
from emqx_tui.session.views.view_recording import EVENT, ViewLine

HEADING = "recording"
MOST_BYTES = 64 << 20
"""Of one part: more than any that is written."""


def read_recording(path: Path) -> Recording:
    """The recording that `path` is a part of, without its views. Raises ConfigError."""
    return _read(path, [])


def read_views(path: Path) -> tuple[Recording, tuple[ViewLine, ...]]:
    """The recording and its views. Raises ConfigError."""
    views: list[ViewLine] = []
    return _read(path, views), tuple(views)


def _read(path: Path, views: list[ViewLine]) -> Recording:
    parts = parts_of(path)
    records: list[Mapping[str, Any]] = []
    unreadable, is_cut = 0, False
    try:
        about, *_ = [_heading(part) for part in parts]
        for part in parts:
            found, bad, is_cut = _records(part, views)
            records += found
            unreadable += bad
    except OSError as error:
        raise ConfigError(f"{one_line(str(path))}: {error.strerror}") from error
    return Recording(
        namespace=_text(about, "namespace"),
        name=_text(about, "name"),
        console=_text(about, "console"),
        records=tuple(records),
        unreadable=unreadable,
        is_cut=is_cut,
        lacks_beginning=parts[0].name.endswith(f".{PARTS - 1}"),
    )


def _base(path: Path) -> Path:
    return path.with_name(re.sub(r"\.\d+\Z", "", path.name))


def parts_of(path: Path) -> list[Path]:
    """The files of the recording that are there, oldest first; `path` is one of them."""
    base = _base(path)
    older = [Path(f"{base}.{number}") for number in range(PARTS - 1, 0, -1)]
    found = [part for part in (*older, base) if part.is_file()]
    return found if path in found else [path]


def recordings_of(folder: Path, name: str, namespace: str) -> Iterator[Path]:
    """The recordings of a cluster in `folder`, newest first; an empty `namespace` is any."""
    dated = []
    for path in folder.glob("flight-*.jsonl"):
        with contextlib.suppress(OSError):
            dated.append((path.stat().st_mtime, path))
    for _, path in sorted(dated, reverse=True):
        with contextlib.suppress(ConfigError, OSError):
            about = _heading(path)
            if about.get("name") == name and namespace in ("", about.get("namespace")):
                yield path


def _heading(path: Path) -> Mapping[str, Any]:
    """The first line of a part. Raises ConfigError, OSError."""
    told = one_line(str(path))
    if path.exists() and not path.is_file():
        raise ConfigError(f"{told}: not a file")
    if path.stat().st_size > MOST_BYTES:
        raise ConfigError(f"{told}: too large for a flight log of emqx-tui")
    with path.open("rb") as lines:
        record = _record(lines.readline(LINE_BYTES + 1))
    schema = record.get("schema") if record else None
    if record is None or record.get("event") != HEADING or not isinstance(schema, int) or isinstance(schema, bool):
        raise ConfigError(f"{told}: not a flight log of emqx-tui")
    if schema > SCHEMA:
        raise ConfigError(f"{told}: has schema {schema}, this emqx-tui knows up to {SCHEMA}: use a newer one")
    return record


def _records(path: Path, views: list[ViewLine]) -> tuple[list[Mapping[str, Any]], int, bool]:
    """The records of a part, how many lines cannot be read, and whether the last line is cut. Raises OSError.

    What can be read of its views is added to `views`.
    """
    found, unreadable, is_cut = [], 0, False
    with path.open("rb") as lines:
        for line in lines:
            if (view := ViewLine.from_line(line)) is not None:
                views.append(view)
                continue
            record = _record(line)
            if record is not None and record["event"] == EVENT:
                with contextlib.suppress(ValueError, TypeError, KeyError):
                    views.append(ViewLine.from_record(record))
            elif record is not None:
                found += [record] if record["event"] != HEADING else []
            elif line.endswith(b"\n"):
                unreadable += 1
            else:
                is_cut = True
    return found, unreadable, is_cut


def _record(line: bytes) -> Mapping[str, Any] | None:
    try:
        value = read_json(line)
    except Unparsable:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("event"), str) else None


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    return clean(value) if isinstance(value, str) else ""
