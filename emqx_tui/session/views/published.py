"""What the screens show, as one value: they fetch it whole, so that its parts belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The first screen loads nothing of a release.
    from emqx_tui.session.inspection.questions import Answer, Inventory
    from emqx_tui.session.sources.pod_report import PodReport
    from emqx_tui.session.views.fleet_view import FleetView
    from emqx_tui.session.views.view import EditPreview, View


@dataclass(frozen=True)
class Published:
    """The newest of everything that the screens show."""

    fleet: FleetView
    """The list of clusters."""
    view: View | None = None
    """Of the opened cluster, None until there is one."""
    edit_preview: EditPreview | None = None
    """The answer to `preview_edit`."""
    pod_report: PodReport | None = None
    """The answer to `inspect_pod`."""
    answer: Answer | None = None
    """What is known so far of the newest question about an object."""
    inventory: Inventory | None = None
    """The answer to `take_inventory`."""
