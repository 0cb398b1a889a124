"""What a person does at the console: finds the cluster, edits it, reads cards, types words."""

from __future__ import annotations

from tests.support.terminal import Terminal

CARD = "┏━"
TRIES = 6
REFUSALS = ("cleared", "nothing was sent", "nothing is taken", "key by key", "keys one by one", "changed while")


class Person:
    """Knows the screens by what is written on them, as a person does."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal

    def find(self, name: str = "emqx-ee") -> None:
        """Wait until the list shows the cluster."""
        self.terminal.until(lambda: self.terminal.line_with(name, "running"), f"{name} in the list", within_s=30)

    def edit_version(self, version: str) -> None:
        """From the list to a judged edit."""
        terminal = self.terminal
        terminal.press("e")
        terminal.until_shown("nothing changed")
        terminal.type(version)
        terminal.until_shown("starts a release", "dry-run accepted", f"→ {version}")

    def choose_policy(self, policy: str) -> None:
        """On the change screen, from the version: the field of the gates, and the next words there until it is this."""
        terminal = self.terminal
        for _ in range(5):
            terminal.press("down")
        while (shown := terminal.line_with("Approval").split()[1]) != policy:
            terminal.press("space")
            terminal.until(lambda s=shown: terminal.line_with("Approval").split()[1] != s, "another policy")
        terminal.until_shown("dry-run accepted")

    def start(self, version: str) -> None:
        """Over the start card to the release."""
        self._type_on_card("w", "Start:", version)
        self.terminal.until_shown("create green")

    def approve(self, word: str, *, title: str, within_s: float = 60.0) -> None:
        """Wait for the gate, read its card, type its word."""
        self.terminal.until_shown("WAITING FOR YOU", within_s=within_s)
        self._type_on_card("a", title, word)

    def take_over(self) -> None:
        """Answer the question of a release that nobody drives."""
        self.terminal.until_shown("Nobody drives this release")
        self._type_on_card("t", "Nobody drives this release", "drive")

    def _type_on_card(self, key: str, title: str, word: str) -> None:
        """A card whose matter changes while it is read has to be opened again, and so does one that was mistyped."""
        terminal = self.terminal
        blank = f"[{'_' * len(word)}]"
        for calmly in range(1, TRIES + 1):
            terminal.press(key)
            if not self._settles(lambda: terminal.shows(CARD, title)):
                continue
            if self._settles(lambda: terminal.shows(blank)):
                # A machine that is busy takes keys in batches, as if they had been pasted: slower then.
                terminal.type(word, calmly=calmly)
            if self._settles(lambda: terminal.shows(f"[{word}]"), 2.0):
                terminal.press("enter", calmly=calmly)
                self._settles(lambda: not terminal.shows(CARD) or any(terminal.shows(words) for words in REFUSALS))
                if not terminal.shows(CARD):
                    return
            terminal.press("escape")
            terminal.until_gone(CARD)
        raise AssertionError(f"the card {title!r} took {word!r} not once:\n{terminal.text()}")

    def _settles(self, condition, within_s: float = 5.0) -> bool:
        try:
            self.terminal.until(condition, within_s=within_s)
        except AssertionError:
            if self.terminal.poll() is not None:
                raise
            return False
        return True
