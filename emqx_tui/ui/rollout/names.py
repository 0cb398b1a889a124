"""PURE: how pods, checks and drivers are named on the rollout screen and its cards."""

from __future__ import annotations

from emqx_tui.model import units
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.session.views import facts
from emqx_tui.session.views.facts import Blocked, Driving, Obstacle
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.view import View
from emqx_tui.ui.shell.keymap import Area, spelled
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import Line, Span

SILENT_S = 10.0
"""A driver that has not renewed its lease for this long is worth a word."""


def tail(name: str) -> str:
    """The end of a pod's name that tells it from its neighbours: `…86d7758868-1`."""
    parts = name.rsplit("-", 2)
    return f"…{parts[1]}-{parts[2]}" if len(parts) == 3 else name


def short_names(spans: Line, view: View) -> Line:
    """The line with every pod's name shortened to its end; nodes of one release differ there only."""
    names = {member.name for member in view.snapshot.members} | {i.pod for i in view.decision.incidents}
    found = []
    for span in spans:
        text = span.text
        for name in names:
            text = text.replace(name, tail(name)) if name in text else text
        found.append(Span(text, span.tone))
    return tuple(found)


def begun_word(journal: Journal) -> str:
    """Who made the journal has begun the release, or taken over one that had none."""
    return "adopted" if journal.is_adopted else "begun"


def check_words(name: str) -> str:
    """A check's identifier as words."""
    return name.replace("-", " ")


def version_words(view: View) -> str:
    """`4.4.14 → 4.4.15` during a release, else the version that is wanted."""
    if view.journal:
        found = facts.versions(view.journal)
        return f"{found.before} → {found.after}"
    return view.snapshot.resource.value.image.version if view.snapshot.resource.value else ""


def driver_words(view: View) -> str:
    """Who drives; of another driver also how long it has been silent."""
    found = facts.driver(view)
    parts = ["watch only"] if view.role is Role.WATCH_ONLY else []
    if found is not None:
        match found.kind:
            case Driving.THIS_CONSOLE:
                parts.append("driver: you")
            case Driving.ANOTHER:
                is_silent = found.silent_s is not None and found.silent_s > SILENT_S
                since = f", silent for {units.age(found.silent_s)}" if is_silent else ""
                parts.append(f"driver: {clean(found.name.partition('/')[0])}{since}")
            case Driving.NOBODY:
                parts.append("no driver")
    return " · ".join(parts)


def blocked_words(blocked: Blocked | None) -> str:
    """Why something cannot be asked for now; empty when it can."""
    if blocked is None:
        return ""
    match blocked.by:
        case Obstacle.NOT_READ:
            return "nothing is known of the cluster yet"
        case Obstacle.WATCH_ONLY:
            return f"watch only: {blocked.reason or 'rights are missing'}"
        case Obstacle.NO_RELEASE:
            return "no release is running"
        case Obstacle.HELD:
            return f"held: resume first ({spelled(Area.ROLLOUT, 'resume')})"
        case Obstacle.NO_GATE:
            return "no gate waits"
        case Obstacle.OLD_FIGURES:
            return f"the brokers' figures are {units.age(blocked.age_s)} old (limit {units.age(blocked.limit_s)})"
        case Obstacle.CHECK:
            check = blocked.check
            return f"{check_words(check.name)}: {check.evidence}" if check else "a check does not pass"
