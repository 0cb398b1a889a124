"""A controller that fails at one object: logged, done again with backoff, and nobody else is disturbed."""

from __future__ import annotations

import random
from typing import Any

from emqx_tui.sandbox.controllers.informer import Debounced, Informer
from emqx_tui.sandbox.controllers.retries import MAX_RETRIES, RetryingScheduler
from emqx_tui.sandbox.kube.resources import standard_resources
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.timeline import Timeline


class Sync:
    """Fails the first `failures` times for the key that it dislikes."""

    def __init__(self, timeline: Timeline, failures: int) -> None:
        self.timeline = timeline
        self.failures = failures
        self.tried: list[tuple[str, float]] = []

    def __call__(self, key: str) -> None:
        self.tried.append((key, round(self.timeline.now, 3)))
        if key == "bad" and sum(tried == "bad" for tried, _ in self.tried) <= self.failures:
            raise KeyError("name")


def test_a_sync_that_fails_is_logged_and_done_again_with_backoff(sandbox_failures: list[str]) -> None:
    timeline = Timeline()
    sync = Sync(timeline, failures=3)
    queue = Debounced(RetryingScheduler(timeline), 0.5, sync)
    queue.request("bad")
    queue.request("good")
    timeline.run_until(10)
    assert sync.tried == [("bad", 0.5), ("good", 0.5), ("bad", 0.505), ("bad", 0.515), ("bad", 0.535)]
    assert len(sandbox_failures) == 3
    assert all("KeyError: 'name'" in told for told in sandbox_failures)
    sandbox_failures.clear()


def test_trying_ends_but_the_next_change_is_tried_afresh(sandbox_failures: list[str]) -> None:
    timeline = Timeline()
    sync = Sync(timeline, failures=MAX_RETRIES + 1)
    queue = Debounced(RetryingScheduler(timeline), 0.5, sync)
    queue.request("bad")
    timeline.run_until(3600)
    assert len(sync.tried) == len(sandbox_failures) == MAX_RETRIES + 1
    queue.request("bad")
    timeline.run_until(3601)
    assert len(sync.tried) == MAX_RETRIES + 2
    assert len(sandbox_failures) == MAX_RETRIES + 1
    sandbox_failures.clear()


def test_cancelled_work_is_not_done_again(sandbox_failures: list[str]) -> None:
    timeline = Timeline()
    sync = Sync(timeline, failures=3)
    timer = RetryingScheduler(timeline).after(1.0, lambda: sync("bad"))
    timeline.run_until(1.004)
    timer.cancel()
    timeline.run_until(10)
    assert sync.tried == [("bad", 1.0)]
    sandbox_failures.clear()


def test_a_handler_that_fails_does_not_fail_the_writer_nor_the_other_handlers(sandbox_failures: list[str]) -> None:
    store = Store(Timeline(), random.Random(1))
    for resource in standard_resources():
        store.register(resource)
    informer, heard = Informer(store), []

    def fails(event_type: str, obj: dict[str, Any]) -> None:
        raise KeyError("spec")

    informer.on("configmaps", fails)
    informer.on("configmaps", lambda event_type, obj: heard.append(event_type))
    store.create("configmaps", {"metadata": {"name": "a", "namespace": "default"}})
    assert heard == ["ADDED"]
    assert len(sandbox_failures) == 1
    assert "ADDED of configmaps a" in sandbox_failures[0]
    sandbox_failures.clear()
