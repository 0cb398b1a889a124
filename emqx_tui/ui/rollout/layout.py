"""PURE: how the rows of the rollout screen are shared out: a tall screen shows more of each part."""

from __future__ import annotations

from dataclasses import dataclass

FIXED = 4
"""Identity, rail, ledger, keys."""
PLOT_MIN, PLOT_BEST, PLOT_MAX = 7, 8, 30
LOG_MIN = 2
TABLE_ENOUGH = 8
"""Titles and some nodes of each sort."""


@dataclass(frozen=True)
class Heights:
    """Rows of each part that can grow."""

    summary: int
    plot: int
    table: int
    log: int


def share(total: int, bar_rows: int, node_rows: int, summary_rows: int) -> Heights:
    """Rows for a screen of `total` rows. The table gets what it needs as long as the plot keeps its least.

    Of more nodes than that the calm ones are counted together: half of the rows is enough for it.
    """
    room = max(0, total - FIXED - bar_rows)
    summary = min(summary_rows, max(0, room - PLOT_MIN - LOG_MIN - 3))
    room -= summary
    most = room - PLOT_MIN - LOG_MIN
    table = max(0, node_rows + 1 if node_rows < most else min(most, max(room // 2, TABLE_ENOUGH)))
    room -= table
    plot = min(room, max(PLOT_BEST, min(PLOT_MAX, room * 2 // 3)))
    if room - plot < LOG_MIN:
        plot = max(0, room - LOG_MIN)
    return Heights(summary, plot, table, max(0, room - plot))


COUNTS_ROWS = 3
"""Of the text that stands in the plot's place: two rows of counts and checks, and one more for the ledger."""


def share_text(total: int, bar_rows: int, node_rows: int, summary_rows: int) -> Heights:
    """The same without a plot."""
    room = max(0, total - FIXED - COUNTS_ROWS - bar_rows)
    summary = min(summary_rows, max(0, room - LOG_MIN - 3))
    table = max(0, min(node_rows + 1, room - summary - LOG_MIN))
    return Heights(summary, 0, table, max(0, room - summary - table))
