"""A release of the simulated world with its flight log in memory: what was shown, and what a replay reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from emqx_tui.model.series import Sample
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.telling.flight_records import Recording
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.session.replay import Replay
from emqx_tui.session.views.view import View
from emqx_tui.session.views.view_recording import ViewLine, ViewWriter
from tests.support.rehearsal.rehearse import Script, rehearse


@dataclass
class Recorded:
    """Implements `session.ports.Recorder`."""

    writer: ViewWriter = field(default_factory=lambda: ViewWriter("test"))
    views: list[View] = field(default_factory=list)
    lines: list[ViewLine] = field(default_factory=list)
    records: list[Mapping[str, Any]] = field(default_factory=list)

    def record(self, event: str, fields: Mapping[str, Any]) -> None:
        self.records.append(json.loads(json.dumps({"event": event, **fields}, default=str)))

    def saw(self, view: View) -> None:
        self.views.append(view)
        self.lines.append(ViewLine.from_record(json.loads(json.dumps(self.writer.record(view)))))

    def recall(self, uid: str, release_id: str, tell: Callable[[tuple[Sample, ...]], None]) -> None:
        """Nobody has recorded anything before."""

    def replay(self, lines: list[ViewLine] | None = None) -> Replay:
        recording = Recording("default", "emqx-ee", "test", tuple(self.records))
        return Replay(recording, self.lines if lines is None else lines)


@cache
def release() -> Recorded:
    """A gated release of two nodes, from before its start to its end."""
    recorded = Recorded()
    world = scenario("smooth", nodes=2, clients=2_000)
    run = rehearse(world, Script(approval=Approval.EVERY_NODE, recorder=recorded))
    assert run.result == "done"
    return recorded


def of(*views: View) -> Recorded:
    """A recording of these views."""
    recorded = Recorded()
    for number, view in enumerate(views):
        recorded.saw(replace(view, sequence=number))
    return recorded
