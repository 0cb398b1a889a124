"""PURE: keys of the settings, `approve = "A"`, checked against the table: a wrong one is one clear sentence.

An action is named alone, for every screen that has it, or with its screen: `log.wrap`. What sends something keeps a
letter of its own: neither Enter nor a key that other screens use for looking may hold, approve or abort.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from emqx_tui.model.wire import clean
from emqx_tui.ui.shell.keymap import KEYS, Area, Key, spell

_NAMED = {"/": "slash", ":": "colon", "?": "question_mark", "space": "space", "enter": "enter"}
_PLAIN = re.compile(r"[A-Za-z0-9]|f([1-9]|1[0-2])|ctrl\+[a-z]")
_RESERVED = {f"ctrl+{letter}" for letter in "chijmqs"}
"""Leaving, and what terminals take for Backspace, Tab, Enter and for stopping their output."""
FIXED = frozenset({"back"})
"""Escape goes back, also where a text is typed."""
LOOKING = (Area.OBJECTS, Area.DOCUMENT, Area.LOG)
"""Screens on which no key may be one that releases elsewhere."""
_HARMLESS = frozenset({"speed", "policy"})
"""They send from a card that says what it sends."""
_NAMESPACES, _MOVING = "123456789", "jk"
_NOT_IN_THE_TABLE = {
    Area.CLUSTERS: {**dict.fromkeys(_NAMESPACES, "lists a namespace"), **dict.fromkeys(_MOVING, "moves the cursor")},
    **{area: dict.fromkeys(_MOVING, "moves the cursor") for area in LOOKING},
}
"""Keys that a screen's list or text takes for itself."""


def names() -> dict[str, str]:
    """Every name that a setting may have, and what it does; a name alone stands for the action on all screens."""
    found: dict[str, str] = {}
    for key in KEYS:
        if key.action not in FIXED:
            found.setdefault(key.action, key.sentence)
            found[f"{key.area}.{key.action}"] = key.sentence
    return found


def with_own(told: Mapping[str, str]) -> tuple[Key, ...]:
    """The table with the keys of the settings. Raises ValueError with one sentence."""
    known = names()
    wanted: dict[str, str] = {}
    for name, typed in told.items():
        if isinstance(typed, Mapping) and typed:
            full = clean(f"{name}.{next(iter(typed))}")
            raise ValueError(f'{full}: a name with a dot needs quotes, "{full}" = ..., else TOML makes a table of it')
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(
                f"{clean(name)}: {'its key cannot be changed' if name in FIXED else f'no such action{hint}'}"
            )
        wanted[name] = _read(name, typed)
    keys = tuple(replace(key, key=_own(key, wanted) or key.key) for key in KEYS)
    for number, key in enumerate(keys):
        if _own(key, wanted):
            _check(key, (other for place, other in enumerate(keys) if place != number))
    return keys


def _own(key: Key, wanted: Mapping[str, str]) -> str:
    """The name with the screen goes before the name alone."""
    return wanted.get(f"{key.area}.{key.action}") or wanted.get(key.action, "")


def _read(name: str, typed: object) -> str:
    if not isinstance(typed, str):
        raise ValueError(f"{name}: expected a string")
    key = _NAMED.get(typed, typed)
    if key in _RESERVED or not (typed in _NAMED or _PLAIN.fullmatch(typed)):
        raise ValueError(f"{name}: expected a letter, a digit, one of / : ?, space, enter, ctrl+letter or f1 to f12")
    return key


def _check(key: Key, others: Iterable[Key]) -> None:
    name, typed = f"{key.area}.{key.action}", spell(key.key)
    if key.sends and not re.fullmatch(r"[A-Za-z]", key.key):
        raise ValueError(f"{name}: {typed} cannot be the key of what sends something: it takes a letter")
    if key.area in (Area.CHANGE, Area.EVERYWHERE) and (key.key.isdecimal() or key.key in ("space", "enter")):
        raise ValueError(f"{name}: {typed} types or chooses something on the change screen")
    for area, taken in _NOT_IN_THE_TABLE.items():
        if key.key in taken and key.area in (area, Area.EVERYWHERE):
            raise ValueError(f"{name}: {typed} {taken[key.key]} on the screen {area}")
    for other in others:
        if _share_a_screen(key, other) and key.key == other.key:
            raise ValueError(f"{name}: {typed} is the key of {other.area}.{other.action}")
        is_sending = key.sends or other.sends
        if is_sending and _share_a_screen(key, other) and key.key.lower() == other.key.lower():
            raise ValueError(f"{name}: {typed} differs from the key of {other.area}.{other.action} by case only")
        if key.key == other.key and (_is_risky(key, other) or _is_risky(other, key)):
            raise ValueError(f"{name}: {typed} is the key of {other.area}.{other.action}; one of them sends something")


def _share_a_screen(key: Key, other: Key) -> bool:
    return key.area is other.area or Area.EVERYWHERE in (key.area, other.area)


def _is_risky(sending: Key, looking: Key) -> bool:
    """Pressed on the wrong screen it would send something."""
    return (
        sending.sends and sending.area is Area.ROLLOUT and sending.action not in _HARMLESS and looking.area in LOOKING
    )
