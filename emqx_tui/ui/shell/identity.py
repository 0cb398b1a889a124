"""The top line: which cluster this is, how old its figures are, and what this console may do.

It never leaves the screen. All but the widget at the end is PURE; the widget shows by itself how long the engine has
sent nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from emqx_tui.model import units
from emqx_tui.rollout.policy import Policy
from emqx_tui.session.views.fleet_view import FleetView, SourceHealth
from emqx_tui.ui.shell.console import console_of
from emqx_tui.ui.text import paint, spans
from emqx_tui.ui.text.marks import Mark, clean, elapsed_s, fit_middle
from emqx_tui.ui.text.spans import EMPTY, Line, Span, Tone, line

if TYPE_CHECKING:
    # The first screen loads nothing of a release.
    from emqx_tui.session.views.view import View

QUIET_S = 5.0
"""Without any news from the engine for this long (wall time) the screen says so."""
STALE_S = Policy.max_broker_age_s

CRUMB = " ▸ "


@dataclass(frozen=True)
class Identity:
    """What the top line tells."""

    path: tuple[str, ...]
    """Context, then namespace and name where one cluster is shown."""
    server: str
    scope: str
    """The namespace, or that it is all of them, where no single cluster is shown."""
    live: Mark
    middle: Line = EMPTY
    short_middle: Line = EMPTY
    """Instead of `middle` where that has no room; of one cluster, names give way to it."""
    is_production: bool = False
    is_rehearsal: bool = False
    is_read_only: bool = False


def scope_words(namespace: str | None) -> str:
    """The namespace that a list covers."""
    return "all namespaces" if namespace is None else f"namespace {clean(namespace)}"


def live_mark(age_s: float | None, health: tuple[SourceHealth, ...], now: datetime, quiet_s: float = 0.0) -> Mark:
    """LIVE, STALE or OFFLINE with an age. `age_s` is that of the figures; `quiet_s` how long no news came at all."""
    health = tuple(source for source in health if not source.is_forbidden)
    broken = [source for source in health if not source.is_ok and (source.problem or source.read_at)]
    if quiet_s > QUIET_S:
        return Mark("◌", f"STALE no news for {units.age(quiet_s)}", Tone.WARN)
    if health and len(broken) == len(health):
        return Mark("✘", f"OFFLINE {_oldest(broken, now)}", Tone.BAD)
    if broken:
        return Mark("◌", f"STALE {clean(broken[0].name)} {_oldest(broken, now)}", Tone.WARN)
    if age_s is None or any(not source.is_ok for source in health):
        return Mark("◌", "reading…", Tone.WAIT)
    if age_s > STALE_S:
        return Mark("◌", f"STALE {units.age(age_s)}", Tone.WARN)
    return Mark("●", f"LIVE {units.age(age_s)}", Tone.GOOD)


def _oldest(broken: list[SourceHealth], now: datetime) -> str:
    ages = [elapsed_s(source.read_at, now) for source in broken]
    known = [age for age in ages if age is not None]
    return units.age(max(known)) if known else ""


def fleet_live(fleet: FleetView, quiet_s: float = 0.0) -> Mark:
    """How live the list of clusters is: its watches confirm it by staying open."""
    age_s = 0.0 if fleet.is_synced else None
    counted = [elapsed_s(row.live_at, fleet.now) for row in fleet.rows]
    known = [age for age in counted if age is not None]
    return live_mark(max(known) if known else age_s, fleet.health, fleet.now, quiet_s)


def view_live(view: View | None, quiet_s: float = 0.0) -> Mark:
    """How live one cluster's figures are: the age of the brokers' counts, or, where those may not be read, that of
    the objects: their watches confirm them by staying open."""
    if view is None:
        return Mark("◌", "reading…", Tone.WAIT)
    snapshot = view.snapshot
    if snapshot.resource.read_at and any(source.is_emqx and source.is_forbidden for source in view.health):
        return live_mark(0.0, view.health, snapshot.now, quiet_s)
    read = snapshot.stats if snapshot.stats.value is not None else snapshot.resource
    return live_mark(read.age_s(snapshot.now), view.health, snapshot.now, quiet_s)


def identity_line(identity: Identity, width: int) -> Line:
    """The top line in `width` cells. What gives way first: the server (but not in a list), the middle, then names."""
    right = _right(identity)
    room = width - spans.width(right) - 2
    is_list = bool(identity.scope)
    server = (Span(f"  {clean(identity.server)}", Tone.DIM),) if identity.server else EMPTY
    scope = (Span(f"  {identity.scope}", Tone.PLAIN),) if is_list else EMPTY
    middle = (Span("   "), *identity.middle) if identity.middle else EMPTY
    short = (Span("   "), *identity.short_middle) if identity.short_middle else EMPTY
    path = _path(identity.path, room)
    tails = [(*server, *scope, *middle), (*server, *scope, *short)]
    tails += [(*server, *scope), (*scope, *middle)] if is_list else [middle, short] if short else [server, middle]
    for tail in tails:
        if spans.width(path) + spans.width(tail) <= room:
            return spans.spread((Span(" "), *path, *tail), (*right, Span(" ")), width)
    keep = server + scope if is_list else short or middle
    path = _path(identity.path, max(room - spans.width(keep), room // 2))
    return spans.spread((Span(" "), *path, *keep), (*right, Span(" ")), width)


def _path(path: tuple[str, ...], room: int) -> Line:
    share = max(6, (room - len(CRUMB) * (len(path) - 1)) // max(1, len(path)))
    whole = sum(len(part) for part in path) + len(CRUMB) * (len(path) - 1) <= room
    out: list[Span] = []
    for number, part in enumerate(path):
        if number:
            out.append(Span(CRUMB, Tone.DIM))
        out.append(Span(clean(part) if whole else fit_middle(clean(part), share), Tone.STRONG))
    return tuple(out)


def _right(identity: Identity) -> Line:
    marks: list[Span] = [identity.live.span]
    if identity.is_read_only:
        marks += [Span("  "), Span("READ-ONLY", Tone.STRONG)]
    if identity.is_production:
        marks += [Span("  "), Span("▐PROD▌", Tone.CALL)]
    if identity.is_rehearsal:
        marks += [Span("  "), Span("▐REHEARSAL▌", Tone.CALL)]
    return line(*marks)


Describe = Callable[[float], Identity]
"""Seconds without news -> what to show."""


class IdentityBar(Widget):
    """One line: context, server, namespace, cluster; LIVE age, PROD and READ-ONLY on the right."""

    CHECK_EVERY_S = 1.0

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._describe: Describe | None = None
        self._identity: Identity | None = None

    def on_mount(self) -> None:
        self._wait()

    def _wait(self) -> None:
        """Until there may be something to tell: news puts it off, and so does a screen that nobody sees."""
        quiet_s = self._quiet_s if self.screen.is_current else 0.0
        self.set_timer(max(self.CHECK_EVERY_S, QUIET_S - quiet_s), self._check)

    def _check(self) -> None:
        if self._describe is not None and self.screen.is_current and self._quiet_s > QUIET_S:
            self._show(self._describe(self._quiet_s))
        self._wait()

    def tell(self, describe: Describe) -> None:
        """Show what is known now, which a screen that is shown again may have missed."""
        self._describe = describe
        self._show(describe(self._quiet_s))

    @property
    def _quiet_s(self) -> float:
        return self._clock() - console_of(self).news_at

    def _show(self, identity: Identity) -> None:
        if identity != self._identity:
            self._identity = identity
            self.set_class(identity.is_production, "-production")
            self.set_class(identity.is_rehearsal, "-rehearsal")
            self.refresh()

    def render(self) -> Content:
        if self._identity is None:
            return Content("")
        return paint.content(identity_line(self._identity, self.size.width))
