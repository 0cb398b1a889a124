"""One session on a sandbox and on the bed: whatever differs is in the list, and whatever is in the list differs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.cluster.case import Case
from tests.cluster.compare.comparing import differences, explained
from tests.cluster.compare.known import KNOWN
from tests.cluster.compare.recording import Recorder, Recording
from tests.cluster.compare.session import Session
from tests.cluster.compare.sides import Sandboxed


def _played(case: Case) -> Recording:
    with Recorder(case) as recorder:
        return Session(case, recorder).play()


def _in_a_sandbox(namespace: str, home: Path) -> Recording:
    with Sandboxed() as sandboxed:
        return _played(sandboxed.case(namespace, home))


def test_a_session_shows_the_same_on_both_but_for_what_is_known(case: Case, tmp_path: Path) -> None:
    """Both at once and in real time, so that they take no longer than one."""
    assert case.cluster.control
    with ThreadPoolExecutor() as both:
        here = both.submit(_played, case)
        there = both.submit(_in_a_sandbox, case.namespace, tmp_path)
        bed, sandbox = here.result(), there.result()
    found = differences(bed, sandbox)
    unexplained, gone = explained(found, KNOWN)
    print(f"{len(found)} differences, {len(KNOWN)} reasons")
    assert not unexplained, "\n".join(unexplained)
    assert not gone, f"no longer different: {gone}"
