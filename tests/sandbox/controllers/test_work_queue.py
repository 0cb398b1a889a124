"""The operator's work queue: client-go's rules, one by one."""

from __future__ import annotations

import pytest

from emqx_tui.sandbox.controllers.work_queue import WorkQueue
from emqx_tui.sandbox.timeline import Timeline

A, B = ("default", "a"), ("default", "b")


class Worker:
    """Takes whatever is ready, and notes when."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.queue = WorkQueue(self.timeline, self.work)
        self.worked: list[tuple[float, str]] = []
        self.busy = False

    def work(self) -> None:
        while not self.busy and (key := self.queue.take()) is not None:
            self.worked.append((round(self.timeline.now, 3), key[1]))
            self.queue.done(key)


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_the_earliest_deadline_wins(worker: Worker) -> None:
    worker.queue.add_after(A, 20)
    worker.queue.add_after(A, 60)
    worker.timeline.run_until(100)
    worker.queue.add_after(A, 60)
    worker.queue.add_after(A, 20)
    worker.timeline.run_until(300)
    assert worker.worked == [(20, "a"), (120, "a")]


def test_an_immediate_addition_leaves_the_deadline_in_place(worker: Worker) -> None:
    worker.queue.add_after(A, 20)
    worker.timeline.run_until(5)
    worker.queue.add(A)
    worker.timeline.run_until(100)
    assert worker.worked == [(5, "a"), (20, "a")]


def test_additions_before_the_work_are_one(worker: Worker) -> None:
    for key in (A, B, A):
        worker.queue.add(key)
    worker.timeline.run_until(1)
    assert worker.worked == [(0, "a"), (0, "b")]


def test_an_addition_during_the_work_comes_after_it(worker: Worker) -> None:
    worker.busy = True
    worker.queue.add(A)
    worker.timeline.run_until(1)
    key = worker.queue.take()
    assert key == A
    worker.queue.add(A)
    assert worker.queue.take() is None, "never twice at a time"
    worker.busy = False
    worker.queue.done(A)
    worker.timeline.run_until(2)
    assert worker.worked == [(1, "a")]


def test_failures_back_off_from_five_milliseconds(worker: Worker) -> None:
    waits = []
    for _ in range(4):
        worker.queue.add_failed(A)
        due_at = worker.queue.next_due_at(A)
        assert due_at is not None
        waits.append(due_at - worker.timeline.now)
        worker.timeline.run_until(due_at)
    assert waits == pytest.approx([0.005, 0.01, 0.02, 0.04])
    worker.queue.forget(A)
    worker.queue.add_failed(A)
    assert worker.queue.next_due_at(A) == pytest.approx(worker.timeline.now + 0.005)


def test_the_longest_back_off(worker: Worker) -> None:
    for _ in range(40):
        worker.queue.add_failed(A)
        worker.timeline.run_until(worker.queue.next_due_at(A) or 0.0)
    worker.queue.add_failed(A)
    assert (worker.queue.next_due_at(A) or 0.0) - worker.timeline.now == 1000


def test_nothing_is_remembered_after_the_end(worker: Worker) -> None:
    worker.queue.add_after(A, 20)
    worker.queue.add(B)
    worker.queue.close()
    worker.timeline.run_until(100)
    assert worker.worked == []
