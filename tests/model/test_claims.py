"""Claims, and which of them are left over."""

from __future__ import annotations

from dataclasses import replace

from emqx_tui.model.claims import Claim, orphaned
from tests.support import releases


def claim(name: str) -> Claim:
    return Claim.from_json(
        {
            "metadata": {"name": name, "namespace": "mqtt"},
            "spec": {"storageClassName": "ssd", "resources": {"requests": {"storage": "20Gi"}}},
            "status": {"phase": "Bound"},
        }
    )


def test_a_claim_tells_what_it_asked_for_until_it_is_bound():
    found = claim("data-x-0")
    assert (found.phase, found.capacity, found.storage_class) == ("Bound", "20Gi", "ssd")


def test_a_claim_is_left_over_when_its_pod_is_neither_there_nor_wanted():
    snapshot = releases.draining().snapshot
    blue = next(s for s in snapshot.sets if s.name == releases.BLUE)
    names = [f"data-{blue.name}-0", f"data-{blue.name}-7", "data-emqx-ee-gone-0"]
    found = orphaned(map(claim, names), snapshot.sets, snapshot.pods.value or ())
    assert [each.name for each in found] == names[1:]
    at_zero = replace(blue, replicas=0)
    assert [each.name for each in orphaned([claim(names[0])], [at_zero], ())] == names[:1]
