"""Everything that may arrive in a session's inbox, as one closed union."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from emqx_tui.model.errors import AdapterError
from emqx_tui.model.secret import Secret
from emqx_tui.model.series import Sample
from emqx_tui.model.workloads import Lease
from emqx_tui.rollout.commands import Command
from emqx_tui.rollout.intents import Adopt, Intent
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.session.ports import Changed
from emqx_tui.session.store import StoreInput


@dataclass(frozen=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True)
class Submitted:
    """A person asks for something."""

    intent: Intent


@dataclass(frozen=True)
class AdoptionPrepared:
    """What was asked before an adoption is answered."""

    intent: Adopt
    refused: str = ""
    """Why nothing is to be begun; empty when it may be."""
    is_forbidden: bool = False


@dataclass(frozen=True)
class SubmittedAgain:
    """An intent whose journal write lost a race: to be decided on with the journal as it is now."""

    intent: Intent
    unreadable: str = ""
    """Why it cannot be: the journal could not be read. Empty when it can."""


@dataclass(frozen=True)
class CommandDone:
    """A command took effect. `observed` is the object as the server stored it, where it answered with one."""

    command: Command
    observed: Changed | None = None
    note: str = ""


@dataclass(frozen=True)
class CommandFailed:
    """A command was refused, lost a race, or got no answer (its effect is then unknown until seen)."""

    command: Command
    message: str
    is_refusal: bool
    lost_race: bool = False
    """A nudge met somebody else's write, which does as well: nothing is wrong, and it is sent again if still needed."""
    is_unanswered: bool = False
    """It left, and no answer came: it may still take effect."""


@dataclass(frozen=True)
class JournalWritten:
    """The answer to a write of the journal."""

    journal: Journal
    secret: Secret | None
    error: AdapterError | None = None


@dataclass(frozen=True)
class LeaseAnswered:
    """The answer to taking or renewing the lease."""

    lease: Lease | None
    error: AdapterError | None = None


@dataclass(frozen=True)
class RightsAnswered:
    """What the server says of this console's rights to drive: the first that is missing, empty with all of them.

    None: there was no answer.
    """

    missing: str | None


@dataclass(frozen=True)
class ReleaseClosed:
    """The result was recorded, journal and lease were removed; or why not."""

    error: AdapterError | None = None


@dataclass(frozen=True)
class Recalled:
    """What consoles of this machine had counted of a release before this one came to it."""

    release_id: str
    samples: tuple[Sample, ...]


SessionInput = (
    StoreInput
    | Tick
    | Submitted
    | AdoptionPrepared
    | SubmittedAgain
    | CommandDone
    | CommandFailed
    | JournalWritten
    | LeaseAnswered
    | RightsAnswered
    | ReleaseClosed
    | Recalled
)
Put = Callable[[SessionInput], None]
"""Puts an input into the inbox; never blocks."""
