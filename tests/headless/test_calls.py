"""When a person is called in a release: once for each cause, in time, with nothing secret in it."""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.headless.calls import Call, Calls
from emqx_tui.rollout.intents import Hold, Resume
from emqx_tui.rollout.policy import Approval
from emqx_tui.session.session import Session
from emqx_tui.session.views.view import View
from tests.support.desk import small_world
from tests.support.rehearsal.rehearse import Script, rehearse


class Listener:
    """Takes every view that a session's person sees; holds once, in the first drain, when asked to."""

    def __init__(self, hold: str = "") -> None:
        self.calls = Calls()
        self.told: list[Call] = []
        self._hold = hold

    def act(self, session: Session, view: View) -> None:
        if (call := self.calls.take(view)) is not None:
            self.told.append(call)
        held = view.journal.hold if view.journal else None
        if self._hold and str(view.decision.phase) == "draining":
            session.submit(Hold("somebody", self._hold))
            self._hold = ""
        elif held is not None and (view.now - held.at).total_seconds() > 20:
            session.submit(Resume("somebody"))

    @property
    def causes(self) -> list[tuple[str, str]]:
        return [(str(call.cause), call.what) for call in self.told]


def play(listener: Listener, approval: Approval, **more: Any) -> None:
    run = rehearse(small_world(), Script(approval=approval, act=listener.act, **more), limit_s=3600.0)
    assert run.result == "done"
    assert run.view is not None
    if (call := listener.calls.take(run.view)) is not None:
        listener.told.append(call)


@pytest.mark.parametrize(
    ("approval", "gates"),
    [
        (Approval.EVERY_NODE, ["cut-over", "node:2", "node:1", "node:0"]),
        (Approval.CUT_OVER, ["cut-over"]),
        (Approval.AUTO, []),
    ],
)
def test_each_gate_that_waits_for_a_person_calls_once(approval: Approval, gates: list[str]) -> None:
    listener = Listener()
    play(listener, approval)
    assert listener.causes == [*(("gate", gate) for gate in gates), ("end", "done")]


def test_a_hold_calls_and_hides_what_can_be_a_secret() -> None:
    listener = Listener(hold="token=hunter2 \x1b[2J")
    play(listener, Approval.AUTO)
    assert [cause for cause, _ in listener.causes] == ["hold", "end"]
    held = listener.told[0]
    assert held.text.startswith("emqx-ee: held by somebody: token=")
    assert "hunter2" not in held.text
    assert "\x1b" not in held.text
    assert held.to_json() == {
        "schema": 1,
        "at": held.to_json()["at"],
        "context": None,
        "namespace": "default",
        "name": "emqx-ee",
        "cause": "hold",
        "what": "somebody",
        "text": held.text,
    }
