"""Calls a person to the terminal: by its bell and on the desktop once for each cluster, by its title all the while."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import App

from emqx_tui.session.views.fleet_view import ClusterRow
from emqx_tui.ui.shell import terminal
from emqx_tui.ui.text.marks import clean


class PersonCall:
    """Which clusters of a console need a person."""

    def __init__(self, context: str) -> None:
        self._context = context
        self._calling: frozenset[tuple[str, str]] = frozenset()

    @property
    def title(self) -> str:
        """The title of the terminal: how many clusters need a person, then where."""
        calling = len(self._calling)
        call = f"{calling} {'needs' if calling == 1 else 'need'} you - " if calling else ""
        return f"{call}emqx-tui {clean(self._context)}"

    def take(self, app: App[int], rows: Iterable[ClusterRow]) -> None:
        """Call for the clusters of the newest list that did not need a person before."""
        before, self._calling = self._calling, frozenset(row.key for row in rows if row.needs_person)
        if self._calling != before:
            terminal.set_title(app, self.title)
        if new := self._calling - before:
            app.bell()
            terminal.notify(app, f"emqx-tui: {', '.join(clean(name) for _, name in sorted(new))} needs you")
