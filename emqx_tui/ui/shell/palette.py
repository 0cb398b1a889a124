"""The command palette: every action of the screen that does something now, clusters, contexts, namespaces, themes and
words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from emqx_tui.explain import entries, meanings
from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.help_screen import explanation
from emqx_tui.ui.shell.messages import RolloutWanted
from emqx_tui.ui.shell.screen import ConsoleScreen
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.themes import THEMES

_TYPED = re.compile(r"ns ([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)")
"""A namespace that is typed, as Kubernetes names them."""


_ONLY = {False: "the kubeconfig has no other", True: "a demo has no other"}


class ConsoleCommands(Provider):
    """Actions and clusters."""

    async def discover(self) -> Hits:
        for text, run, why in self._commands():
            yield DiscoveryHit(text, run, help=why)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for text, run, why in (*self._commands(), *self._places(query), *self._themes(), *self._words()):
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

    def _places(self, query: str) -> Iterator[tuple[str, partial, str]]:
        """`ctx NAME` and `ns NAME`: the known ones and, of namespaces, any that is typed."""
        screen = self.screen
        if not isinstance(screen, ConsoleScreen):
            return
        console = screen.console
        for context in console.contexts:
            yield f"ctx {clean(context)}", partial(console.change_context, context), "Go on in this context."
        here = "This is the context of this console" + ("." if console.contexts else f"; {_ONLY[console.is_demo]}.")
        yield f"ctx {clean(console.context)}", partial(console.say, here), here
        yield "ns all", partial(console.look_at, None), "List the clusters of all namespaces (0)."
        for number, namespace in enumerate(console.namespaces, 1):
            key = f" ({number})" if number <= 9 else ""
            yield f"ns {clean(namespace)}", partial(console.look_at, namespace), f"List its clusters{key}."
        typed = _TYPED.fullmatch(query.strip())
        if typed and typed[1] not in ("all", *console.namespaces):
            yield f"ns {typed[1]}", partial(console.look_at, typed[1]), "List its clusters."

    def _themes(self) -> Iterator[tuple[str, partial, str]]:
        screen = self.screen
        if isinstance(screen, ConsoleScreen):
            for theme in THEMES.values():
                yield f"theme {theme.name}", partial(screen.console.use_theme, theme.name), theme.means

    def _words(self) -> Iterator[tuple[str, partial, str]]:
        """Only once something is typed: there are more words than actions."""
        for word in dict.fromkeys(entry.word for entry in entries()):
            sorts = ", ".join(entry.sort for entry in meanings(word))
            yield f"explain {word}", partial(self._explain, word), sorts

    def _explain(self, word: str) -> None:
        self.app.push_screen(explanation(word, cells=self.app.size.width))
