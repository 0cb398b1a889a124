"""`python -m tests.cluster.bed` is the bed in the foreground."""

from __future__ import annotations

import sys

from tests.cluster.bed.outside import main

sys.exit(main())
