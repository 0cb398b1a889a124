"""Lets the tests of this folder share `desk`; pytest runs with import mode importlib, which adds no folder."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
