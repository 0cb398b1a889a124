"""The parts of a decision: phase, gate, checks, alarms, commands."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from emqx_tui.rollout.gate_id import GateId, GateKind
from emqx_tui.rollout.phases import Phase

if TYPE_CHECKING:
    # A list of clusters shows decisions without loading what makes them.
    from emqx_tui.rollout.commands import Command
    from emqx_tui.rollout.state.journal import Journal
    from emqx_tui.rollout.telling.advice import Advice
    from emqx_tui.rollout.telling.incidents import Incident


class Outcome(StrEnum):
    """What a check says. Missing data never passes."""

    PASS = "pass"
    WAIT = "wait"
    """Not yet, or not known: the gate stays shut, nobody is alarmed."""
    FAIL = "fail"
    SKIPPED = "skipped"
    """Not compared, because what it needs cannot be read. It keeps no gate shut, and is never shown as passed."""

    @property
    def is_blocking(self) -> bool:
        """Keeps a gate shut or a release from starting."""
        return self in (Outcome.WAIT, Outcome.FAIL)


WORST_FIRST = (Outcome.FAIL, Outcome.WAIT, Outcome.SKIPPED, Outcome.PASS)
"""The order in which outcomes are shown."""


@dataclass(frozen=True)
class CheckResult:
    """One check, its verdict and the evidence in one sentence."""

    name: str
    """Stable identifier, such as `green-complete`; overrides and auto-holds name it."""
    outcome: Outcome
    evidence: str
    hint: str = ""
    """What to do about it."""
    can_override: bool = False
    is_accepted: bool = False
    """It passes only because a person has accepted what it found; the evidence says who."""


@dataclass(frozen=True)
class Gate:
    """A step that needs an approval. Figures are None while unknown."""

    id: GateId
    revision: str
    """Changes when something changes that the person should have seen; an approval of another one is refused."""
    token: str
    """What has to be typed: `green`, or the node's ordinal."""
    checks: tuple[CheckResult, ...]
    commands: tuple[str, ...]
    """What approving sends, in kubectl's or curl's words, redacted."""
    target: str = ""
    """Name of the node that is drained, or of the object."""
    clients: int | None = None
    """How many clients approving disconnects."""
    seconds: float | None = None
    """About how long the step takes."""
    rate_per_s: int | None = None
    recipients: tuple[tuple[str, int | None], ...] = ()
    """(green node, its live connections now)."""
    is_last_way_back: bool = False

    @property
    def kind(self) -> GateKind:
        return self.id.kind

    @property
    def is_open(self) -> bool:
        """No check keeps it shut: the gate may be approved now."""
        return not any(check.outcome.is_blocking for check in self.checks)


class StepState(StrEnum):
    TODO = "todo"
    ACTIVE = "active"
    WAITING = "waiting"
    """At its gate."""
    DONE = "done"
    HELD = "held"


@dataclass(frozen=True)
class Step:
    """One step of the progress rail."""

    id: str
    """`create-green`, `cut-over`, `drain`, `finish`; in an abort `restore`, `remove-green`, `finish`."""
    state: StepState
    done: int = 0
    total: int = 0
    """Nodes done and nodes in all, for the drain."""


@dataclass(frozen=True)
class Limit:
    """What an alarm has passed: a time, a number of clients for a time, or a share of a node's clients."""

    seconds: float = 0.0
    clients: int | None = None
    share_per_min: float | None = None


@dataclass(frozen=True)
class Alarm:
    """Something that needs attention now. `check` names its detector."""

    check: str
    evidence: str
    limit: Limit | None = None
    """None where nothing is measured."""
    advice: tuple[Advice, ...] = ()


@dataclass(frozen=True)
class AbortCost:
    """What an abort would cost now; None while unknown. `possible` is False once the last blue node is scaled away."""

    possible: bool
    why_not: str = ""
    disconnects: int | None = None
    seconds: float | None = None
    revision: str = ""
    """To be named by the Abort intent."""


class RefusalReason(StrEnum):
    """Why an intent is refused, for those who act on it; the sentence is for people."""

    NOT_NOW = "not-now"
    """The state of the release does not allow it, or it is so already."""
    SUPERSEDED = "superseded"
    """It names a revision or an object that has changed since: look again, then it may be submitted anew."""
    UNDER_WAY = "under-way"
    """A release is under way already."""
    HELD = "held"
    """A hold stands, or its cause does."""
    NOT_ALLOWED = "not-allowed"
    """This console may not: read-only, no right, or a journal that it must not touch."""
    NOT_WRITTEN = "not-written"
    """The journal could not be written, or nobody knows whether it was."""


@dataclass(frozen=True)
class Decision:
    """The state of a release as it is judged, and the commands to send."""

    phase: Phase
    phase_text: str = ""
    """What is being waited for, in one sentence; empty when the phase says it all."""
    steps: tuple[Step, ...] = ()
    gate: Gate | None = None
    checks: tuple[CheckResult, ...] = ()
    """Checks of the step that runs (or of the pre-flight while idle)."""
    alarms: tuple[Alarm, ...] = ()
    incidents: tuple[Incident, ...] = ()
    """Nodes that have failed in this release, oldest first, those that are back among them."""
    starting: tuple[str, ...] = ()
    """Pods whose evacuation was started, here or elsewhere, and EMQX has not told of it yet."""
    commands: tuple[Command, ...] = ()
    """To be sent now, each at most once at a time."""
    journal: Journal | None = None
    """To be stored before any command is sent, when it differs from the stored one."""
    refused: str = ""
    """Why an intent was refused; for the person who submitted it."""
    refusal: RefusalReason = RefusalReason.NOT_NOW
    """The same as a value; only with `refused`."""
    decided: Journal | None = None
    """The journal as it stands, with what a person has decided now and no more: what a console writes that looks on."""
    accepted: str = ""
    """What an intent did, in a few words."""
    opened: Gate | None = None
    """The gate that was opened by this decision, as it was judged."""
    abort: AbortCost = field(default_factory=lambda: AbortCost(False, "no release is running"))
    waits_for_blue: bool = False
    """Somebody removed blue in an abort: clients are kept on green, and it goes on once blue is built again."""
    finished: str = ""
    """`done` or `aborted` when nothing is left to do but to remove the journal and the lease."""
    eta_s: float | None = None
    """About how long until the end, without waits at gates."""
