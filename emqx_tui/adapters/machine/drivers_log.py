"""The flight log of a session that may come to drive, and of none that never does.

Approving or holding from a second terminal leaves no recording: the driver has it all in its own, the folder keeps the
newest ones only, and the newest is the one that `report` takes for the release. Whoever takes the lease, because nobody
drives, records what it sends, and what it had recorded before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from emqx_tui.model.series import Sample
from emqx_tui.session.ports import Recorder
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.view import View

BEFORE = 200
"""Records of a session that does not drive yet."""


class DriversLog:
    """Implements `session.ports.Recorder`."""

    def __init__(self, log: Recorder) -> None:
        self._log = log
        self._before: deque[tuple[str, Mapping[str, Any]]] = deque(maxlen=BEFORE)
        self._has_driven = False

    def record(self, event: str, fields: Mapping[str, Any]) -> None:
        if self._has_driven:
            self._log.record(event, fields)
        else:
            self._before.append((event, fields))

    def saw(self, view: View) -> None:
        if not self._has_driven and view.role is Role.DRIVER:
            self._has_driven = True
            while self._before:
                self._log.record(*self._before.popleft())
        if self._has_driven:
            self._log.saw(view)

    def recall(self, uid: str, release_id: str, tell: Callable[[tuple[Sample, ...]], None]) -> None:
        self._log.recall(uid, release_id, tell)
