"""Conflicts of a server-side apply, by manager and field.

Owns the error message (apimachinery, `pkg/util/managedfields/internal/conflict.go`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from emqx_tui.sandbox.apply.field_managers import Entry, Manager
from emqx_tui.sandbox.apply.field_sets import Fields, difference, paths
from emqx_tui.sandbox.kube.api_error import ApiError


class Conflicts(Exception):
    """Fields that an apply would change and other managers own."""

    def __init__(self, by_manager: Mapping[Manager, tuple[Entry, Fields]]) -> None:
        super().__init__("apply conflicts")
        self.by_manager = dict(by_manager)

    def without(self, fields: Fields) -> Conflicts:
        """The conflicts in other fields than these."""
        rest = {manager: (entry, difference(hit, fields)) for manager, (entry, hit) in self.by_manager.items()}
        return Conflicts({manager: (entry, hit) for manager, (entry, hit) in rest.items() if hit})

    def refusal(self) -> ApiError:
        """HTTP 409 with one cause per field."""
        listed = [
            (_described(manager, entry), path)
            for manager, (entry, hit) in sorted(self.by_manager.items(), key=lambda each: each[0])
            for path in paths(hit)
        ]
        causes = [
            {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": path} for who, path in listed
        ]
        if len(listed) == 1:
            text = f"Apply failed with 1 conflict: conflict with {listed[0][0]}: {listed[0][1]}"
        else:
            lines: list[str] = []
            for who, path in listed:
                if f"conflicts with {who}:" not in lines:
                    lines.append(f"conflicts with {who}:")
                lines.append(f"- {path}")
            text = f"Apply failed with {len(listed)} conflicts: " + "\n".join(lines)
        return ApiError(409, "Conflict", text, {"causes": causes})


def _described(manager: Manager, entry: Entry) -> str:
    who = json.dumps(manager.name)
    if manager.subresource:
        who = f"{who} with subresource {json.dumps(manager.subresource)}"
    if manager.operation != "Update":
        return who
    return f"{who} using {manager.api_version}"
