"""The client ledger: evicted = landed + bounced + missing, on one line."""

from __future__ import annotations

from emqx_tui.session.view import View
from emqx_tui.ui.present_rollout import ledger_line
from emqx_tui.ui.widgets.line_box import LineBox


class LedgerLine(LineBox):
    """One line."""

    def show(self, view: View) -> None:
        self.set_lines([ledger_line(view)])
