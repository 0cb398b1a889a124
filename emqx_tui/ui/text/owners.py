"""PURE: who owns a field, and what becomes of another value in it."""

from __future__ import annotations

from collections.abc import Iterable

from emqx_tui.model.owners import PERSON, Keeps, Owner
from emqx_tui.rollout.change import Owned
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import Line, Tone, line

MOST_PATHS = 3
BECOMES = {
    Keeps.ALWAYS: "it puts its own value back by itself",
    Keeps.NEXT_TIME: "its next run puts its own value back",
    Keeps.NOT: "",
}


def owner_name(owner: Owner) -> str:
    """The tool; for a person the manager, which says with what."""
    name, manager = clean(owner.name), clean(owner.manager)
    return f"a person ({manager})" if name == PERSON else name


def owner_line(owner: Owner) -> Line:
    """The owner of the field under the cursor, who puts his value back."""
    return line((f"▲ owner: {owner_name(owner)}; {BECOMES[owner.keeps]}", Tone.WARN))


def owned_lines(owned: Iterable[Owned]) -> list[Line]:
    """Whose fields an edit changes."""
    return [_owned(each) for each in owned]


def _owned(owned: Owned) -> Line:
    names = [short_path(path) for path in owned.paths[:MOST_PATHS]]
    more = len(owned.paths) - len(names)
    fields = ", ".join(names) + (f" and {more} more" if more else "")
    becomes = BECOMES[owned.owner.keeps]
    if not becomes:
        return line((f"{fields}: {owner_name(owned.owner)}", Tone.DIM))
    return line((f"▲ {fields}: {owner_name(owned.owner)}; {becomes}", Tone.WARN))


_COMMON = ("spec.", "template.spec.", "emqxContainer.", "blueGreenUpdate.", "evacuationStrategy.")


def short_path(path: str) -> str:
    """A field's path without what the fields that are usually edited have in common."""
    for prefix in _COMMON:
        path = path.removeprefix(prefix)
    return clean(path)
