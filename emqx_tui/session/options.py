"""What a session is given: its ports and its options.

A module of its own because the command line fills these in before the first frame is drawn, and everything that a
session needs to run takes longer to load than that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from emqx_tui.rollout.policy import Policy
from emqx_tui.session.ports import Clock, Emqx, Host, Kube, Recorder


@dataclass(frozen=True)
class Ports:
    """The implementations of the ports that one session uses."""

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
    """Drive an unfinished release that nobody drives. False = look on until a person asks for something."""
    removes_leases: bool = True
    """Remove the lease of a dead driver where no release is under way. False for commands that only read."""
    console_version: str = "0"
    context: str = ""
    """What a command for this cluster says with `--context`; empty for the kubeconfig's current context."""
