"""What travels between the engine, the app, the screens and their widgets. Payloads are frozen values.

Downwards the app hands a `Published` to `ConsoleScreen.take` of what is visible; upwards everything is a message
that bubbles to the app, the only holder of the backend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    # The first screen loads nothing of a release.
    from emqx_tui.rollout.change import Draft, ReleaseOptions
    from emqx_tui.rollout.intents import Intent
    from emqx_tui.session.inspection.questions import Question


class ViewsChanged(Message):
    """The engine has something newer. Carries nothing: who handles it fetches the newest."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, ViewsChanged)


@dataclass
class IntentSubmitted(Message):
    """A person asked for something; the answer comes back as the view's notice."""

    intent: Intent


@dataclass
class WordTyped(Message):
    """A card was given a word and enter. Which word is not told: anything may have been pasted."""

    is_taken: bool


@dataclass
class RolloutWanted(Message):
    """Show the rollout screen of this cluster."""

    cluster: tuple[str, str]
    """(namespace, name)."""


@dataclass
class PodWanted(Message):
    """Ask for Events and log of this pod; the answer comes back in a `Published`."""

    pod: str


@dataclass
class ObjectsWanted(Message):
    """Show what is inside this cluster."""

    cluster: tuple[str, str]
    """(namespace, name)."""


@dataclass
class InspectionWanted(Message):
    """Ask about an object; the answer with this number comes back in a `Published`, and may grow."""

    number: int
    question: Question


class InspectionEnded(Message):
    """Nobody waits for the answer any more."""


class InventoryWanted(Message):
    """Ask for the opened cluster's claims, and for the rights to look into it."""


@dataclass
class ChangeWanted(Message):
    """Show the change screen of this cluster."""

    cluster: tuple[str, str]
    """(namespace, name)."""


@dataclass
class EditPreviewWanted(Message):
    """Have an edit judged; the answer with this number comes back in a `Published`."""

    number: int
    draft: Draft
    options: ReleaseOptions


@dataclass
class SaveConfirmed(Message):
    """Send an edit that starts no release: its diff was shown and confirmed."""

    draft: Draft
