"""The client ledger: evicted = landed + bounced + missing, on one line."""

from __future__ import annotations

from collections.abc import Sequence

from emqx_tui.session.view import View
from emqx_tui.ui.present_rollout import ledger_line
from emqx_tui.ui.spans import Line
from emqx_tui.ui.widgets.line_box import ViewBox


class LedgerLine(ViewBox):
    """One line."""

    def make(self, view: View, width: int, height: int) -> Sequence[Line]:
        return [ledger_line(view, width)]
