"""`python -m emqx_tui` is `emqx-tui`."""

from __future__ import annotations

import sys

from emqx_tui.cli import main

if __name__ == "__main__":
    sys.exit(main())
