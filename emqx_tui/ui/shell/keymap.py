"""Every key of every screen, in one table: bindings, key line, help and command palette are drawn from it.

Nothing here decides whether a key does something now; screens say so in `ConsoleScreen.can`.
No verb differs from another one only by letter case, none needs Alt, a function key or a multiplexer's prefix.
The settings may name other keys (`own_keys.py`): `KEYS` is the table without them, all else goes by `in_effect`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.binding import Binding, BindingsMap


class Area(StrEnum):
    """Where a key works."""

    EVERYWHERE = "everywhere"
    CLUSTERS = "clusters"
    CHANGE = "change"
    ROLLOUT = "rollout"
    OBJECTS = "objects"
    DOCUMENT = "document"
    LOG = "log"
    REPLAY = "replay"


@dataclass(frozen=True)
class Key:
    """One key: what it is called, what it does, and whether it sends something to the cluster."""

    area: Area
    key: str
    """As Textual names it."""
    action: str
    """`action_<this>` of the screen or, everywhere, of the app."""
    label: str
    """One or two words for the key line."""
    sentence: str
    """For the help."""
    sends: bool = False
    """Asks the cluster for something: greyed out in read-only mode."""
    is_instant: bool = False
    """Sends without a card: taken only when it is pressed on its own (`lone_key.py`)."""
    on_key_line: bool = True


KEYS: tuple[Key, ...] = (
    Key(Area.CLUSTERS, "enter", "open", "open", "Open the cluster: its release when one runs, its nodes otherwise."),
    Key(Area.CLUSTERS, "e", "change", "change", "Change image, rates or template of the cluster."),
    Key(
        Area.CLUSTERS,
        "slash",
        "filter",
        "filter",
        "Show only rows with these words or regular expressions; `!word` leaves out, `-l app=mqtt` asks for labels.",
    ),
    Key(
        Area.CLUSTERS,
        "o",
        "objects",
        "objects",
        "Look inside the cluster: StatefulSets, pods, EMQX nodes; YAML, Events, logs.",
    ),
    Key(Area.CLUSTERS, "s", "sort", "sort", "Sort by the next column. A click on a header does the same."),
    Key(Area.CLUSTERS, "i", "reverse", "reverse", "Reverse the sort order.", on_key_line=False),
    Key(
        Area.CLUSTERS,
        "0",
        "all_namespaces",
        "0-9 namespace",
        "List all namespaces; 1 to 9 one of those that were looked at or seen. `:` and `ns NAME` list any.",
        on_key_line=False,
    ),
    Key(
        Area.CHANGE,
        "w",
        "start",
        "start…",
        "Open the start card; an edit that starts no release is saved once you have seen its diff.",
        sends=True,
    ),
    Key(Area.CHANGE, "p", "show_form", "plan", "Show the form, and what the edit will do."),
    Key(Area.CHANGE, "t", "show_template", "template", "Edit the template as YAML. Esc leaves the editor."),
    Key(Area.CHANGE, "d", "show_diff", "diff", "Show every value that the edit changes."),
    Key(Area.CHANGE, "u", "undo", "undo", "Undo the last unsent edit, of the form or of the template."),
    Key(Area.CHANGE, "r", "redo", "redo", "Redo what was undone."),
    Key(Area.CHANGE, "x", "undo_all", "drop all", "Drop all unsent edits; undo brings them back.", on_key_line=False),
    Key(Area.CHANGE, "o", "open_editor", "$EDITOR", "Edit the YAML in $EDITOR; text that is not valid YAML is kept."),
    Key(Area.ROLLOUT, "a", "approve", "approve", "Open the approval card of the waiting gate.", sends=True),
    Key(
        Area.ROLLOUT,
        "h",
        "hold",
        "hold",
        "Hold at once: no further step begins; a drain that runs goes on.",
        sends=True,
        is_instant=True,
    ),
    Key(Area.ROLLOUT, "f", "freeze", "freeze", "Hold, and stop the drain that runs, too.", sends=True, is_instant=True),
    Key(
        Area.ROLLOUT,
        "r",
        "resume",
        "resume",
        "Lift a hold or a freeze; of a check's hold, open the card that says what that accepts.",
        sends=True,
        is_instant=True,
    ),
    Key(Area.ROLLOUT, "t", "take_over", "take over", "Open the card of a release that nobody drives.", sends=True),
    Key(Area.ROLLOUT, "x", "abort", "abort", "Open the abort card: what going back costs now.", sends=True),
    Key(Area.ROLLOUT, "s", "speed", "speed", "Change the drain rates.", sends=True),
    Key(Area.ROLLOUT, "p", "policy", "policy", "Choose which gates need an approval from here on.", sends=True),
    Key(Area.ROLLOUT, "n", "per_node", "per node", "Plot one line per node, or blue, green and sum."),
    Key(
        Area.ROLLOUT,
        "z",
        "window",
        "window",
        "Plot the last 40, 10 or 3 minutes, or the whole release; its corner says which.",
        on_key_line=False,
    ),
    Key(
        Area.ROLLOUT,
        "c",
        "cursor",
        "cursor",
        "Show a cursor on the plot with the values at its time, or hide it. Left shows it, too, but in a replay.",
        on_key_line=False,
    ),
    Key(Area.ROLLOUT, "left", "cursor_back", "cursor back", "Move the cursor back.", on_key_line=False),
    Key(
        Area.ROLLOUT,
        "right",
        "cursor_on",
        "cursor on",
        "Move the cursor on; past the newest count it is gone.",
        on_key_line=False,
    ),
    Key(Area.ROLLOUT, "home", "cursor_first", "cursor first", "Move the cursor to the beginning.", on_key_line=False),
    Key(
        Area.ROLLOUT,
        "end",
        "live",
        "live",
        "Hide the cursor; so does esc.",
        on_key_line=False,
    ),
    Key(
        Area.ROLLOUT,
        "enter",
        "inspect",
        "node",
        "Open a node: containers, events, log. Up and down choose it.",
        on_key_line=False,
    ),
    Key(Area.ROLLOUT, "l", "log", "log", "Show the whole log."),
    Key(
        Area.ROLLOUT,
        "o",
        "objects",
        "objects",
        "Look inside the cluster: StatefulSets, pods, EMQX nodes; YAML, Events, logs.",
    ),
    Key(
        Area.ROLLOUT,
        "slash",
        "search_log",
        "search",
        "Show only lines of the log that contain these words; `!word` leaves out. Esc clears.",
        on_key_line=False,
    ),
    Key(Area.ROLLOUT, "w", "warnings", "warnings", "Show only the warnings of the log, or all.", on_key_line=False),
    Key(
        Area.ROLLOUT,
        "v",
        "command",
        "view command",
        "Show or hide the command of the marked line of the log.",
        on_key_line=False,
    ),
    Key(Area.ROLLOUT, "d", "report", "report", "Write the report of the release that has ended, as an HTML page."),
    Key(Area.ROLLOUT, "e", "change", "change", "Open the change screen of this cluster."),
    Key(Area.OBJECTS, "enter", "open", "describe", "Describe the object, with its Events."),
    Key(Area.OBJECTS, "d", "describe", "describe", "Describe the object, with its Events.", on_key_line=False),
    Key(Area.OBJECTS, "y", "yaml", "YAML", "Show the object as YAML: managedFields folded, secrets masked."),
    Key(Area.OBJECTS, "v", "events", "events", "Show the Events of the object and of all below it."),
    Key(Area.OBJECTS, "l", "logs", "logs", "Follow the log of the pod's container."),
    Key(Area.OBJECTS, "c", "copy", "copy", "Copy the name to the clipboard, or to a file."),
    Key(Area.OBJECTS, "space", "fold", "fold", "Hide or show what is below.", on_key_line=False),
    Key(Area.DOCUMENT, "slash", "search", "search", "Search; enter goes to the first place."),
    Key(Area.DOCUMENT, "n", "next", "next", "Go to the next place that was searched for."),
    Key(Area.DOCUMENT, "c", "copy", "copy", "Copy what is marked, or all of it, to the clipboard, or to a file."),
    Key(Area.DOCUMENT, "w", "wrap", "wrap", "Wrap long lines, or cut them."),
    Key(Area.DOCUMENT, "m", "managed", "managedFields", "Show or fold managedFields."),
    Key(Area.LOG, "slash", "search", "search", "Show only lines that contain these words; `!word` leaves out."),
    Key(Area.LOG, "s", "follow", "follow", "Scroll with the log, or stand still; reading goes on."),
    Key(Area.LOG, "w", "wrap", "wrap", "Wrap long lines, or cut them."),
    Key(Area.LOG, "p", "previous", "previous", "Show the log before the container's restart, or the present one."),
    Key(Area.LOG, "n", "container", "container", "Show the log of the pod's next container."),
    Key(Area.LOG, "c", "copy", "copy", "Copy the lines that are shown to the clipboard, or to a file."),
    Key(Area.LOG, "0", "since_start", "0-4 since", "Read the last 1,000 lines, however old."),
    Key(Area.LOG, "1", "since_1m", "1 min", "Read the last minute.", on_key_line=False),
    Key(Area.LOG, "2", "since_5m", "5 min", "Read the last 5 minutes.", on_key_line=False),
    Key(Area.LOG, "3", "since_15m", "15 min", "Read the last 15 minutes.", on_key_line=False),
    Key(Area.LOG, "4", "since_1h", "1 h", "Read the last hour.", on_key_line=False),
    Key(Area.REPLAY, "space", "pause", "play", "Play, or stand still.", on_key_line=False),
    Key(Area.REPLAY, "right", "step", "step", "Go to the next view, and stand still.", on_key_line=False),
    Key(Area.REPLAY, "left", "step_back", "step back", "Go to the view before, and stand still.", on_key_line=False),
    Key(Area.REPLAY, "full_stop", "minute", "minute on", "Skip a minute.", on_key_line=False),
    Key(Area.REPLAY, "comma", "minute_back", "minute back", "Go a minute back.", on_key_line=False),
    Key(
        Area.REPLAY,
        "j",
        "next_event",
        "next event",
        "Go to the next phase, gate, approval or alarm.",
        on_key_line=False,
    ),
    Key(Area.REPLAY, "g", "next_gate", "next gate", "Go to the next gate or approval.", on_key_line=False),
    Key(Area.REPLAY, "plus", "faster", "faster", "Play faster, up to 600 times.", on_key_line=False),
    Key(Area.REPLAY, "minus", "slower", "slower", "Play slower.", on_key_line=False),
    Key(Area.REPLAY, "home", "begin", "begin", "Go to the beginning.", on_key_line=False),
    Key(Area.REPLAY, "end", "end", "end", "Go to the end.", on_key_line=False),
    Key(Area.EVERYWHERE, "escape", "back", "back", "Go back; a release goes on."),
    Key(
        Area.EVERYWHERE,
        "colon",
        "command_palette",
        "command",
        "Find an action or a cluster; explain WORD says what it means.",
    ),
    Key(Area.EVERYWHERE, "question_mark", "help", "help", "Show the keys of this screen."),
    Key(
        Area.EVERYWHERE,
        "q",
        "quit",
        "quit",
        "Leave the console. The release stays where it is; a drain that runs goes on.",
    ),
    Key(
        Area.EVERYWHERE,
        "ctrl+l",
        "redraw",
        "redraw",
        "Redraw the screen.",
        on_key_line=False,
    ),
    Key(
        Area.EVERYWHERE,
        "ctrl+z",
        "suspend",
        "suspend",
        "Suspend the console; fg resumes it. Until then it drives nothing.",
        on_key_line=False,
    ),
)


class _InEffect:
    """Set once, before the app is made."""

    keys: tuple[Key, ...] = KEYS


def use(keys: tuple[Key, ...]) -> None:
    """Let these keys be in effect: the table, with other keys for some actions."""
    _InEffect.keys = keys


def in_effect() -> tuple[Key, ...]:
    """All keys, as they are pressed."""
    return _InEffect.keys


def rebind(bindings: BindingsMap) -> None:
    """Give the bindings of a screen, or of the app, the keys in effect; they keep their order."""
    keys = {_id(key): key.key for key in in_effect()}
    rebound: dict[str, list[Binding]] = {}
    for pressed_key, found in bindings.key_to_bindings.items():
        for binding in found:
            now = keys.get(binding.id or "", pressed_key)
            rebound.setdefault(now, []).append(binding if now == pressed_key else binding.with_key(now))
    bindings.key_to_bindings = rebound


def _id(key: Key) -> str:
    return f"{key.area}.{key.action}"


_SPELLINGS = {
    "slash": "/",
    "full_stop": ".",
    "comma": ",",
    "plus": "+",
    "minus": "-",
    "colon": ":",
    "question_mark": "?",
    "escape": "esc",
}


def spell(key: str) -> str:
    """A key as a person writes it."""
    return _SPELLINGS.get(key, key)


def keys_of(area: Area) -> Iterator[Key]:
    """The keys of one screen, most important first, without those that work everywhere."""
    return (key for key in in_effect() if key.area is area)


def bindings(area: Area) -> list[Binding]:
    """Textual's bindings of one area, as in the table; `rebind` gives them the keys in effect."""
    from textual.binding import Binding

    return [
        Binding(key.key, key.action, key.label, show=key.on_key_line, tooltip=key.sentence, id=_id(key))
        for key in KEYS
        if key.area is area
    ]


def find(area: Area, action: str) -> Key | None:
    """The key of an action on a screen, looked up everywhere, too."""
    return next((key for key in in_effect() if key.action == action and key.area in (area, Area.EVERYWHERE)), None)


def spelled(area: Area, action: str) -> str:
    """The key of an action as a person writes it, for sentences that name it."""
    key = find(area, action)
    return spell(key.key) if key else ""


def pressed(area: Area, key: str) -> Key | None:
    """The entry of a key on a screen."""
    return next((found for found in keys_of(area) if found.key == key), None)


def sends(area: Area, action: str) -> bool:
    """True when the action asks the cluster for something."""
    key = find(area, action)
    return key is not None and key.sends
