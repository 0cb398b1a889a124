"""Questions about one object: what is asked of the server, what of its answers is shown, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from emqx_tui.model.errors import Forbidden, NotFound, Rejected, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.rollout.redaction import REDACTED
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.sandbox.schema.catalog import custom_definition
from emqx_tui.session.inspection.inspector import AGAIN_S, FIRST_LINES, TELL_EVERY_S, Inspector
from emqx_tui.session.inspection.inventory import take_inventory
from emqx_tui.session.inspection.questions import (
    ALL_RIGHTS,
    LIST_CLAIMS,
    READ_LOGS,
    Answer,
    Question,
    ReadEvents,
    ReadLog,
    ReadObject,
    ReadSchema,
    Target,
)
from emqx_tui.session.ports import LineSink
from tests.support.fakes import FakeClock, FakeEmqx, FakeKube, until

POD = Target(Kind.POD, "mqtt", "emqx-ee-0", "uid-0")
EVENTS, PODS = "/api/v1/namespaces/mqtt/events", "/api/v1/namespaces/mqtt/pods/emqx-ee-0"


def inspector(kube: Any, emqx: FakeEmqx | None = None, *, node: str = "", clock: FakeClock | None = None) -> Inspector:
    return Inspector(kube, emqx or FakeEmqx(), clock or FakeClock(), lambda pod: node)


async def ask(question: Question, kube: Any, **more: Any) -> Answer:
    told: list[Answer] = []
    await inspector(kube, **more).run(7, question, told.append)
    assert told[-1].number == 7
    assert told[-1].is_complete
    return told[-1]


def event(reason: str, at: str = "2026-11-23T12:00:00Z", uid: str = "uid-0") -> dict[str, Any]:
    return {
        "metadata": {"name": reason, "namespace": "mqtt"},
        "reason": reason,
        "message": "m",
        "lastTimestamp": at,
        "involvedObject": {"kind": "Pod", "name": "emqx-ee-0", "uid": uid},
    }


# --- objects and Events ----------------------------------------------------------------------------------------------


async def test_an_object_is_shown_without_secrets_and_without_what_a_terminal_would_obey():
    body = {
        "kind": "Pod",
        "metadata": {"name": "x\x1b[2J", "annotations": {"a\x9b": "line 1\nline\u202e 2"}},
        "spec": {"containers": [{"env": [{"name": "A", "value": "s3cret"}]}]},
    }
    found = (await ask(ReadObject(POD), FakeKube({PODS: body}))).object
    assert found is not None
    assert found["metadata"] == {"name": "x�[2J", "annotations": {"a�": "line 1\nline� 2"}}
    assert found["spec"]["containers"][0]["env"] == [{"name": "A", "value": REDACTED}]


OPENAPI = "/openapi/v3/apis/apps.emqx.io/v1beta4"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/emqxenterprises.apps.emqx.io"


@pytest.mark.parametrize(
    "openapi",
    [Forbidden("no", status=403), NotFound("no"), {"components": {"schemas": {}}}],
    ids=["forbidden", "an old server", "the kind is not in it"],
)
async def test_the_schema_comes_from_the_definition_where_there_is_no_openapi_document(openapi):
    kube = FakeKube({OPENAPI: openapi, DEFINITION: custom_definition("EmqxEnterprise")})
    schema = (await ask(ReadSchema(), kube)).schema
    assert schema is not None
    assert schema.at(("spec", "replicas")) is not None


async def test_a_schema_that_nobody_may_read_is_told_in_one_line():
    kube = FakeKube({OPENAPI: Forbidden("no", status=403), DEFINITION: Forbidden('User "u" cannot get', status=403)})
    answer = await ask(ReadSchema(), kube)
    assert (answer.schema, answer.problem) == (None, 'not allowed: User "u" cannot get')


async def test_a_description_brings_the_events_and_a_missing_right_hides_only_its_part():
    kube = FakeKube({PODS: {"kind": "Pod"}, EVENTS: {"items": [event("b", "2026-11-23T12:00:09Z"), event("a"), 7]}})
    answer = await ask(ReadObject(POD, with_events=True), kube)
    assert [found.reason for found in answer.events] == ["a", "b"]
    assert kube.sent[-1].query == {"fieldSelector": "involvedObject.name=emqx-ee-0,involvedObject.uid=uid-0"}
    kube.answers[EVENTS] = Forbidden('events is forbidden: User "u" cannot list', status=403)
    answer = await ask(ReadObject(POD, with_events=True), kube)
    assert answer.object == {"kind": "Pod"}
    assert answer.events_problem.startswith("not allowed: events is forbidden")


async def test_events_of_several_objects_are_those_of_their_uids():
    kube = FakeKube({EVENTS: {"items": [event("mine"), event("of another", uid="uid-9")]}})
    answer = await ask(ReadEvents((POD, Target(Kind.STATEFUL_SET, "mqtt", "emqx-ee", "uid-s"))), kube)
    assert [(found.reason, found.about) for found in answer.events] == [("mine", "Pod/emqx-ee-0")]


async def test_a_node_is_asked_about_itself_only():
    node = "emqx-ee@emqx-ee-0.headless"
    emqx = FakeEmqx(
        {
            f"/api/v4/nodes/{node}": {"code": 0, "data": {"node": node, "load1": "0.32"}},
            f"/api/v4/nodes/{node}/stats": {"code": 0, "data": {"live_connections.count": 3}},
            "/api/v4/node_eviction/status": {"status": "disabled"},
        }
    )
    target = Target(None, "mqtt", "emqx-ee-0")
    found = (await ask(ReadObject(target), FakeKube(), emqx=emqx, node=node)).object
    assert found == {
        "node": {"node": node, "load1": "0.32"},
        "stats": {"live_connections.count": 3},
        "eviction": {"status": "disabled"},
    }
    assert {request.pod for request in emqx.sent} == {"emqx-ee-0"}
    assert "has told its name" in (await ask(ReadObject(target), FakeKube())).problem


async def test_what_the_server_says_is_told_and_never_raised():
    assert (await ask(ReadObject(POD), FakeKube({PODS: NotFound("pods not found", status=404)}))).problem == (
        "pods not found"
    )
    assert (
        "cannot be read"
        in (await ask(ReadEvents((POD,)), FakeKube({EVENTS: {"items": 7}}))).problem
        + (await ask(ReadEvents((POD,)), FakeKube({EVENTS: {"items": 7}}))).events_problem
    )


# --- logs ------------------------------------------------------------------------------------------------------------


@dataclass
class LogKube:
    """Each request gets the next body: lines, then the end of the stream or an error."""

    bodies: list[tuple[list[str], Exception | None]]
    sent: list[KubeRequest] = field(default_factory=list)
    is_open: bool = False

    async def lines(self, request: KubeRequest, sink: LineSink) -> None:
        self.sent.append(request)
        lines, error = self.bodies.pop(0) if self.bodies else ([], None)
        for line in lines:
            sink(line)
        if error is not None:
            raise error
        if not self.bodies:
            self.is_open = True
            try:
                await asyncio.Event().wait()
            finally:
                self.is_open = False


def stamped(*texts: str, second: int = 0) -> list[str]:
    return [f"2026-11-23T12:00:{second:02}.{n:09}Z {text}" for n, text in enumerate(texts)]


class Following:
    """A log that is followed, with a clock that a test moves."""

    def __init__(self, kube: LogKube, question: ReadLog) -> None:
        self.kube, self.clock = kube, FakeClock()
        self.told: list[Answer] = []
        self.task = asyncio.create_task(inspector(kube, clock=self.clock).run(1, question, self.told.append))

    async def until(self, condition: Callable[[], Any]) -> None:
        def moved() -> bool:
            if condition():
                return True
            self.clock.tick(max(TELL_EVERY_S, AGAIN_S))
            return False

        await until(moved)

    @property
    def lines(self) -> tuple[str, ...]:
        return self.told[-1].log.lines if self.told else ()


FOLLOW = ReadLog("mqtt", "emqx-ee-0", "emqx")


async def test_a_log_is_followed_and_let_go_when_nobody_looks():
    kube = LogKube([(stamped("a", "b"), None)])
    following = Following(kube, FOLLOW)
    await following.until(lambda: following.lines == ("a", "b"))
    assert following.told[-1].log.is_followed
    assert not following.told[-1].is_complete
    assert kube.sent[0].query == {
        "container": "emqx",
        "timestamps": "true",
        "follow": "true",
        "tailLines": str(FIRST_LINES),
    }
    assert kube.is_open
    following.task.cancel()
    await asyncio.gather(following.task, return_exceptions=True)
    assert not kube.is_open


async def test_a_stream_that_breaks_off_goes_on_behind_its_last_line():
    broken = (stamped("a", "b"), Unreachable("connection reset"))
    kube = LogKube([broken, ([*stamped("a", "b"), *stamped("c", second=3)], None)])
    following = Following(kube, FOLLOW)
    await following.until(lambda: following.lines == ("a", "b", "c"))
    assert kube.sent[1].query["sinceTime"] == stamped("", "")[1].strip()
    assert "tailLines" not in kube.sent[1].query
    assert following.told[-1].problem == ""
    following.task.cancel()
    await asyncio.gather(following.task, return_exceptions=True)


async def test_a_container_that_has_not_started_is_asked_again_and_a_pod_that_is_gone_is_not():
    kube = LogKube([([], Rejected("is waiting to start", status=400)), ([], NotFound("pods not found", status=404))])
    following = Following(kube, FOLLOW)
    await following.until(following.task.done)
    assert len(kube.sent) == 2
    assert following.told[-1].is_complete
    assert following.told[-1].problem == "pods not found"


async def test_the_log_before_a_restart_is_read_once():
    kube = LogKube([(stamped("last words"), None), ([], None)])
    following = Following(kube, ReadLog("mqtt", "emqx-ee-0", "emqx", is_previous=True))
    await following.until(following.task.done)
    assert following.lines == ("last words",)
    assert kube.sent[0].query["previous"] == "true"
    assert "follow" not in kube.sent[0].query


async def test_a_log_can_begin_some_minutes_ago():
    kube = LogKube([(stamped("a"), None)])
    following = Following(kube, ReadLog("mqtt", "emqx-ee-0", "emqx", since_s=300))
    await following.until(lambda: following.lines)
    assert kube.sent[0].query["sinceSeconds"] == "300"
    following.task.cancel()
    await asyncio.gather(following.task, return_exceptions=True)


# --- claims and rights -----------------------------------------------------------------------------------------------

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
CLAIMS = "/api/v1/namespaces/mqtt/persistentvolumeclaims"


def reviews(*denied: str) -> Callable[[KubeRequest], Any]:
    async def answer(request: KubeRequest) -> Any:
        asked = request.body["spec"]["resourceAttributes"]
        assert asked["namespace"] == "mqtt"
        name = "/".join(part for part in (asked["resource"], asked.get("subresource", "")) if part)
        return {"status": {"allowed": f"{asked['verb']} {name}" not in denied}}

    return answer


async def test_claims_are_those_of_the_cluster():
    claim = {"metadata": {"name": "data-emqx-ee-0", "namespace": "mqtt"}, "status": {"phase": "Bound"}}
    kube = FakeKube({REVIEWS: reviews(), CLAIMS: {"items": [claim]}})
    found = await take_inventory(kube, "mqtt", "emqx-ee")
    assert [claim.name for claim in found.claims] == ["data-emqx-ee-0"]
    assert not found.missing
    assert kube.sent[-1].query == {"labelSelector": "apps.emqx.io/instance=emqx-ee"}
    assert len([request for request in kube.sent if request.path == REVIEWS]) == len(ALL_RIGHTS)


async def test_a_right_that_is_denied_is_named_and_nothing_is_asked_for_without_it():
    kube = FakeKube({REVIEWS: reviews("get pods/log", "list persistentvolumeclaims")})
    found = await take_inventory(kube, "mqtt", "emqx-ee")
    assert found.missing == {READ_LOGS, LIST_CLAIMS}
    assert found.claims_problem == "not shown: the right to list persistentvolumeclaims is missing"
    assert {request.path for request in kube.sent} == {REVIEWS}


async def test_a_server_without_access_reviews_denies_nothing():
    found = await take_inventory(FakeKube({CLAIMS: {"items": []}}), "mqtt", "emqx-ee")
    assert not found.missing
