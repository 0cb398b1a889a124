"""What is searched for, while it is typed."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input


class FindInput(Input):
    """Enter keeps it, escape drops it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "keep the search"),
        Binding("escape", "screen.drop_search", "drop it"),
    ]

    def __init__(self, placeholder: str) -> None:
        super().__init__(placeholder=placeholder, compact=True, id="find")

    def open(self) -> None:
        """Show it, and take the letters of keys."""
        self.display = True
        self.focus()

    def close(self) -> None:
        """Hide it; what was typed stays."""
        self.display = False
