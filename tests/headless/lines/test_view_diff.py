"""What is told of a release as it changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from emqx_tui.headless.lines.events import Event
from emqx_tui.headless.lines.view_diff import begin, diff
from emqx_tui.rollout.state.journal import HoldRecord
from tests.support import releases


def test_a_gate_is_told_again_when_a_hold_before_it_is_lifted() -> None:
    gate, hold = releases.at_gate(), HoldRecord("bob@laptop", releases.NOW, "pager rings")
    assert gate.journal
    held = replace(gate, journal=replace(gate.journal, hold=hold))
    told, names = begin(gate), []
    for second, view in enumerate((gate, gate, held, held, gate, gate)):
        now = gate.now + timedelta(seconds=second)
        records, told = diff(told, replace(view, snapshot=replace(view.snapshot, now=now)), float(second))
        names.append([record.event for record in records if record.event in (Event.GATE, Event.HOLD, Event.RESUMED)])
    assert names == [[Event.GATE], [], [Event.HOLD], [], [Event.RESUMED, Event.GATE], []]
