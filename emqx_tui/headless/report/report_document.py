"""PURE: a report as JSON. Its names are kept to: what changes them counts SCHEMA up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from emqx_tui.headless.lines.events import spell
from emqx_tui.headless.report.report import Approved, NodeDrain, Report

SCHEMA = 1


def document(found: Report, console_version: str) -> dict[str, Any]:
    """The report as JSON. `console_version` = of the console that makes it."""
    journal, recording = found.journal, found.recording
    return {
        "schema": SCHEMA,
        "namespace": recording.namespace,
        "name": recording.name,
        "release_id": journal.release_id if journal else None,
        "result": found.result or None,
        "phase": found.phase or None,
        "started_at": spell(journal.created_at) if journal else None,
        "started_by": journal.created_by if journal else None,
        "ended_at": _spelled(journal.totals.finished_at) if journal else None,
        "from_image": journal.from_image if journal else None,
        "to_image": journal.to_image if journal else None,
        "changes": [{"path": c.path, "before": c.before, "after": c.after} for c in found.changes],
        "figures": dict(found.figures) or None,
        "approvals": [_approval_json(approval) for approval in found.approvals],
        "nodes": [_node_json(node) for node in found.nodes],
        "forecast": found.deviation.to_json() if found.deviation else None,
        "samples": [[spell(s.at), s.blue, s.green, s.sum] for s in found.samples],
        "went_wrong": [record.to_json() for record in found.trouble],
        "timeline": [record.to_json() for record in found.timeline],
        "versions": {
            "operator_image": journal.originals.operator_image or None if journal else None,
            "began_with": journal.console_version if journal else None,
            "recorded_with": recording.console or None,
            "reported_with": console_version,
        },
        "recording": {
            "from": _spelled(found.first_at),
            "to": _spelled(found.last_at),
            "is_cut": recording.is_cut,
            "lacks_beginning": recording.lacks_beginning,
            "unreadable": found.unreadable,
            "dropped": found.dropped,
            "other_releases": found.others,
        },
    }


def _approval_json(approval: Approved) -> dict[str, Any]:
    record, checks = approval.record, approval.checks
    return {
        "number": record.number,
        "gate": str(record.gate),
        "by": record.by,
        "at": spell(record.at),
        "fingerprint": record.evidence,
        "checks": None if checks is None else [{"check": n, "outcome": o, "evidence": e} for n, o, e in checks],
    }


def _node_json(node: NodeDrain) -> dict[str, Any]:
    return {
        "node": node.node,
        "generation": node.generation,
        "clients": node.clients,
        "began_at": _spelled(node.began_at),
        "ended_at": _spelled(node.ended_at),
        "duration_s": node.duration_s,
        "frozen_s": node.frozen_s,
        "sessions_left": node.sessions_left,
    }


def _spelled(at: datetime | None) -> str | None:
    return None if at is None else spell(at)
