"""What the screens may ask of the engine. No call blocks; answers come as newer views."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    # The first screen loads nothing of a release.
    from emqx_tui.rollout.change import Draft, Plan, ReleaseOptions
    from emqx_tui.rollout.intents import Intent
    from emqx_tui.session.inspection.questions import Question
    from emqx_tui.session.views.published import Published


class Backend(Protocol):
    """The engine as the screens see it. All methods are thread-safe and return at once."""

    is_read_only: bool
    """Started with --read-only: no intent is taken."""

    def start(self, on_change: Callable[[], None]) -> None:
        """Begin. `on_change` is called from the engine's thread, once until `published` is called."""
        ...

    def stop(self, timeout_s: float = 2.0) -> None:
        """End within `timeout_s`; a running drain inside EMQX is not touched."""
        ...

    def published(self) -> Published:
        """The newest there is, before `start` too."""
        ...

    def inspect_pod(self, pod: str) -> None:
        """Ask for Events and log of one pod of the opened cluster."""
        ...

    def inspect(self, number: int, question: Question) -> None:
        """Ask about an object inside the opened cluster; a question takes the place of the one before."""
        ...

    def stop_inspecting(self) -> None:
        """Nobody waits for the answer any more: a log that is followed is let go."""
        ...

    def take_inventory(self) -> None:
        """Ask for the claims of the opened cluster, and for the rights to look into it."""
        ...

    def open(self, namespace: str, name: str) -> None:
        """Look at one cluster: its session starts (or goes on) and publishes views."""
        ...

    def close(self) -> None:
        """Look at no single cluster any more. A session that drives goes on driving."""
        ...

    def look_at(self, namespace: str | None) -> None:
        """List the clusters of another namespace; None: of all. What this console drives it goes on driving."""
        ...

    def submit(self, intent: Intent) -> None:
        """Hand an intent to the opened cluster's session; the answer is the view's `notice`."""
        ...

    def pressed(self, action: str, place: str) -> None:
        """A key was pressed: for the flight log of the opened cluster."""
        ...

    def preview_edit(self, number: int, draft: Draft, options: ReleaseOptions) -> None:
        """Judge an edit: validation, server dry-run, pre-flight, forecast. Newer numbers replace older ones."""
        ...

    def save(self, plan_or_draft: Plan | Draft) -> None:
        """Send an edit that starts no release (rates, delay); the answer is the view's `notice`."""
        ...

    def person(self) -> str:
        """Who sits here: `user@host`, for intents."""
        ...
