"""Reads back what flight logs of this machine have recorded of one release: the counts for the plot.

Bounded, and in a thread of its own: a home directory that hangs must stop nobody. A log of a console that died may end
in half a line; what cannot be read is left out.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from emqx_tui.model.series import Sample
from emqx_tui.rollout.telling.flight_records import sample_of

READ_BYTES = 64 << 20
"""Of all recordings of one cluster, the newest first."""


def recorded_samples(folder: Path, prefix: str, uid: str, release_id: str) -> tuple[Sample, ...]:
    """The counts of one release in the recordings that begin with `prefix`, oldest first. Never raises OSError."""
    found: dict[datetime, Sample] = {}
    left = READ_BYTES
    for path, size in _newest_first(folder, prefix):
        left -= size
        if left < 0:
            break
        with contextlib.suppress(OSError):
            found |= {sample.at: sample for sample in _samples(path, uid, release_id)}
    return tuple(found[at] for at in sorted(found))


def _newest_first(folder: Path, prefix: str) -> list[tuple[Path, int]]:
    dated = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and ".jsonl" in entry.name and entry.is_file(follow_symlinks=False):
                known = entry.stat(follow_symlinks=False)
                dated.append((known.st_mtime, Path(entry.path), known.st_size))
    return [(path, size) for _, path, size in sorted(dated, reverse=True)]


def _samples(path: Path, uid: str, release_id: str) -> Iterator[Sample]:
    mark = release_id.encode()
    with path.open("rb") as lines:
        for line in lines:
            if mark not in line or b'"counted"' not in line:
                continue
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
                told = json.loads(line)
                if (told["event"], told["uid"], told["release_id"]) == ("counted", uid, release_id):
                    yield sample_of(told)
