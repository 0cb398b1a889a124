"""PURE: how a gate is named on the screens."""

from __future__ import annotations

from emqx_tui.rollout.gate_id import GateId, GateKind


def gate_name(gate: GateId) -> str:
    """A gate as words."""
    return f"node {gate.ordinal}" if gate.kind is GateKind.NODE else str(gate.kind)
