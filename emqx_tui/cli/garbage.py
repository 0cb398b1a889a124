"""How a command that goes on looks for garbage, once it has loaded what it needs."""

from __future__ import annotations

import gc

ALLOCATIONS = 20_000
"""New containers between two searches among the youngest. Python's own 700 are for programs that make many cycles."""


def search_often() -> None:
    """From now on. What is there by now stays, and is searched no more: a key would wait 40 ms for that."""
    gc.freeze()
    gc.set_threshold(ALLOCATIONS)
