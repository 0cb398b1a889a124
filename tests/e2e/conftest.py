"""Lets the tests here share their terminal, their person and their sandbox; import mode importlib adds no folder."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "rehearsal"))
