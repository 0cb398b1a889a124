"""Random histories of the store: what every client may rely on holds after each step."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.resources import Resource
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.timeline import Timeline

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2), max_size=2)
Key = tuple[str, str]


def history(store: Store, plural: str, since: int) -> list[tuple[int, str, dict[str, Any]]]:
    """Events newer than `since`, oldest first."""
    return [(change.version, change.type, change.object) for change in store.changes(plural, since)]


def key(obj: dict[str, Any]) -> Key:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def attempt(call: Callable[[], Any]) -> tuple[Any, int]:
    """The result and 200, or None and the code of the refusal."""
    try:
        return call(), 200
    except ApiError as refused:
        return None, refused.code


class StoreMachine(RuleBasedStateMachine):
    """Writers with fresh and stale objects, a watcher that replays, and history that gets forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(Timeline(0), random.Random(0), history_limit=12)
        status = frozenset({"status"})
        self.store.register(Resource("g", "v1", "widgets", "Widget", "widget", subresources=status))
        self.read: list[dict[str, Any]] = []
        self.versions: list[int] = []
        self.store.subscribe(lambda kind, plural, obj: self.versions.append(int(obj["metadata"]["resourceVersion"])))
        self.watched_at = self.store.version
        self.replica: dict[Key, dict[str, Any]] = {}
        self.past: list[tuple[int, list[dict[str, Any]]]] = []

    @rule(name=NAMES, spec=VALUES, held=st.booleans())
    def create(self, name: str, spec: dict[str, int], held: bool) -> None:
        existed = self.store.find("widgets", "d", name)
        metadata = {"name": name, "namespace": "d", "finalizers": ["x"] if held else []}
        created, code = attempt(lambda: self.store.create("widgets", {"metadata": metadata, "spec": spec}))
        assert code == (200 if existed is None else 409)
        if created:
            self.read.append(created)

    @precondition(lambda self: self.read)
    @rule(data=st.data(), spec=VALUES)
    def replace(self, data: st.DataObject, spec: dict[str, int]) -> None:
        seen = data.draw(st.sampled_from(self.read))
        now = self.store.find("widgets", *key(seen))
        written, code = attempt(lambda: self.store.update("widgets", {**seen, "spec": spec}))
        if now is None:
            assert code == 404
        else:
            is_fresh = now["metadata"]["resourceVersion"] == seen["metadata"]["resourceVersion"]
            assert code == (200 if is_fresh else 409)
        if now is None or written is None:
            return
        assert written["spec"] == spec
        grown = written["metadata"]["generation"] - now["metadata"]["generation"]
        assert grown == (spec != now["spec"])
        self.read.append(written)

    @rule(name=NAMES, status=VALUES)
    def write_status(self, name: str, status: dict[str, int]) -> None:
        now = self.store.find("widgets", "d", name)
        if now is None:
            return
        written = self.store.update("widgets", {**now, "status": status, "spec": {"q": 9}}, subresource="status")
        assert written["spec"] == now["spec"]
        assert written["metadata"]["generation"] == now["metadata"]["generation"]
        assert (written is now) == (now.get("status") == status)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        if self.store.find("widgets", "d", name):
            self.store.delete("widgets", "d", name)

    @rule(name=NAMES)
    def release(self, name: str) -> None:
        now = self.store.find("widgets", "d", name)
        if now is None:
            return
        self.store.patch("widgets", "d", name, {"metadata": {"finalizers": None}}, "merge")
        assert (self.store.find("widgets", "d", name) is None) == ("deletionTimestamp" in now["metadata"])

    @rule()
    def look_again_later(self) -> None:
        self.past.append((self.store.version, self.store.list("widgets")))

    @rule(age=st.integers(0, 5))
    def forget(self, age: int) -> None:
        self.store.trim(self.store.version - age)

    @rule()
    def watch(self) -> None:
        events, code = attempt(lambda: history(self.store, "widgets", self.watched_at))
        if code == 410:
            self.replica = {key(obj): obj for obj in self.store.list("widgets")}
            self.watched_at = self.store.version
            return
        for version, kind, obj in events:
            assert version > self.watched_at
            assert (key(obj) in self.replica) == (kind != "ADDED")
            if kind == "DELETED":
                del self.replica[key(obj)]
            else:
                self.replica[key(obj)] = obj
            self.watched_at = version
        assert self.replica == {key(obj): obj for obj in self.store.list("widgets")}

    @invariant()
    def versions_only_grow(self) -> None:
        assert self.versions == sorted(set(self.versions))
        newest = [int(obj["metadata"]["resourceVersion"]) for obj in self.store.list("widgets")]
        assert max(newest, default=0) <= self.store.version

    @invariant()
    def the_past_stays_as_it_was_or_is_gone(self) -> None:
        for version, objects in self.past:
            seen, code = attempt(lambda version=version: self.store.snapshot("widgets", version))
            assert code == 410 or seen == objects


StoreMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestStoreMachine = StoreMachine.TestCase
