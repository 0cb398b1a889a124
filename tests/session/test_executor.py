"""Commands go out once at a time, and what comes back is judged by what it says."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from emqx_tui.model.errors import Conflict, Forbidden, NotFound, Rejected, Unauthorized, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.model.workloads import Address, Port
from emqx_tui.rollout.change import Rates
from emqx_tui.rollout.commands import (
    CloseValve,
    Command,
    Nudge,
    RepairEndpoints,
    RestoreDelay,
    RestoreTemplate,
    Scale,
    StartDrain,
    StopDrain,
    Target,
)
from emqx_tui.rollout.requests import EmqxReply
from emqx_tui.session.commands.executor import CommandDone, CommandFailed, Executor, judge_reply, observed
from tests.support import scenes as build
from tests.support.fakes import FakeEmqx, FakeKube, until

CR = Target("default", "emqx-ee", "uid-cr", "10")
CR_PATH = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee"
VALVE = CloseValve(CR, 1_000_000_000)
SCALE = Scale(Target("default", "sts", "u", "1"), 3, 2)
SCALE_PATH = "/apis/apps/v1/namespaces/default/statefulsets/sts/scale"
START = StartDrain(
    "default", "p-2", "n@p-2.h", ("n@g-0.h",), Rates(200, 200, 5), "emqx-ee", frozenset({"10.0.1.0", "10.0.1.1"})
)
STOP = StopDrain("default", "p-2", "n@p-2.h")


def resource(template: Any = build.OLD_TEMPLATE, version: str = "11") -> dict[str, Any]:
    meta = {"name": "emqx-ee", "namespace": "default", "uid": "uid-cr", "resourceVersion": version}
    return {"kind": "EmqxEnterprise", "metadata": meta, "spec": {"template": template}}


class Desk:
    """An executor with its outbox."""

    def __init__(self, kube: FakeKube | None = None, emqx: FakeEmqx | None = None) -> None:
        self.kube, self.emqx = kube or FakeKube(), emqx or FakeEmqx()
        self.results: list[CommandDone | CommandFailed] = []
        self.executor = Executor(self.kube, self.emqx, self.results.append)

    async def result(self, command: Command) -> CommandDone | CommandFailed:
        assert self.executor.send(command)
        await until(lambda: self.results)
        return self.results.pop()


async def test_a_stored_object_comes_back_as_if_the_watch_had_told_it() -> None:
    done = await Desk(FakeKube({CR_PATH: resource()})).result(VALVE)
    assert isinstance(done, CommandDone)
    assert done.observed is not None
    assert (done.observed.kind, done.observed.key) == (Kind.EMQX_ENTERPRISE, ("default", "emqx-ee"))
    assert done.observed.object.meta.resource_version == "11"


async def test_a_scale_answers_with_no_object_of_ours() -> None:
    done = await Desk(FakeKube({SCALE_PATH: {"kind": "Scale", "metadata": {"name": "sts"}}})).result(SCALE)
    assert done == CommandDone(SCALE)


async def test_a_key_is_never_in_flight_twice() -> None:
    gate = asyncio.Event()

    async def slow(request):
        await gate.wait()
        return resource()

    desk = Desk(FakeKube({CR_PATH: slow, SCALE_PATH: {}}))
    assert desk.executor.send(VALVE)
    assert not desk.executor.send(CloseValve(CR, 1_000_000_007))
    assert desk.executor.send(SCALE)
    await until(lambda: len(desk.results) == 1)
    assert desk.executor.keys == {"close-valve"}
    gate.set()
    await until(lambda: len(desk.results) == 2)
    assert desk.executor.keys == frozenset()
    assert desk.executor.send(VALVE)
    assert len([r for r in desk.kube.sent if r.path == CR_PATH]) == 1
    await desk.executor.close()


ERRORS = {
    "409": (Conflict("stale"), False),
    "404": (NotFound("gone"), False),
    "no answer": (Unreachable("timed out"), False),
    "403": (Forbidden("may not"), True),
    "401": (Unauthorized("who"), True),
    "422": (Rejected("invalid"), True),
}


@pytest.mark.parametrize(("error", "is_refusal"), ERRORS.values(), ids=ERRORS)
async def test_an_error_is_told_with_its_kind(error: Exception, is_refusal: bool) -> None:
    failed = await Desk(FakeKube({CR_PATH: error})).result(VALVE)
    assert isinstance(failed, CommandFailed)
    assert failed.is_refusal is is_refusal
    assert str(error) in failed.message
    assert failed.message.startswith(error.kind)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("command", "lost_race"), [(Nudge(CR, 1_000_000_001, "for a pass"), True), (VALVE, False)])
async def test_only_a_nudge_that_met_another_write_is_no_news(command: Command, lost_race: bool) -> None:
    failed = await Desk(FakeKube({CR_PATH: Conflict("modified")})).result(command)
    assert isinstance(failed, CommandFailed)
    assert failed.lost_race is lost_race


async def test_an_answer_of_another_shape_is_a_failure_not_a_silence() -> None:
    broken = {"kind": "EmqxEnterprise", "metadata": {"name": 5}}
    failed = await Desk(FakeKube({CR_PATH: broken})).result(VALVE)
    assert isinstance(failed, CommandFailed)
    assert "unexpected answer" in failed.message
    assert not failed.is_refusal


async def test_a_bug_beneath_is_told_too_so_that_the_key_is_free_again() -> None:
    desk = Desk(FakeKube({CR_PATH: KeyError("a bug in an adapter")}))
    failed = await desk.result(VALVE)
    assert isinstance(failed, CommandFailed)
    assert "KeyError" in failed.message
    assert not failed.is_refusal
    assert desk.executor.keys == frozenset()


async def test_closing_waits_for_no_answer_and_tells_none() -> None:
    async def never(request):
        await asyncio.Event().wait()

    desk = Desk(FakeKube({CR_PATH: never}))
    desk.executor.send(VALVE)
    await until(lambda: desk.kube.sent)
    await desk.executor.close()
    assert desk.results == []
    assert desk.executor.keys == frozenset()


# -- the template goes back only as it was ------------------------------------------------------------------------

RESTORE = RestoreTemplate(CR, 4, build.OLD_TEMPLATE, Target("default", "sts", "uid-sts", "77"), 3)
SETS_PATH = "/apis/apps/v1/namespaces/default/statefulsets"


def sets(uid: str = "uid-sts", generation: int = 3) -> dict[str, Any]:
    meta = {"name": "sts", "namespace": "default", "uid": uid, "resourceVersion": "99", "generation": generation}
    return {"items": [{"metadata": meta, "spec": {"replicas": 3}}]}


async def test_the_restore_is_rehearsed_and_then_sent() -> None:
    desk = Desk(FakeKube({CR_PATH: resource(build.OLD_TEMPLATE), SETS_PATH: sets()}))
    assert isinstance(await desk.result(RESTORE), CommandDone)
    rehearsed, listed, sent = desk.kube.sent
    assert "dryRun" in rehearsed.query
    assert listed.query == {"fieldSelector": "metadata.name=sts"}
    assert "dryRun" not in sent.query
    assert rehearsed.body == sent.body


@pytest.mark.parametrize(
    "found", [sets(generation=4), sets(uid="another"), {"items": []}], ids=["another size", "another set", "gone"]
)
async def test_the_template_does_not_go_back_onto_another_blue_than_the_watch_has_told(found: dict[str, Any]) -> None:
    """The operator would give blue the size that the object asks for, and cut off the clients of what is too many."""
    desk = Desk(FakeKube({CR_PATH: resource(build.OLD_TEMPLATE), SETS_PATH: found}))
    failed = await desk.result(RESTORE)
    assert isinstance(failed, CommandFailed)
    assert "sts is not what its watch has told" in failed.message
    assert not failed.is_refusal
    assert len([r for r in desk.kube.sent if r.path == CR_PATH]) == 1


async def test_a_template_that_the_server_would_change_is_not_sent() -> None:
    """A webhook that adds a label to it would make the operator build a third set."""
    admitted = {**build.OLD_TEMPLATE, "metadata": {"labels": {"added": "yes"}}}
    desk = Desk(FakeKube({CR_PATH: resource(admitted)}))
    failed = await desk.result(RESTORE)
    assert isinstance(failed, CommandFailed)
    assert "another template" in failed.message
    assert len(desk.kube.sent) == 1


# -- addresses are written only with the pods that have them ---------------------------------------------------------

ENDPOINTS = Target("default", "emqx-ee", "uid-ep", "55")
ADDRESS = Address("10.0.1.0", "worker-0", "p-0", "uid-p-0")
REPAIR = RepairEndpoints(ENDPOINTS, (ADDRESS,), (Port("mqtt", 1883, "TCP", "", 0),), "blue only", "emqx-ee")
ENDPOINTS_PATH = "/api/v1/namespaces/default/endpoints/emqx-ee"
PODS_PATH = "/api/v1/namespaces/default/pods"


def pods(uid: str = "uid-p-0", ip: str = "10.0.1.0", *, ready: str = "True", **meta: Any) -> dict[str, Any]:
    status = {"podIP": ip, "conditions": [{"type": "ContainersReady", "status": ready}]}
    return {"items": [{"metadata": {"name": "p-0", "namespace": "default", "uid": uid, **meta}, "status": status}]}


@pytest.mark.parametrize(
    ("found", "is_sent"),
    [
        (pods(), True),
        (pods(uid="another"), False),
        (pods(ip="10.0.1.9"), False),
        (pods(deletionTimestamp="2026-01-01T12:00:00Z"), False),
        (pods(ready="False"), False),
        ({"items": []}, False),
    ],
    ids=["as the watch has told", "replaced", "with another address", "going away", "not ready any more", "gone"],
)
async def test_no_address_is_written_that_its_pod_does_not_have_any_more(found: dict[str, Any], is_sent: bool) -> None:
    desk = Desk(FakeKube({PODS_PATH: found, ENDPOINTS_PATH: {}}))
    result = await desk.result(REPAIR)
    assert isinstance(result, CommandDone) is is_sent
    assert [r.path for r in desk.kube.sent] == [PODS_PATH, ENDPOINTS_PATH][: 1 + is_sent]
    assert desk.kube.sent[0].query == {"labelSelector": "apps.emqx.io/instance=emqx-ee"}


async def test_a_pod_that_was_not_ready_before_keeps_its_address_with_its_clients() -> None:
    desk = Desk(FakeKube({PODS_PATH: pods(ready="False"), ENDPOINTS_PATH: {}}))
    assert isinstance(await desk.result(replace(REPAIR, unready=frozenset({"p-0"}))), CommandDone)


# -- a drain begins only while the Service has the addresses that were judged -----------------------------------------

SLICES_PATH = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
START_PATH = "/api/v4/load_rebalance/n@p-2.h/evacuation/start"


def slices(*ips: str, service: str = "emqx-ee") -> dict[str, Any]:
    meta = {"name": "s", "namespace": "default", "labels": {"kubernetes.io/service-name": service}}
    return {"items": [{"metadata": meta, "endpoints": [{"addresses": [ip]} for ip in ips]}]}


@pytest.mark.parametrize(
    "found",
    [slices("10.0.1.0"), slices("10.0.1.0", "10.0.1.1", "10.0.0.2"), slices(), {"items": []}],
    ids=["one has gone", "a node of its own generation is back", "none is left", "nothing is left"],
)
async def test_no_drain_begins_when_the_service_has_other_addresses_by_now(found: dict[str, Any]) -> None:
    desk = Desk(FakeKube({SLICES_PATH: found}), FakeEmqx({START_PATH: {"code": 0}}))
    failed = await desk.result(START)
    assert isinstance(failed, CommandFailed)
    assert "the addresses of Service emqx-ee are not what their watch has told" in failed.message
    assert desk.emqx.sent == []


async def test_a_drain_whose_addresses_cannot_be_read_has_not_begun() -> None:
    desk = Desk(FakeKube({SLICES_PATH: Unreachable("timed out")}), FakeEmqx({START_PATH: {"code": 0}}))
    failed = await desk.result(START)
    assert isinstance(failed, CommandFailed)
    assert (failed.is_unanswered, desk.emqx.sent) == (False, [])


# -- the delay is given back only while one set is left --------------------------------------------------------------

GIVE_BACK = RestoreDelay(CR, 60, "uid-green")


def sized(**replicas: int) -> dict[str, Any]:
    owner = [{"kind": "EmqxEnterprise", "uid": "uid-cr", "controller": True}]
    return {
        "items": [
            {
                "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "ownerReferences": owner},
                "spec": {"replicas": size},
            }
            for name, size in replicas.items()
        ]
    }


@pytest.mark.parametrize(
    ("found", "is_sent"),
    [
        (sized(green=3, blue=0), True),
        (sized(green=3), True),
        (sized(green=3, blue=1), False),
        (sized(green=0, blue=0), False),
        (sized(blue=3), False),
        ({"items": []}, False),
    ],
    ids=[
        "one is left",
        "the other is removed",
        "the other is back",
        "none wants pods",
        "it is removed",
        "none is there",
    ],
)
async def test_no_delay_is_given_back_while_another_set_wants_pods(found: dict[str, Any], is_sent: bool) -> None:
    desk = Desk(FakeKube({SETS_PATH: found, CR_PATH: resource()}))
    assert isinstance(await desk.result(GIVE_BACK), CommandDone) is is_sent
    assert [r.path for r in desk.kube.sent] == [SETS_PATH, CR_PATH][: 1 + is_sent]
    assert desk.kube.sent[0].query == {"labelSelector": "apps.emqx.io/instance=emqx-ee"}


# -- EMQX's answers count by body ---------------------------------------------------------------------------------

DONE, REFUSED, UNCLEAR = "done", "refused", "unclear"
REPLIES: dict[str, tuple[Command, EmqxReply, str, str]] = {
    "started": (START, EmqxReply(200, {"code": 0, "data": []}), DONE, ""),
    "stopped": (STOP, EmqxReply(200, {"code": 0, "data": []}), DONE, ""),
    "started already": (START, EmqxReply(200, {"code": 400, "message": "already_started"}), DONE, "already"),
    "started already, printed as a nested list": (
        START,
        EmqxReply(200, {"code": 400, "message": '[["already_started"]]'}),
        DONE,
        "already",
    ),
    "started already, as a list": (START, EmqxReply(200, {"code": 400, "message": ["already_started"]}), DONE, ""),
    "started already is no answer to a stop": (
        STOP,
        EmqxReply(200, {"code": 400, "message": "already_started"}),
        REFUSED,
        "already_started",
    ),
    "was not running": (STOP, EmqxReply(200, {"code": 400, "message": "not_started"}), DONE, "not running"),
    "not started is no answer to a start": (
        START,
        EmqxReply(200, {"code": 400, "message": "not_started"}),
        REFUSED,
        "not_started",
    ),
    "a rebalance owns the node": (
        START,
        EmqxReply(200, {"code": 400, "message": "eviction_agent_busy"}),
        REFUSED,
        "eviction_agent_busy",
    ),
    "a recipient is away": (
        START,
        EmqxReply(200, {"code": 400, "message": "unavailable nodes in migrate_to: ['n@g-1.h']"}),
        REFUSED,
        "unavailable nodes",
    ),
    "an error without code": (START, EmqxReply(200, {"message": "nodedown"}), REFUSED, "nodedown"),
    "HTTP 200 with nothing in it": (START, EmqxReply(200, {}), REFUSED, "HTTP 200"),
    "no JSON": (START, EmqxReply(404, None, "Not found."), REFUSED, "Not found."),
    "a crash": (START, EmqxReply(500, None, "Internal Error"), UNCLEAR, "Internal Error"),
    "code 0 with a bad status": (START, EmqxReply(503, {"code": 0}), UNCLEAR, "HTTP 503"),
    "its list of letters": (
        START,
        EmqxReply(200, {"code": 400, "message": f"[{','.join(map(str, b'Error communicating with '))},\"'n@p'\"]"}),
        REFUSED,
        "Error communicating with 'n@p'",
    ),
    "a list for a body": (START, EmqxReply(200, [1, 2], "[1,2]"), REFUSED, "[1,2]"),
    "escape sequences": (START, EmqxReply(200, {"code": 400, "message": "a\x1b[2Jb"}), REFUSED, "a�[2Jb"),
}


@pytest.mark.parametrize(("command", "reply", "outcome", "words"), REPLIES.values(), ids=REPLIES)
def test_what_an_answer_means(command: Command, reply: EmqxReply, outcome: str, words: str) -> None:
    result = judge_reply(command, reply)
    if isinstance(result, CommandDone):
        assert outcome == DONE
        assert words in result.note
        return
    assert outcome == (REFUSED if result.is_refusal else UNCLEAR)
    assert words in result.message


def test_a_long_answer_is_cut() -> None:
    result = judge_reply(START, EmqxReply(200, {"code": 400, "message": "x" * 5000}))
    assert isinstance(result, CommandFailed)
    assert len(result.message) <= 200


async def test_a_drain_goes_to_the_node_itself() -> None:
    emqx = FakeEmqx({START_PATH: {"code": 0}})
    assert await Desk(FakeKube({SLICES_PATH: slices("10.0.1.0", "10.0.1.1")}), emqx).result(START) == CommandDone(START)
    assert [(r.pod, r.method) for r in emqx.sent] == [("p-2", "POST")]


@pytest.mark.parametrize("answer", [None, [], "x", {}, {"kind": "EmqxEnterprise"}, {"kind": "Status", "metadata": {}}])
def test_what_is_no_object_is_not_observed(answer: Any) -> None:
    assert observed(VALVE.request(), answer) is None
