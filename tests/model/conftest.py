"""The recorded JSON of `tests/wire/data`: each file holds where it comes from (`origin`) and the answer (`body`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[1] / "wire" / "data"


@pytest.fixture
def recorded() -> Callable[[str], Any]:
    def read(name: str) -> Any:
        return json.loads((DATA / f"{name}.json").read_text())["body"]

    return read
