"""The top line: what it names at every width, and how it tells the age of the figures."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from emqx_tui.model.kinds import Kind
from emqx_tui.model.reading import Reading
from emqx_tui.session.views.fleet_view import SourceHealth
from emqx_tui.ui.clusters.lines import call_count, counts
from emqx_tui.ui.shell.identity import Identity, IdentityBar, fleet_live, identity_line, view_live
from emqx_tui.ui.text import spans
from tests.support import releases
from tests.support.scripted import CONTEXT, NOW, SERVER, fleet, resource, row, three_clusters, view
from tests.ui.rollout.test_screen import session


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_cluster_is_named_at_every_width(width):
    live = fleet_live(three_clusters())
    identity = Identity(("prod-eu", "mqtt", "emqx-ee"), SERVER, "", live, is_production=True, is_read_only=True)
    line = identity_line(identity, width)
    text = spans.plain(line)
    assert spans.width(line) == width
    for part in ("prod-eu ▸ mqtt ▸ emqx-ee", "LIVE", "PROD", "READ-ONLY"):
        assert part in text


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_rehearsal_is_called_one_at_every_width(width):
    path = ("REHEARSAL", "messaging-core-team", "emqx-enterprise-customer-gateway-7")
    line = identity_line(Identity(path, SERVER, "", fleet_live(three_clusters()), is_rehearsal=True), width)
    assert "▐REHEARSAL▌" in spans.plain(line)
    assert spans.width(line) == width


def test_long_names_lose_their_middle_not_their_ends():
    live = fleet_live(three_clusters())
    long = ("gke_company-production_europe-west1_main", "messaging-core-team", "emqx-enterprise-customer-gateway-7")
    text = spans.plain(identity_line(Identity(long, SERVER, "", live, is_production=True), 80))
    assert "gke_" in text
    assert "ain ▸ " in text
    assert "way-7" in text
    assert "PROD" in text


@pytest.mark.parametrize(
    ("width", "shown", "hidden"),
    [
        (140, ("3 clusters · 1 in release · 1 needs you", SERVER), ()),
        (84, ("1 needs you", SERVER, "all namespaces"), ("3 clusters",)),
        (80, (SERVER, "all namespaces"), ("3 clusters",)),
    ],
)
def test_what_gives_way_in_the_list(width, shown, hidden):
    listed = three_clusters()
    identity = Identity(
        (CONTEXT,),
        SERVER,
        "all namespaces",
        fleet_live(listed),
        middle=counts(listed),
        short_middle=call_count(listed),
        is_production=False,
    )
    text = spans.plain(identity_line(identity, width))
    assert all(part in text for part in shown)
    assert not any(part in text for part in hidden)


BROKEN = SourceHealth(Kind.POD, False, NOW - timedelta(seconds=30), "reset")


@pytest.mark.parametrize(
    ("health", "quiet_s", "word"),
    [
        ((), 0.0, "LIVE"),
        ((SourceHealth(Kind.POD, True, NOW),), 0.0, "LIVE"),
        ((SourceHealth(Kind.POD, False, None),), 0.0, "reading"),
        ((SourceHealth(Kind.SERVICE, True, NOW), BROKEN), 0.0, "STALE pods 30 s"),
        ((BROKEN,), 0.0, "OFFLINE 30 s"),
        ((SourceHealth(Kind.POD, True, NOW),), 7.0, "STALE no news for 7.0 s"),
    ],
)  # fmt: skip
def test_liveness_says_age_and_source(health, quiet_s, word):
    assert word in fleet_live(fleet(row(live=5), health=health), quiet_s).text


def test_what_may_not_be_read_is_not_called_stale():
    """Nothing of it is old: there is a right missing, which is told where it matters."""
    forbidden = (SourceHealth(kind, False, None, "secrets is forbidden", True) for kind in (Kind.SECRET, None))
    health = (SourceHealth(Kind.POD, True, NOW), *forbidden)
    found = view(health=health)
    later = replace(found, snapshot=replace(found.snapshot, now=NOW + timedelta(seconds=40)))
    assert view_live(found).text == view_live(later).text == "● LIVE 0.0 s"


def test_old_figures_are_not_called_live():
    assert "STALE 40 s" in fleet_live(fleet(row(live=5, live_age_s=40))).text
    found = view()
    old = Reading(resource(), NOW - timedelta(seconds=40))
    assert "STALE 40 s" in view_live(replace(found, snapshot=replace(found.snapshot, resource=old))).text


async def test_the_top_line_wakes_up_only_when_news_may_be_missing(monkeypatch):
    async with session(releases.idle()) as console:
        bar = console.app.screen.query_one(IdentityBar)
        waits: list[float] = []
        monkeypatch.setattr(bar, "set_timer", lambda delay, _callback: waits.append(delay))

        def next_after(quiet_s: float) -> float:
            monkeypatch.setattr(bar, "_clock", lambda: console.app.news_at + quiet_s)
            bar._check()
            return waits.pop()

        assert [next_after(quiet_s) for quiet_s in (1.0, 3.0, 6.0)] == [4.0, 2.0, 1.0]
        await console.pilot.pause()
        assert "no news for 6.0 s" in console.shown


async def test_a_screen_that_is_shown_again_says_at_once_that_news_is_missing():
    async with session(releases.idle()) as console:
        for key in ("o", "escape", "escape"):
            console.app.news_at = time.monotonic() - 6.0
            await console.press(key)
            assert "no news for 6." in console.shown
