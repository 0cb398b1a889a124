"""One node in full: what its pod says of containers and conditions, its Events, and the end of its log.

Changes nothing. Events and log are asked for when the card opens and every few seconds while it is open.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from emqx_tui.model import units
from emqx_tui.model.containers import Container
from emqx_tui.model.snapshot import Member
from emqx_tui.rollout.redaction import redact_text
from emqx_tui.rollout.telling import wording
from emqx_tui.session.sources.pod_report import PodReport
from emqx_tui.session.views import node_facts
from emqx_tui.session.views.published import Published
from emqx_tui.session.views.view import View
from emqx_tui.ui.shell.messages import PodWanted
from emqx_tui.ui.shell.screen import TakesNews
from emqx_tui.ui.text import paint
from emqx_tui.ui.text.glyphs import ALARM
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import EMPTY, Line, Tone, line

ASK_EVERY_S = 5.0


class NodeCard(TakesNews, ModalScreen[None]):
    """Closes with esc or enter."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "close", "close", show=False)]

    def __init__(self, pod: str, published: Published) -> None:
        super().__init__()
        self._pod = pod
        self._published = published

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="card help node"):
            yield Static(self._pod, classes="card-title", markup=False)
            yield Static("", id="node-lines")
            yield Static("up down pageup pagedown move   esc closes", classes="dim help-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
        self.take(self._published)
        self._ask()
        self.set_interval(ASK_EVERY_S, self._ask)

    def _ask(self) -> None:
        self.post_message(PodWanted(self._pod))

    def take(self, published: Published) -> None:
        view = published.view
        if view is not None:
            shown = node_lines(view, self._pod, published.pod_report)
            self.query_one("#node-lines", Static).update(paint.content(*shown))

    def action_close(self) -> None:
        self.dismiss()


def node_lines(view: View, pod: str, report: PodReport | None) -> list[Line]:
    """PURE: the whole card; `report` of another pod is not shown."""
    member = next((member for member in view.snapshot.members if member.name == pod), None)
    lines = [line((f"{ALARM} {wording.incident(i)}", Tone.WARN)) for i in view.decision.incidents if i.pod == pod]
    if member is None:
        return [*lines, line("there is no such pod now")]
    mine = report if report is not None and report.pod == pod else None
    return [*lines, *_state(view, member), *_containers(member), *_events(mine), *_conditions(member), *_log(mine)]


def _safe(text: str) -> str:
    return redact_text(clean(text))


def _title(text: str) -> Line:
    return line((text, Tone.STRONG))


def _state(view: View, member: Member) -> Iterator[Line]:
    pod, state = member.pod, node_facts.node_state(view, member)
    word = pod.trouble if state is node_facts.NodeState.TROUBLE else str(state)
    place = f" on {pod.node_name}" if pod.node_name else ""
    yield line(f"{member.colour} · {_safe(word)} · phase {_safe(pod.phase)}{_safe(place)} · {pod.ip or 'no address'}")
    if found := node_facts.why_not_ready(member):
        message = f": {_safe(found.message)}" if found.message else ""
        yield line((f"not Ready: {_safe(found.reason)}{message}", Tone.BAD))
    yield line(f"{units.plural(pod.restarts, 'restart')} · {units.count(member.live_connections)} clients")


def _containers(member: Member) -> Iterator[Line]:
    for container in member.pod.containers:
        yield EMPTY
        yield line((f"container {_safe(container.name)}", Tone.STRONG), f"  image {_safe(container.image)}")
        yield line(f"  {_doing(container)}{'' if container.is_ready else ', not ready'}")
        if container.last is not None:
            at = f" at {units.clock(container.last.finished_at)}" if container.last.finished_at else ""
            message = f": {container.last.message}" if container.last.message else ""
            yield line((_safe(f"  ended before{at}: {container.last}{message}"), Tone.WARN))


def _doing(container: Container) -> str:
    if container.waiting:
        return _safe(f"waits: {container.waiting}" + (f": {container.message}" if container.message else ""))
    if container.ended is not None:
        return _safe(f"ended: {container.ended}" + (f": {container.ended.message}" if container.ended.message else ""))
    return f"runs since {units.clock(container.running_since)}" if container.running_since else "state not told"


def _conditions(member: Member) -> Iterator[Line]:
    yield EMPTY
    yield _title("conditions")
    known = {condition.type for condition in member.pod.conditions}
    for condition in member.pod.conditions:
        since = f" since {units.clock(condition.since)}" if condition.since else ""
        gate = " (readiness gate)" if condition.type in member.pod.readiness_gates else ""
        why = ": ".join(part for part in (condition.reason, condition.message) if part)
        tone = Tone.PLAIN if condition.status == "True" else Tone.WARN
        yield line((_safe(f"  {condition.type}{gate} {condition.status}{since}  {why}"), tone))
    for name in member.pod.readiness_gates:
        if name not in known:
            yield line((_safe(f"  {name} (readiness gate) not set"), Tone.WARN))


def _events(report: PodReport | None) -> Iterator[Line]:
    yield EMPTY
    yield _title("events of the pod")
    if report is None:
        yield line(("  asked for…", Tone.WAIT))
    elif report.events_problem:
        yield line((f"  {_safe(report.events_problem)}", Tone.WARN))
    elif not report.events:
        yield line(("  none", Tone.DIM))
    for event in report.events if report else ():
        at = units.clock(event.last_at) if event.last_at else units.UNKNOWN
        times = f" (x {event.count})" if event.count > 1 else ""
        tone = Tone.WARN if event.type == "Warning" else Tone.PLAIN
        yield line((f"  {at} ", Tone.DIM), (_safe(f"{event.reason}{times}: {event.message}"), tone))


def _log(report: PodReport | None) -> Iterator[Line]:
    yield EMPTY
    yield _title(f"log{f' of {_safe(report.log_of)}' if report and report.log_of else ''}, last lines")
    if report is None:
        yield line(("  asked for…", Tone.WAIT))
    elif report.log_problem:
        yield line((f"  {_safe(report.log_problem)}", Tone.WARN))
    elif not report.log:
        yield line(("  empty", Tone.DIM))
    for text in report.log if report else ():
        yield line(f"  {_safe(text)}")
