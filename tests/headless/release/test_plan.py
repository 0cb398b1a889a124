"""`plan`: the document and the lines of a forecast, and the rate that keeps a wish."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emqx_tui.headless.release.plan import BY_PEOPLE, Planned, Wish, document, lines, planned
from emqx_tui.rollout.change import Draft, ReleaseOptions
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.rollout.forecast.forecast import at_rate
from tests.support.scripted import Asked, figures, resource

AT = datetime(2026, 1, 1, 3, 0, tzinfo=UTC)
BLOCKED = CheckResult("capacity", Outcome.FAIL, "the quota allows 1 more pod", can_override=True)


def answered(wish: Wish, *checks: CheckResult, **fields: Any) -> Planned | None:
    draft = Draft.of(resource())
    template = copy.deepcopy(dict(draft.template))
    template["spec"]["emqxContainer"]["image"]["version"] = "4.4.15"
    asked = Asked(1, replace(draft, template=template), ReleaseOptions())
    fields.setdefault("forecast", figures())
    return planned("default", "emqx-ee", AT, asked.answer(*checks, **fields), wish)


def plan_of(wish: Wish | None = None, *checks: CheckResult) -> Planned:
    found = answered(wish or Wish(), *checks)
    assert found is not None
    return found


def test_the_document_says_what_the_lines_say() -> None:
    found = plan_of()
    told = json.loads(json.dumps(document(found)))
    low, high = told["total_s"]
    assert low < high
    assert told["gates_included"] is False
    assert told["disconnects"] == told["clients"] == 100_000
    assert [node["clients"] for node in told["nodes"]] == [33_334, 33_333, 33_333]
    assert told["peak_accept_per_s"] == 200
    text = "\n".join(lines(found, "emqx-tui rollout emqx-ee"))
    assert BY_PEOPLE in text
    assert "100,000, 1.00 per client; lowest sum 99.8 %" in text
    assert text.endswith("emqx-tui rollout emqx-ee")


def test_a_time_to_end_by_gives_the_lowest_rate() -> None:
    found = plan_of(Wish(finish_by=AT + timedelta(minutes=8)))
    assert found.is_fine
    assert found.rate_per_s > 200
    assert document(found)["total_s"][1] <= 480


def test_a_limit_of_reconnects_gives_the_highest_rate() -> None:
    found = plan_of(Wish(max_reconnects_per_s=800))
    assert (found.is_fine, found.rate_per_s) == (True, 800)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(finish_by=AT + timedelta(minutes=2)), "no rate ends it by then"),
        (Wish(AT + timedelta(minutes=8), 10), "more than the reconnects allow"),
        (Wish(finish_by=AT - timedelta(days=1)), "that time has passed"),
    ],
    ids=["too soon", "both", "over"],
)
def test_a_wish_that_no_rate_keeps_is_told(wish: Wish, words: str) -> None:
    found = plan_of(wish)
    assert not found.is_fine
    assert words in found.unkept
    assert any(line.startswith("not possible") for line in lines(found, ""))


@pytest.fixture
def in_utc() -> Iterator[None]:
    """This machine's zone is UTC."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_utc")
@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (200, "ends 03:10 to 03:12 if it starts now"),
        (3_000, "ends 03:03 if it starts now"),
        (1, "ends 09:41 to 2026-01-02 12:01 if it starts now"),
    ],
)
def test_the_end_has_its_day_where_it_is_another_one(rate: int, words: str) -> None:
    found = answered(Wish(), forecast=at_rate(figures(), rate))
    assert found is not None
    assert words in "\n".join(lines(found, ""))


def test_a_check_in_its_way_is_named() -> None:
    found = plan_of(None, BLOCKED)
    assert not found.is_fine
    assert any("capacity" in line for line in lines(found, ""))


def test_nothing_is_forecast_of_nodes_that_were_not_counted() -> None:
    assert answered(Wish(), forecast=None) is None
