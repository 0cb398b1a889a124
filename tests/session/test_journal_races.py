"""The session and the journal: what others write at the same moment is neither lost nor taken for an end."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from emqx_tui.model.errors import AdapterError, Conflict, Forbidden, NotFound, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.model.reading import Reading
from emqx_tui.model.secret import Secret
from emqx_tui.rollout.change import Change, Verdict
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.rollout.intents import Hold, Resume, Start
from emqx_tui.rollout.state.journal import HoldRecord, Journal, Totals, Uncounted
from emqx_tui.session.inputs import JournalWritten, ReleaseClosed
from emqx_tui.session.options import Options, Ports
from emqx_tui.session.ports import Alive, Changed, Listed, Removed
from emqx_tui.session.records.journal_store import JournalStore
from emqx_tui.session.records.objects import LEASE_DURATION_S
from emqx_tui.session.records.release_end import ReleaseEnd
from emqx_tui.session.session import Session
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.view import EditPreview, LogSource, View
from tests.support import scenes as build
from tests.support.fakes import START, FakeClock, FakeEmqx, FakeHost, FakeKube, until

NAME = "emqx-tui-emqx-ee"
KEY = ("default", NAME)
CR_KEY = ("default", "emqx-ee")
SECRETS = "/api/v1/namespaces/default/secrets"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"


def secret_json(journal: Journal | str, version: int, made: int = 0) -> dict[str, Any]:
    """`made`: how many of this name there were before."""
    text = journal if isinstance(journal, str) else journal.dumps()
    meta = {"name": NAME, "namespace": "default", "uid": f"uid-journal-{made}", "resourceVersion": str(version)}
    meta["creationTimestamp"] = f"2026-01-01T12:{made:02}:00Z"
    return {"kind": "Secret", "metadata": meta, "data": {"journal": base64.b64encode(text.encode()).decode()}}


def secret(journal: Journal | str, version: int) -> Secret:
    return Secret.from_json(secret_json(journal, version))


class Console:
    """A session between fake ports."""

    def __init__(self, scene: build.Scene, journal: Journal | None, options: Options) -> None:
        self.kube, self.clock = FakeKube(), FakeClock()
        self.views: list[View] = []
        self.version, self.made = 100, 0
        self.kube.answers[SECRETS] = self.store
        self.kube.answers[f"{SECRETS}/{NAME}"] = self.store
        self.kube.answers[LEASES] = self.lease
        ports = Ports(self.kube, FakeEmqx(), self.clock, FakeHost())
        self.session = Session("default", "emqx-ee", ports, options, self.views.append)
        self._scene, self._journal = scene, journal
        self.gate = asyncio.Event()
        self.gate.set()

    async def store(self, request: Any) -> Any:
        """The API server, as far as the journal goes; it answers when the gate is open."""
        text = base64.b64decode(request.body["data"]["journal"]).decode()
        await self.gate.wait()
        self.version += 1
        self.made += request.method == "POST"
        return secret_json(text, self.version, self.made)

    async def lease(self, request: Any) -> Any:
        meta = {"name": NAME, "namespace": "default", "uid": "l", "resourceVersion": "1"}
        return {"metadata": meta, "spec": request.body["spec"]}

    @property
    def view(self) -> View:
        return self.views[-1]

    def tell(self, item: Any) -> None:
        self.kube.sinks[item.kind](item)

    async def listed(self) -> None:
        """All that the watches tell at first."""
        await until(lambda: len(self.kube.sinks) >= 7)
        seen = replace(self._scene, now=START).snapshot()
        self.tell(Listed(Kind.EMQX_ENTERPRISE, {CR_KEY: seen.resource.value}))
        for kind, reading in (
            (Kind.STATEFUL_SET, seen.stateful_sets),
            (Kind.POD, seen.pods),
            (Kind.SERVICE, seen.services),
        ):
            self.tell(Listed(kind, {("default", o.name): o for o in reading.value or ()}))
        found = {} if self._journal is None else {KEY: secret(self._journal, 100)}
        self.tell(Listed(Kind.SECRET, found))
        self.tell(Listed(Kind.LEASE, {}))
        self.clock.tick(0.2)
        await until(lambda: Kind.ENDPOINT_SLICE in self.kube.sinks)
        self.tell(Listed(Kind.ENDPOINTS, {CR_KEY: seen.listener_endpoints}))
        self.tell(Listed(Kind.ENDPOINT_SLICE, {}))
        await until(lambda: self.views and self.view.snapshot.listener_endpoints is not None)

    def writes(self) -> list[str]:
        return [f"{r.method} {r.path}" for r in self.kube.sent if r.method != "GET" and "/secrets" in r.path]


@asynccontextmanager
async def console(
    scene: build.Scene, journal: Journal | None, options: Options | None = None
) -> AsyncIterator[Console]:
    made = Console(scene, journal, options or Options(drives=False))
    running = asyncio.create_task(made.session.run())
    try:
        await made.listed()
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


DRAINING = build.draining()


async def test_an_intent_is_written_before_anything_is_sent() -> None:
    async with console(DRAINING, DRAINING.journal) as one:
        one.gate.clear()
        one.session.submit(Hold("ann@host"))
        await until(lambda: one.writes())
        assert one.view.is_unwritten
        assert one.view.stored == DRAINING.journal
        one.gate.set()
        await until(lambda: not one.view.is_unwritten)
        assert one.view.stored is None
        assert one.view.journal is not None
        assert one.view.journal.hold is not None
        assert one.writes() == [f"PATCH {SECRETS}/{NAME}"]


async def test_what_another_wrote_while_our_write_was_answered_is_not_lost() -> None:
    """Our write stands first, theirs came on top of it: its event reached us before our own answer."""
    async with console(DRAINING, DRAINING.journal) as one:
        one.gate.clear()
        one.session.submit(Hold("ann@host"))
        await until(lambda: one.writes())
        assert DRAINING.journal is not None
        theirs = replace(DRAINING.journal, hold=HoldRecord("bob@there", START, "stop everything", freeze=True))
        one.tell(Changed(Kind.SECRET, KEY, secret(theirs, 102)))
        await asyncio.sleep(0)
        one.gate.set()
        await until(lambda: not one.view.is_unwritten)
        assert one.view.journal is not None
        assert one.view.journal.hold is not None
        assert one.view.journal.hold.by == "bob@there"


def judged(*checks: CheckResult) -> EditPreview:
    """The answer to an edit that makes `build.plan()`."""
    return EditPreview(1, Change(Verdict.STARTS_RELEASE, (), (), {}), checks, build.plan())


BAD = CheckResult("blue-green", Outcome.FAIL, "the object has no blueGreenUpdate")
PERHAPS = CheckResult("udp", Outcome.FAIL, "UDP ports move at once", can_override=True)


@pytest.mark.parametrize(
    ("previews", "overrides", "refusal"),
    [
        pytest.param([], (), "this session has not checked this plan", id="never judged"),
        pytest.param([judged(BAD)], (), "blue-green: the object has no blueGreenUpdate", id="a check fails"),
        pytest.param([judged(BAD)], ("blue-green",), "blue-green: the object", id="no override for that one"),
        pytest.param([judged(PERHAPS)], (), "udp: UDP ports move at once", id="not overridden"),
        pytest.param([judged(PERHAPS)], ("udp",), "", id="overridden by name"),
        pytest.param([judged(BAD), judged()], (), "", id="judged again, and well"),
    ],
)
async def test_a_start_needs_a_judgement_that_lets_it(
    previews: list[EditPreview], overrides: tuple[str, ...], refusal: str
) -> None:
    """Whatever a screen lets through."""
    async with console(build.idle(), None) as one:
        one.session._reconciler.editor._previews = previews
        one.session.submit(Start(build.plan(), "ann@host", overrides))
        await until(lambda: one.view.notice_number > 0)
        assert refusal in str(one.view.notice)
        assert one.view.notice.is_refusal == bool(refusal)
        if refusal:
            assert one.writes() == []
        else:
            await until(lambda: one.writes() == [f"POST {SECRETS}"])


async def test_a_bookmark_before_our_own_creation_is_no_end_of_the_release() -> None:
    async with console(build.idle(), None) as one:
        one.session._reconciler.editor._previews = [judged()]
        one.session.submit(Start(build.plan(), "ann@host"))
        await until(lambda: one.writes() == [f"POST {SECRETS}"])
        await until(lambda: not one.view.is_unwritten)
        one.tell(Alive(Kind.SECRET))
        one.tell(Alive(Kind.POD))
        await until(lambda: one.view.sequence > 0)
        for _ in range(50):
            await asyncio.sleep(0)
        assert one.view.result == ""
        assert one.view.journal is not None
        assert one.view.journal.release_id


@pytest.mark.parametrize(
    "late",
    [
        [Removed(Kind.SECRET, KEY, "uid-journal-0")],
        [Changed(Kind.SECRET, KEY, secret(DRAINING.journal, 100)), Removed(Kind.SECRET, KEY, "uid-journal-0")],
        [Changed(Kind.SECRET, KEY, secret(DRAINING.journal, 100)), Alive(Kind.SECRET)],
    ],
    ids=["its removal", "its last state, then its removal", "its last state"],
)
async def test_late_news_of_the_last_journal_are_not_about_the_release_that_was_begun_at_once(late: list[Any]) -> None:
    """The answers to our own requests are here; the watch is late."""
    async with console(build.idle(), DRAINING.journal) as one:
        one.session._reconciler.take(ReleaseClosed())
        one.session._reconciler.editor._previews = [judged()]
        one.session.submit(Start(build.plan(), "ann@host"))
        await until(lambda: one.writes() == [f"POST {SECRETS}"] and not one.view.is_unwritten)
        begun = one.view.journal
        assert begun is not None
        for event in late:
            one.tell(event)
        for _ in range(50):
            await asyncio.sleep(0)
        assert (one.view.journal, one.view.result) == (begun, "")
        assert [line.text for line in one.view.log if "journal" in line.text] == []
        assert one.writes() == [f"POST {SECRETS}"]


async def test_a_journal_that_does_not_come_back_within_a_lease_period_is_an_end() -> None:
    async with console(DRAINING, DRAINING.journal) as one:
        one.tell(Removed(Kind.SECRET, KEY))
        await until(
            lambda: "the journal is gone: its driver may write it again" in {line.text for line in one.view.log}
        )
        assert not one.view.result
        one.clock.tick(LEASE_DURATION_S + 1)
        one.tell(Alive(Kind.SECRET))
        await until(lambda: one.view.result)
        assert one.view.result == "failed"


@pytest.mark.parametrize(
    ("scene", "result"),
    [
        (build.done(), "done"),
        (replace(build.draining(), delay_s=build.USER_DELAY_S), "failed"),
        (build.draining(), "failed"),
    ],
    ids=["the operator has ended it", "the operator goes on by itself", "it stands half-way"],
)
def test_how_a_release_ended_whose_journal_others_removed_is_what_the_object_tells(
    scene: build.Scene, result: str
) -> None:
    end = ReleaseEnd(Ports(FakeKube(), FakeEmqx(), FakeClock(), FakeHost()), lambda item: None, lambda work: None)
    assert scene.journal
    end.ended_elsewhere(scene.journal, scene.resource())
    assert end.result == result


@pytest.mark.parametrize("stands", [True, False], ids=["it stands", "it was removed"])
async def test_whoever_comes_to_drive_reads_the_journal_before_anything_follows_from_it(stands: bool) -> None:
    """Its watches may be late: the release may have ended, and its journal be gone."""
    kube, heard = FakeKube(), list[Any]()
    journal = build.draining().journal
    assert journal is not None
    tasks: list[asyncio.Task[None]] = []
    ports = Ports(kube, FakeEmqx(), FakeClock(), FakeHost())
    store = JournalStore(
        "default", "emqx-ee", ports, heard.append, lambda work: tasks.append(asyncio.create_task(work))
    )
    kube.answers[f"{SECRETS}/{NAME}"] = secret_json(journal, 100) if stands else NotFound("not found")
    store.take(secret(journal, 100), None)
    assert store.may_act
    store.look()
    assert not store.may_act
    store.take(secret(journal, 101), None)
    assert not store.may_act, "a watch may bring old news"
    await asyncio.gather(*tasks)
    assert store.may_act is stands
    (item,) = heard
    assert isinstance(item, Changed if stands else Removed)
    if not stands:
        assert store.take(None, None) is not None
        assert store.take(secret(journal, 102), None) is None
        assert store.stored is None, "late news of a journal that is gone bring it back"


@pytest.mark.parametrize("error", [None, NotFound("not found")], ids=["written", "refused"])
def test_a_journal_that_was_written_here_a_moment_ago_is_not_read_again(error: AdapterError | None) -> None:
    spawned: list[Coroutine[Any, Any, None]] = []
    ports = Ports(FakeKube(), FakeEmqx(), FakeClock(), FakeHost())
    store = JournalStore("default", "emqx-ee", ports, lambda item: None, spawned.append)
    journal = build.draining().journal
    assert journal is not None
    store.take(secret(journal, 100), None)
    store.write(journal, Hold("ann@host"))
    store.written(JournalWritten(journal, secret(journal, 101) if error is None else None, error))
    store.look()
    assert store.is_doubtful is (error is not None)
    for each in spawned:
        each.close()


def test_how_a_release_ended_is_not_told_by_what_was_read_before_its_journal_went() -> None:
    clock, aborted = FakeClock(), replace(build.done(), template="old")
    end = ReleaseEnd(Ports(FakeKube(), FakeEmqx(), clock, FakeHost()), lambda item: None, lambda work: None)
    journal = build.draining().journal
    assert journal is not None
    silent = Reading(build.draining().resource(), clock.now())
    clock.tick(10.0)
    assert end.may_come_back(journal, silent.value)
    clock.tick(10 * LEASE_DURATION_S)
    assert end.given_up(silent, is_driven=False) is None
    heard = Reading(aborted.resource(), clock.now())
    assert end.given_up(heard, is_driven=False) == journal
    end.ended_elsewhere(journal, heard.value)
    assert end.result == "aborted"


@pytest.mark.parametrize("error", [Unreachable("no answer"), Conflict("modified")], ids=["no answer", "409"])
@pytest.mark.parametrize(("intent", "comes_back"), [(None, True), (Hold("ann@host"), False)], ids=["again", "new"])
def test_a_journal_that_vanished_is_missed_until_it_stands_again(
    intent: Hold | None, comes_back: bool, error: AdapterError
) -> None:
    spawned: list[Coroutine[Any, Any, None]] = []
    ports = Ports(FakeKube(), FakeEmqx(), FakeClock(), FakeHost())
    store = JournalStore("default", "emqx-ee", ports, lambda item: None, spawned.append)
    journal = build.draining().journal
    assert journal is not None
    assert store.take(secret(journal, 100), None) is None
    assert store.take(None, None) == journal
    store.write(journal, intent)
    assert bool(store.written(JournalWritten(journal, None, error))) is isinstance(error, Unreachable)
    assert not store.may_act
    assert (store.take(None, None) == journal) is comes_back
    assert store.stored is None
    for each in spawned:
        each.close()


@pytest.mark.parametrize(
    ("seen", "at_once"),
    [
        ({"lowest_sum": 895}, False),
        ({"lowest_sum": 809}, True),
        ({"uncounted": (Uncounted(START, START + timedelta(seconds=60)),)}, True),
    ],
    ids=["a little less", "a tenth of all less", "a time of which nobody knows"],
)
def test_counters_wait_for_the_next_write_unless_something_is_lost_without(seen: Any, at_once: bool) -> None:
    """A driver that is killed takes with it what it has not written."""
    spawned: list[Coroutine[Any, Any, None]] = []
    ports = Ports(FakeKube(), FakeEmqx(), FakeClock(), FakeHost())
    store = JournalStore("default", "emqx-ee", ports, lambda item: None, spawned.append)
    journal = build.draining(totals=Totals(start_sum=900, lowest_sum=899)).journal
    assert journal is not None
    store.write(journal, None)
    store.written(JournalWritten(journal, secret(journal, 100)))
    fallen = replace(journal, totals=replace(journal.totals, **seen))
    assert store.must_write(fallen, None, is_driver=True, is_last=False) is at_once
    for each in spawned:
        each.close()


def test_counters_leave_time_for_commands_however_late_the_journal_is_answered() -> None:
    """No command leaves while a write is on its way: one write after another would hold up the release for ever."""
    spawned: list[Coroutine[Any, Any, None]] = []
    clock = FakeClock()
    store = JournalStore("default", "emqx-ee", Ports(FakeKube(), FakeEmqx(), clock, FakeHost()), print, spawned.append)
    journal = build.draining(totals=Totals(start_sum=900, lowest_sum=899)).journal
    assert journal is not None
    fallen = replace(journal, totals=replace(journal.totals, lowest_sum=895))
    store.write(journal, None)
    clock.elapsed_s = 31.0
    store.written(JournalWritten(journal, secret(journal, 100)))
    assert not store.must_write(fallen, None, is_driver=True, is_last=False)
    clock.elapsed_s = 61.0
    assert store.must_write(fallen, None, is_driver=True, is_last=False)
    for each in spawned:
        each.close()


async def test_an_older_state_of_the_journal_is_not_taken() -> None:
    async with console(DRAINING, DRAINING.journal) as one:
        one.session.submit(Hold("ann@host"))
        await until(lambda: one.writes() and not one.view.is_unwritten)
        assert DRAINING.journal is not None
        one.tell(Changed(Kind.SECRET, KEY, secret(DRAINING.journal, 99)))
        for _ in range(50):
            await asyncio.sleep(0)
        assert one.view.journal is not None
        assert one.view.journal.hold is not None


async def test_an_intent_that_lost_a_race_is_decided_on_again() -> None:
    async with console(DRAINING, DRAINING.journal) as one:
        assert DRAINING.journal is not None
        theirs = replace(DRAINING.journal, hold=HoldRecord("bob@there", START, "first"))
        answers = [Conflict("somebody was faster", status=409), secret_json(theirs, 105)]

        async def raced(request: Any) -> Any:
            found = answers.pop(0) if answers else await one.store(request)
            if isinstance(found, Exception):
                raise found
            return found

        one.kube.answers[f"{SECRETS}/{NAME}"] = raced
        one.session.submit(Hold("ann@host"))
        await until(lambda: "held already" in str(one.view.notice))
        assert one.view.journal is not None
        assert one.view.journal.hold is not None
        assert one.view.journal.hold.by == "bob@there"


HELD, UNSETTLED = "held: no further step begins", "no answer to the journal's write"
ASKED = [(LogSource.YOU, HELD)]


@pytest.mark.parametrize(
    ("error", "stands", "told", "notices"),
    [
        (None, False, ASKED, [HELD]),
        (Conflict("somebody was faster", status=409), False, ASKED, [HELD]),
        (Unreachable("reset"), True, [(LogSource.CONSOLE, UNSETTLED)], [HELD, UNSETTLED]),
        (
            Forbidden("no right", status=403),
            False,
            [(LogSource.CONSOLE, "the journal cannot be written")],
            [HELD, "the journal cannot be written"],
        ),
    ],
    ids=["written", "lost a race", "no answer", "refused"],
)
async def test_what_a_person_was_granted_is_logged_once_and_when_it_stands(
    error: AdapterError | None, stands: bool, told: list[tuple[LogSource, str]], notices: list[str]
) -> None:
    async with console(DRAINING, DRAINING.journal) as one:
        assert DRAINING.journal is not None
        held = replace(DRAINING.journal, hold=HoldRecord("ann@host", START, "held by hand"))
        failures = [error] if error else []

        async def write(request: Any) -> Any:
            if request.method == "GET":
                return secret_json(held if stands else DRAINING.journal, 105)
            if failures:
                raise failures.pop()
            return await one.store(request)

        one.version = 110
        one.kube.answers[f"{SECRETS}/{NAME}"] = write
        one.session.submit(Hold("ann@host"))
        await until(lambda: one.view.notice_number == len(notices) and not one.view.is_unwritten)
        lines = [line for line in one.view.log if line.source is not LogSource.JOURNAL and line.text != "draining"]
        assert [line.source for line in lines] == [source for source, _ in told]
        assert all(words in line.text for line, (_, words) in zip(lines, told, strict=True))
        seen = dict.fromkeys(str(view.notice) for view in one.views if view.notice)
        assert all(words in text for text, words in zip(seen, notices, strict=True))


async def test_a_journal_that_cannot_be_written_says_so_and_sends_nothing() -> None:
    async with console(DRAINING, DRAINING.journal) as one:
        one.kube.answers[f"{SECRETS}/{NAME}"] = Forbidden("secrets is forbidden", status=403)
        one.session.submit(Hold("ann@host"))
        await until(lambda: "secrets is forbidden" in str(one.view.notice))
        assert one.view.journal is not None
        assert one.view.journal.hold is None


async def test_a_read_only_console_takes_no_intent_and_writes_nothing() -> None:
    async with console(DRAINING, DRAINING.journal, Options(read_only=True)) as one:
        one.session.submit(Hold("ann@host"))
        await until(lambda: "read-only" in str(one.view.notice))
        assert one.writes() == []
        assert one.view.role is Role.WATCH_ONLY


async def test_a_journal_of_a_newer_console_is_watched_only() -> None:
    async with console(DRAINING, None) as one:
        one.tell(Changed(Kind.SECRET, KEY, secret('{"schema": 99}', 101)))
        await until(lambda: one.view.role is Role.WATCH_ONLY)
        assert "newer" in one.view.role_reason
        one.session.submit(Resume("ann@host"))
        await until(lambda: "newer" in str(one.view.notice))
        assert one.writes() == []
