"""What a session is given: the world outside, and how to behave.

A module of its own because the command line fills these in before the first frame is drawn, and everything that a
session needs to run takes longer to load than that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from emqx_tui.rollout.policy import Policy
from emqx_tui.session.ports import Clock, Emqx, Host, Kube, Recorder


@dataclass(frozen=True)
class Outside:
    """The world as the session is given it."""

    kube: Kube
    emqx: Emqx
    clock: Clock
    host: Host
    recorder: Recorder | None = None


@dataclass(frozen=True)
class Options:
    """How a session behaves."""

    policy: Policy = field(default_factory=Policy)
    read_only: bool = False
    """No intent is taken, nothing is written."""
    drives: bool = True
    """Carry on an unfinished release whose driver is gone. False = look on until an intent comes."""
    console_version: str = "0"
