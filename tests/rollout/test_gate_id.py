"""The names of gates: one text form, and the one parser of it."""

from __future__ import annotations

import pytest

from emqx_tui.rollout.gate_id import CUT_OVER, LATE_CUT_OVER, START, GateId

TEXTS = {"start": START, "cut-over": CUT_OVER, "cut-over:late": LATE_CUT_OVER, "node:11": GateId.node(11)}


@pytest.mark.parametrize(("text", "gate"), TEXTS.items(), ids=TEXTS)
def test_a_gate_is_read_as_it_is_written(text: str, gate: GateId) -> None:
    assert str(gate) == text
    assert GateId.from_text(text) == gate


@pytest.mark.parametrize(
    "text", ["", "node", "node:", "node:-1", "node:top", "node:\u0662", "cut-over:2", "start:late"]
)
def test_no_other_text_is_a_gate(text: str) -> None:
    with pytest.raises(ValueError, match="expected a gate"):
        GateId.from_text(text)
