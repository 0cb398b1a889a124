"""Lets the tests here share `fakes`, and the situations of the rollout's tests."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent / "rollout"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
