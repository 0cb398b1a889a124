"""What `status` says beyond the release itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emqx_tui.headless.looking.status import document, lines
from emqx_tui.model.reading import Reading
from emqx_tui.session.views.view import View
from tests.support import releases


@pytest.mark.parametrize("is_up", [True, False, None])
def test_an_operator_that_is_down_is_said_before_its_alarm(is_up: bool | None) -> None:
    found = releases.draining()
    view = replace(found, snapshot=replace(found.snapshot, operator_answers=Reading(is_up, found.now)))
    told = "the operator is down: an open valve stays open, a lost green pod stays lost, an abort waits"
    assert (told in document(view)["problems"]) is (is_up is False)
    assert (f"problem  {told}" in lines(view)) is (is_up is False)


@pytest.mark.parametrize(
    ("view", "told"),
    [
        (releases.at_gate(), "waits for a person"),
        (releases.draining(), "waits for its checks"),
        (releases.held(), "is held"),
        (releases.held(freeze=True), "is held"),
    ],
    ids=["open", "a check waits", "held", "frozen"],
)
def test_it_says_what_the_gate_waits_for(view: View, told: str) -> None:
    (gate,) = (line for line in lines(view) if line.startswith("gate "))
    assert f"{releases.BLUE}-0 {told}, " in gate
