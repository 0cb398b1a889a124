"""The signs that stand beside words. Each takes one cell; the line filter has an ASCII stand-in for every one.

A sign never stands alone: the word beside it says the same, and so does the tone.
"""

from __future__ import annotations

DONE = "✔"
RUNNING = "▶"
TODO = "○"
WAITING = "⏸"
FAILED = "✘"
ALARM = "▲"
SERVING = "●"
OUT = "■"
STARTING = "◌"
FROZEN = "❄"
