"""The client ledger: evicted = landed + bounced + missing, on one line."""

from __future__ import annotations

from collections.abc import Sequence

from emqx_tui.session.view import View
from emqx_tui.ui.rollout.words import ledger_line
from emqx_tui.ui.text.line_box import ViewBox
from emqx_tui.ui.text.spans import Line


class LedgerLine(ViewBox):
    """One line."""

    def make(self, view: View, width: int, height: int) -> Sequence[Line]:
        return [ledger_line(view, width)]
