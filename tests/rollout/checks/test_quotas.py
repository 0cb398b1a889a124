"""Quotas and a second generation: what counts, what is left, and how it is said."""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.rollout.checks.quotas import why_over_quota

POD: dict[str, Any] = {
    "spec": {
        "initContainers": [{"resources": {"requests": {"cpu": "4", "memory": "64Mi"}}}],
        "containers": [
            {"resources": {"requests": {"cpu": "1500m", "memory": "2Gi"}, "limits": {"memory": "4Gi"}}},
            {"resources": {"requests": {"cpu": "0.5"}}},
        ],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "x"}}, {"name": "log", "emptyDir": {}}],
    }
}


def quota(hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "compute"}, "spec": spec, "status": {"hard": hard, "used": used or {}}}


@pytest.mark.parametrize(
    ("hard", "used", "said"),
    [
        ({"pods": "6"}, {"pods": "3"}, ""),
        ({"pods": "5"}, {"pods": "3"}, "quota compute: green needs 3 more pods, 2 are left"),
        ({"count/pods": "2"}, {}, "quota compute: green needs 3 more count/pods, 2 are left"),
        ({"requests.cpu": "12"}, {}, ""),
        ({"requests.cpu": "11999m"}, {}, "quota compute: green needs 12 more requests.cpu, 11.999 are left"),
        ({"cpu": "20"}, {"cpu": "9"}, "quota compute: green needs 12 more cpu, 11 are left"),
        ({"memory": "8Gi"}, {"memory": "2Gi"}, ""),
        ({"memory": "8Gi"}, {"memory": "2049Mi"}, "quota compute: green needs 6Gi more memory, 6143Mi are left"),
        ({"limits.memory": "8Gi"}, {"limits.memory": "8Gi"}, "green needs 12Gi more limits.memory, 0 are left"),
        ({"persistentvolumeclaims": "3"}, {"persistentvolumeclaims": "3"}, "3 more persistentvolumeclaims, 0 are left"),
        ({"count/statefulsets.apps": "1"}, {"count/statefulsets.apps": "1"}, "1 more count/statefulsets.apps"),
        ({"count/secrets": "1"}, {"count/secrets": "1"}, ""),
        ({"pods": "3"}, {"pods": "9"}, "3 more pods, 0 are left"),
        ({"memory": "1Gi"}, {}, "needs 6Gi more memory, 1Gi are left"),
        ({"memory": "1Mi"}, {}, "needs 6Gi more memory, 1Mi are left"),
        ({"memory": "1000"}, {}, "needs 6Gi more memory, 1000 are left"),
    ],
)
def test_what_is_left_has_to_hold_a_second_generation(hard: dict[str, str], used: dict[str, str], said: str) -> None:
    found = why_over_quota([quota(hard, used)], POD, 3)
    assert (said in found) if said else not found, found


def test_the_first_quota_that_is_too_small_is_named_and_scoped_ones_are_left_out() -> None:
    scoped = quota({"pods": "0"}, scopes=["BestEffort"])
    by_class = quota({"pods": "0"}, scopeSelector={"matchExpressions": []})
    assert why_over_quota([scoped, by_class], POD, 3) == ""
    assert "0 are left" in why_over_quota([scoped, quota({"pods": "3"}, {"pods": "3"})], POD, 3)


def test_a_quota_whose_use_was_not_counted_yet_is_taken_as_it_is_written() -> None:
    fresh = {"metadata": {"name": "new"}, "spec": {"hard": {"pods": "2"}}}
    assert why_over_quota([fresh], POD, 3) == "quota new: green needs 3 more pods, 2 are left"


def test_containers_add_up_where_no_init_container_needs_more() -> None:
    each = {"resources": {"requests": {"cpu": "500m"}}}
    pod = {"spec": {"containers": [each, each]}}
    assert why_over_quota([quota({"requests.cpu": "3"})], pod, 3) == ""
    assert "needs 3 more requests.cpu" in why_over_quota([quota({"requests.cpu": "2999m"})], pod, 3)


def test_a_pod_without_requests_counts_as_a_pod_only() -> None:
    assert why_over_quota([quota({"requests.cpu": "0", "pods": "3"})], {"spec": {"containers": [{}]}}, 3) == ""
