"""The program, as `emqx-tui` or `python -m emqx_tui`: how it looks for garbage, and the end of the process.

Nearly all that is made while modules load and lists are read stays until the end. With Python's own thresholds the
search for what does not takes a sixth of the time of a short command, and the last one, over everything, a tenth more.
What goes on for longer looks more often: `cli/garbage.py`.
"""

from __future__ import annotations

import gc
import sys

ALLOCATIONS = 400_000
"""New containers between two searches among the youngest: more than loading everything and a thousand clusters make."""


def main() -> None:
    """Run the command line to the end of the process."""
    gc.set_threshold(ALLOCATIONS)
    from emqx_tui.cli import main as run

    code = run()
    # The process ends: what is still there goes with it, unsearched.
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
