"""A recording of those who drive, and of nobody else."""

from __future__ import annotations

from dataclasses import replace

from emqx_tui.adapters.machine.drivers_log import BEFORE, DriversLog
from emqx_tui.session.views.fleet_view import Role
from tests.support import releases
from tests.support.recorded import Recorded


def test_who_never_drives_leaves_nothing() -> None:
    kept = Recorded()
    log = DriversLog(kept)
    log.record("release", {"journal": {}})
    log.saw(replace(releases.draining(), role=Role.SPECTATOR))
    log.record("notice", {"text": "held"})
    assert (kept.records, kept.views) == ([], [])


def test_who_comes_to_drive_records_what_was_before_and_all_that_follows() -> None:
    kept = Recorded()
    log = DriversLog(kept)
    for number in range(BEFORE + 1):
        log.record("tick", {"number": number})
    drives = replace(releases.draining(), role=Role.DRIVER)
    log.saw(drives)
    log.record("command", {})
    log.saw(replace(drives, role=Role.IDLE))
    assert [record.get("number") for record in kept.records] == [*range(1, BEFORE + 1), None]
    assert len(kept.views) == 2
