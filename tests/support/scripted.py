"""A backend that says what a test wants and writes down what the screens ask of it. No thread, no clock of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.kinds import Kind
from emqx_tui.model.reading import Reading
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout import change as changes
from emqx_tui.rollout.change import Change, Draft, Plan, ReleaseOptions
from emqx_tui.rollout.decision import CheckResult, Decision
from emqx_tui.rollout.forecast.forecast import NodeLoad, ReleaseShape, forecast
from emqx_tui.rollout.gate_id import GateId
from emqx_tui.rollout.intents import Intent
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.session.inspection.questions import Answer, Inventory, Question
from emqx_tui.session.sources.pod_report import PodReport
from emqx_tui.session.views.fleet_view import ClusterRow, FleetView, Role, SourceHealth
from emqx_tui.session.views.notice import Notice, NoticeKind
from emqx_tui.session.views.published import Published
from emqx_tui.session.views.view import EditPreview, View

NOW = datetime(2024, 5, 14, 12, 6, 1, tzinfo=UTC)
CONTEXT, SERVER = "prod-eu", "https://10.0.0.1:6443"

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"team": "messaging"}},
    "spec": {
        "emqxContainer": {
            "image": {"repository": "emqx/emqx-ee", "version": "4.4.14"},
            "emqxConfig": {"cluster.discovery": "dns", "listener.tcp.external": "1883"},
            "env": [{"name": "EMQX_NODE__COOKIE", "value": "s3cr3t-cookie"}],
        }
    },
}
BLUE_GREEN: dict[str, Any] = {
    "initialDelaySeconds": 60,
    "evacuationStrategy": {"waitTakeover": 5, "connEvictRate": 200, "sessEvictRate": 200},
}


def resource_json(
    name: str = "emqx-ee",
    namespace: str = "mqtt",
    *,
    version: str = "4.4.14",
    status_version: str | None = None,
    template: dict[str, Any] | None = None,
    blue_green: dict[str, Any] | None = BLUE_GREEN,
    connections: tuple[int, ...] = (33_334, 33_333, 33_333),
    replicas: int = 3,
    ready: int = 3,
    condition: str | None = "Running",
    releasing: bool = False,
    age_s: float = 87 * 86_400,
    resource_version: str = "1001",
    labels: dict[str, str] | None = None,
    managed_fields: tuple[dict[str, Any], ...] = (),
) -> dict[str, Any]:
    """An EmqxEnterprise as the API server would answer it."""
    body = copy.deepcopy(template if template is not None else TEMPLATE)
    if template is None:
        body["spec"]["emqxContainer"]["image"]["version"] = version
    spec: dict[str, Any] = {"replicas": replicas, "template": body}
    if blue_green is not None:
        spec["blueGreenUpdate"] = copy.deepcopy(blue_green)
    status: dict[str, Any] = {"readyReplicas": ready, "replicas": replicas}
    if condition:
        status["conditions"] = [
            {
                "type": condition,
                "status": "True" if condition != "Running" or ready == replicas else "False",
                "lastUpdateTime": _stamp(NOW - timedelta(seconds=12)),
            }
        ]
        status["emqxNodes"] = [
            {
                "node": f"emqx-ee@{name}-7d8c-{index}.{name}-headless.{namespace}.svc",
                "node_status": "Running",
                "version": status_version or version,
                "connections": count,
            }
            for index, count in enumerate(connections)
        ]
    if releasing:
        status["blueGreenUpdateStatus"] = {
            "originStatefulSet": f"{name}-7d8c",
            "currentStatefulSet": f"{name}-9f1a",
            "startedAt": _stamp(NOW - timedelta(minutes=5)),
        }
    return {
        "apiVersion": "apps.emqx.io/v1beta4",
        "kind": "EmqxEnterprise",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": f"uid-{namespace}-{name}",
            "resourceVersion": resource_version,
            "creationTimestamp": _stamp(NOW - timedelta(seconds=age_s)),
            "generation": 1,
            "labels": labels or {},
            "managedFields": list(managed_fields),
        },
        "spec": spec,
        "status": status,
    }


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def resource(name: str = "emqx-ee", namespace: str = "mqtt", **fields: Any) -> EmqxEnterprise:
    return EmqxEnterprise.from_json(resource_json(name, namespace, **fields))


def row(
    name: str = "emqx-ee",
    namespace: str = "mqtt",
    *,
    phase: Phase = Phase.IDLE,
    gate: str = "",
    is_held: bool = False,
    driver: str = "",
    is_mine: bool = False,
    is_undriven: bool = False,
    why_unknown: str = "",
    problem: str = "",
    live: int | None = None,
    live_age_s: float = 0.3,
    **fields: Any,
) -> ClusterRow:
    return ClusterRow(
        resource(name, namespace, **fields),
        NOW,
        phase,
        live_connections=live,
        live_at=NOW - timedelta(seconds=live_age_s) if live is not None else None,
        gate=gate,
        is_held=is_held,
        driver=driver,
        is_mine=is_mine,
        is_undriven=is_undriven,
        why_unknown=why_unknown,
        problem=problem,
    )


HEALTHY = (SourceHealth(Kind.EMQX_ENTERPRISE, True, NOW),)


def fleet(
    *rows: ClusterRow,
    namespace: str | None = None,
    is_synced: bool = True,
    problem: str = "",
    health: tuple[SourceHealth, ...] = HEALTHY,
    now: datetime = NOW,
) -> FleetView:
    return FleetView(CONTEXT, SERVER, namespace, now, tuple(rows), health, is_synced, problem)


def three_clusters() -> FleetView:
    """The list of the sketch: one waits at a gate, one runs, one is degraded."""
    return fleet(
        row(
            "emqx-ee",
            "mqtt",
            version="4.4.15",
            status_version="4.4.14",
            releasing=True,
            phase=Phase.DRAINING,
            gate=GateId.node(1),
            live=100_000,
        ),
        row("emqx-ee", "mqtt-stg", version="4.4.15", live=3_012, age_s=12 * 86_400),
        row(
            "emqx-t1",
            "lab",
            version="4.4.14",
            ready=2,
            connections=(60, 60),
            age_s=4 * 3600,
            problem="too old for evacuation (needs 4.4.12)",
        ),
    )


def view(found: EmqxEnterprise | None = None, *, phase: Phase = Phase.IDLE, role: Role = Role.IDLE, **fields) -> View:
    """A view of a cluster of which little more than the resource is known."""
    found = found or resource()
    snapshot = Snapshot(NOW, found.namespace, found.name, Reading(found, NOW))
    return View(snapshot, Decision(phase), role=role, **fields)


def plan_of(draft: Draft, change: Change, approval: Approval = Approval.EVERY_NODE) -> Plan:
    rates = changes.rates_of(draft.blue_green)
    assert rates is not None
    before = draft.original.image
    image = draft.template["spec"]["emqxContainer"]["image"]
    return Plan(
        namespace=draft.original.namespace,
        name=draft.original.name,
        uid=draft.original.meta.uid,
        metadata_generation=draft.original.meta.metadata_generation,
        resource_version=draft.original.meta.resource_version,
        from_image=str(before),
        to_image=f"{image.get('repository')}:{image['version']}",
        from_version=before.version,
        to_version=image["version"],
        patch=change.patch.get("template", {}),
        differences=change.differences,
        delay_s=draft.blue_green.effective_delay_s,
        delay_was_absent=draft.blue_green.initial_delay_s is None,
        rates=rates,
        approval=approval,
    )


@dataclass
class Asked:
    """One call of `preview_edit`."""

    number: int
    draft: Draft
    options: ReleaseOptions

    def answer(self, *checks: CheckResult, dry_run_ok: bool | None = True, **fields: Any):
        """What the engine would answer, built from the draft."""
        found = changes.assess(self.draft)
        starts = found.verdict is changes.Verdict.STARTS_RELEASE
        return EditPreview(
            number=self.number,
            change=found,
            checks=checks,
            plan=plan_of(self.draft, found, self.options.approval) if starts else None,
            dry_run_ok=dry_run_ok,
            **fields,
        )


@dataclass
class ScriptedBackend:
    """Implements `session.backend.Backend`; `publish` plays the engine."""

    shown_fleet: FleetView = field(default_factory=three_clusters)
    shown_view: View | None = None
    shown_edit_preview: EditPreview | None = None
    is_read_only: bool = False
    opened: list[tuple[str, str]] = field(default_factory=list)
    closed: int = 0
    looked_at: list[str | None] = field(default_factory=list)
    intents: list[Intent] = field(default_factory=list)
    keys: list[tuple[str, str]] = field(default_factory=list)
    """(action, place) of the keys that were pressed."""
    asked: list[Asked] = field(default_factory=list)
    saved: list[Plan | Draft] = field(default_factory=list)
    started: bool = False
    stopped: bool = False
    report: PodReport | None = None
    inspected: list[str] = field(default_factory=list)
    questions: list[tuple[int, Question]] = field(default_factory=list)
    stopped_inspecting: int = 0
    given_answer: Answer | None = None
    given_inventory: Inventory | None = None
    inventories_asked: int = 0
    _on_change: Callable[[], None] | None = None

    def start(self, on_change: Callable[[], None]) -> None:
        self.started = True
        self._on_change = on_change
        on_change()

    def stop(self, timeout_s: float = 2.0) -> None:
        self.stopped = True

    def published(self) -> Published:
        return Published(
            self.shown_fleet,
            self.shown_view,
            self.shown_edit_preview,
            self.report,
            self.given_answer,
            self.given_inventory,
        )

    def inspect_pod(self, pod: str) -> None:
        self.inspected.append(pod)

    def inspect(self, number: int, question: Question) -> None:
        self.questions.append((number, question))

    def stop_inspecting(self) -> None:
        self.stopped_inspecting += 1

    def take_inventory(self) -> None:
        self.inventories_asked += 1

    def open(self, namespace: str, name: str) -> None:
        self.opened.append((namespace, name))

    def close(self) -> None:
        self.closed += 1

    def look_at(self, namespace: str | None) -> None:
        self.looked_at.append(namespace)

    def submit(self, intent: Intent) -> None:
        self.intents.append(intent)

    def pressed(self, action: str, place: str) -> None:
        self.keys.append((action, place))

    def preview_edit(self, number: int, draft: Draft, options: ReleaseOptions) -> None:
        self.asked.append(Asked(number, draft, options))

    def save(self, plan_or_draft: Plan | Draft) -> None:
        self.saved.append(plan_or_draft)

    def person(self) -> str:
        return "ann@bastion"

    def publish(
        self,
        *,
        fleet: FleetView | None = None,
        view: View | None = None,
        edit_preview: EditPreview | None = None,
    ) -> None:
        """There is something newer: tell the app, as the engine would. Follow with `await pilot.pause()`."""
        self.shown_fleet = fleet or self.shown_fleet
        self.shown_view = view or self.shown_view
        self.shown_edit_preview = edit_preview or self.shown_edit_preview
        if self._on_change:
            self._on_change()

    def notice(self, text: str, kind: NoticeKind = NoticeKind.ACCEPTED) -> None:
        """The answer to an intent."""
        assert self.shown_view is not None
        number = self.shown_view.notice_number + 1
        self.publish(view=replace(self.shown_view, notice=Notice(kind, text), notice_number=number))


def figures():
    """A forecast for three nodes of a hundred thousand clients."""
    nodes = [NodeLoad("emqx-ee-0", 33_334), NodeLoad("emqx-ee-1", 33_333), NodeLoad("emqx-ee-2", 33_333)]
    return forecast(nodes, ReleaseShape(changes.Rates(200, 200, 5), delay_s=60, canary_s=60, boot_s=30))
