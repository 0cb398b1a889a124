"""PURE: the rows of the form: labels, units, and the note behind each field."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from emqx_tui.rollout.change import ReleaseOptions, parse_version
from emqx_tui.rollout.policy import Approval
from emqx_tui.session.views.fleet_view import ClusterRow
from emqx_tui.ui.change.edit import PATHS, Edit
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import EMPTY, Line, Tone, line

APPROVALS = {
    Approval.EVERY_NODE: "start, cut-over, nodes",
    Approval.CUT_OVER: "start and cut-over",
    Approval.AUTO: "the start alone",
}
"""What a person approves: words that fit beside the field at 120 columns, as every note of the form does."""


def chosen(options: ReleaseOptions, name: str) -> str:
    """The choice of one row, as it is shown."""
    value = getattr(options, name)
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def choosing(options: ReleaseOptions, name: str, choice: str) -> ReleaseOptions:
    """With another choice of one row."""
    match name:
        case "approval":
            return replace(options, approval=Approval(choice))
        case "late_removal":
            return replace(options, late_removal=choice == "on")
        case _:
            return replace(options, parallel_drains=int(choice))


MOST_DRAINS = 8
CHOICES = {
    "approval": [str(approval) for approval in Approval],
    "late_removal": ["off", "on"],
    "parallel_drains": [str(number) for number in range(1, MOST_DRAINS + 1)],
}


@dataclass(frozen=True)
class FormRow:
    """One row of the form: what it is called, its unit, and how wide its field is."""

    name: str
    label: str
    unit: str = ""
    width: int = 10
    hint: str = ""

    @property
    def unit_width(self) -> int:
        """Notes stand below each other, except beside a field that is wider than most."""
        return max(LEAST_UNIT_CELLS, FIELD_CELLS - self.width)


FIELD_CELLS, LEAST_UNIT_CELLS = 17, 2
"""Of a field with its unit; of a unit alone."""
FORM = (
    FormRow("repository", "Image", "", 28),
    FormRow("version", "Version", "", 13),
    FormRow("initial_delay_s", "Initial delay", "s", 11, "before the cut-over"),
    FormRow("wait_takeover_s", "Wait takeover", "s", 11, "of sessions; 0 is 60 s"),
    FormRow("conn_evict_rate_per_s", "Connections", "/s", 11, "evicted per node"),
    FormRow("sess_evict_rate_per_s", "Sessions", "/s", 11, "evicted per node"),
)
OPTIONS = (
    FormRow("approval", "Approval", "", 13),
    FormRow("late_removal", "Late removal", "", 13),
    FormRow("parallel_drains", "Drains at once", "", 13),
)


MOST_VERSIONS = 4
"""Versions that are named beside the field."""


def field_note(row: FormRow, edit: Edit, seen: Seen) -> Line:
    """What stands right of a field: its problem, what it was, or what it means."""
    if row.name == "initial_delay_s" and edit.is_held:
        return line(("held; yours comes back", Tone.DIM))
    path = ".".join(PATHS[row.name])
    was, now = original_value(row.name, edit), edit.fields.get(row.name, "")
    completed = seen.completion(row.name, now) if now != was else ""
    hint = line(("right", Tone.KEY), f" takes {completed}  ") if completed else EMPTY
    problem = next((found for found in edit.problems if found.path == path), None)
    if problem:
        return (*hint, *line((f"✘ {clean(problem.sentence)}", Tone.BAD)))
    if now != was:
        return (*hint, *line((f"was {clean(was) or 'not given'}", Tone.WARN)))
    if row.name == "version":
        others = [version for version in seen.versions if version != was][:MOST_VERSIONS]
        return line((f"in the fleet: {', '.join(reversed(others))}", Tone.DIM)) if others else EMPTY
    return line((row.hint, Tone.DIM))


def original_value(name: str, edit: Edit) -> str:
    """What a field held before the edit."""
    resource = edit.original
    if name == "repository":
        return resource.image.repository
    if name == "version":
        return resource.image.version
    value = getattr(resource.blue_green, name) if resource.blue_green else None
    return "" if value is None else str(value)


def option_note(name: str, options: ReleaseOptions, edit: Edit | None) -> Line:
    """What an option means, with the total rate where several nodes drain at once."""
    if name == "approval":
        return line((APPROVALS[options.approval], Tone.DIM))
    if name == "late_removal":
        on = "blue leaves node by node"
        return line((on if options.late_removal else "blue leaves at cut-over", Tone.DIM))
    rate = edit.fields.get("conn_evict_rate_per_s", "") if edit else ""
    total = f"{int(rate) * options.parallel_drains:,}/s in all" if rate.isdigit() and len(rate) < 12 else ""
    return line((total, Tone.DIM))


@dataclass(frozen=True)
class Seen:
    """What the clusters of the fleet run, the newest first."""

    versions: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()

    def completion(self, name: str, typed: str) -> str:
        """What a value that is typed into a field may become; empty without anything of that beginning."""
        known = {"version": self.versions, "repository": self.repositories}.get(name, ())
        return next((value for value in known if typed and value.startswith(typed) and value != typed), "")


def seen_in(rows: Iterable[ClusterRow]) -> Seen:
    """What runs in the fleet."""
    images = [row.resource.image for row in rows if row.resource.is_running]
    versions = {clean(image.version): parse_version(image.version) or (0, 0, 0) for image in images if image.version}
    repositories = sorted({clean(image.repository) for image in images if image.repository})
    return Seen(
        tuple(sorted(versions, key=lambda version: (versions[version], version), reverse=True)), tuple(repositories)
    )
