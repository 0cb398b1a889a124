"""The signs that stand beside words. Each takes one cell; the line filter has an ASCII stand-in for every one.

Signs that common fonts lack (a pause sign, a snowflake) are left out: terminals draw a box or an emoji for them.

A sign never stands alone: the word beside it says the same, and so does the tone.
"""

from __future__ import annotations

DONE = "✔"
RUNNING = "▶"
TODO = "○"
WAITING = "◆"
HELD = "‖"
FAILED = "✘"
ALARM = "▲"
SERVING = "●"
OUT = "■"
STARTING = "◌"
FROZEN = "■"
