"""The command palette: every action of the screen that does something now, every cluster, and every word, by name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from emqx_tui.explain import entries, meanings
from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.help_screen import explanation
from emqx_tui.ui.shell.messages import RolloutWanted
from emqx_tui.ui.shell.screen import ConsoleScreen
from emqx_tui.ui.text.marks import clean


class ConsoleCommands(Provider):
    """Actions and clusters."""

    async def discover(self) -> Hits:
        for text, run, why in self._commands():
            yield DiscoveryHit(text, run, help=why)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for text, run, why in (*self._commands(), *self._words()):
            if (score := matcher.match(text)) > 0:
                yield Hit(score, matcher.highlight(text), run, text=text, help=why)

    def _commands(self) -> Iterator[tuple[str, partial, str]]:
        screen = self.screen
        if not isinstance(screen, ConsoleScreen):
            return
        for key in keymap.keys_of(screen.AREA):
            if screen.check_action(key.action, ()):
                yield f"{key.label} ({keymap.spell(key.key)})", partial(screen.run_action, key.action), key.sentence
        for row in screen.console.published.fleet.rows:
            wanted = RolloutWanted((row.resource.namespace, row.resource.name))
            name = f"open {clean(row.resource.namespace)}/{clean(row.resource.name)}"
            yield name, partial(screen.post_message, wanted), "Show this cluster."

    def _words(self) -> Iterator[tuple[str, partial, str]]:
        """Only once something is typed: there are more words than actions."""
        for word in dict.fromkeys(entry.word for entry in entries()):
            sorts = ", ".join(entry.sort for entry in meanings(word))
            yield f"explain {word}", partial(self._explain, word), sorts

    def _explain(self, word: str) -> None:
        self.app.push_screen(explanation(word))
