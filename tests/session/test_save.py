"""Saving an edit that starts no release: only that, only on the object that was looked at, only what changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from emqx_tui.model.emqx_enterprise import BlueGreenUpdate, EmqxEnterprise
from emqx_tui.model.errors import Conflict, NotFound, Rejected
from emqx_tui.model.reading import Reading
from emqx_tui.rollout.change import Draft
from emqx_tui.session.commands.edit_preview import save
from emqx_tui.session.views.notice import Notice, NoticeKind
from tests.support import scenes as build
from tests.support.fakes import FakeKube

PATH = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee"
PARAMETERS = {
    "initialDelaySeconds": 60,
    "evacuationStrategy": {"waitTakeover": 5, "connEvictRate": 200, "sessEvictRate": 200},
}


def stored(version: str = "10", generation: int = 3, uid: str = "u") -> dict[str, Any]:
    meta = {"name": "emqx-ee", "namespace": "default", "uid": uid, "resourceVersion": version, "generation": generation}
    return {"metadata": meta, "spec": {"template": build.OLD_TEMPLATE, "blueGreenUpdate": PARAMETERS}}


ORIGINAL = EmqxEnterprise.from_json(stored())
RATES = replace(Draft.of(ORIGINAL), blue_green=BlueGreenUpdate(60, 5, 50, 200))


async def saved(edit: Any, *, now: dict[str, Any] | None = None, answer: Any = None) -> tuple[Notice, FakeKube]:
    kube = FakeKube({PATH: answer or stored("12", 4)})
    resource = EmqxEnterprise.from_json(now or stored("11"))
    snapshot = replace(build.idle().snapshot(), resource=Reading(resource, build.NOW))
    notice, changed = await save(edit, snapshot, kube)
    assert (changed is not None) is (notice.kind is NoticeKind.ACCEPTED)
    return notice, kube


async def test_rates_are_saved_with_what_changed_and_nothing_else() -> None:
    notice, kube = await saved(RATES)
    assert str(notice) == "saved: used by the next release"
    (request,) = kube.sent
    assert request.body == {
        "metadata": {"uid": "u", "resourceVersion": "11"},
        "spec": {"blueGreenUpdate": {"evacuationStrategy": {"connEvictRate": 50}}},
    }


async def test_a_parameter_that_was_taken_away_is_taken_away() -> None:
    edit = replace(RATES, blue_green=BlueGreenUpdate(None, 5, 200, 200))
    _, kube = await saved(edit)
    assert kube.sent[0].body["spec"] == {"blueGreenUpdate": {"initialDelaySeconds": None}}


def another_version() -> Draft:
    return replace(Draft.of(ORIGINAL), template=build.NEW_TEMPLATE)


REFUSED: dict[str, tuple[Any, dict[str, Any]]] = {
    "an edit that starts a release": (another_version(), {}),
    "an edit of nothing": (Draft.of(ORIGINAL), {}),
    "an edit that is refused": (replace(RATES, blue_green=BlueGreenUpdate(60, 5, 0, 200)), {}),
    "a plan": (build.plan(), {}),
    "somebody changed the object": (RATES, {"now": stored("11", generation=4)}),
    "the object was made anew": (RATES, {"now": stored("11", uid="other")}),
}


@pytest.mark.parametrize(("edit", "given"), REFUSED.values(), ids=REFUSED)
async def test_what_is_not_saved_is_not_sent(edit: Any, given: dict[str, Any]) -> None:
    notice, kube = await saved(edit, **given)
    assert notice.is_refusal
    assert kube.sent == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (NotFound("gone", status=404), "the object is gone"),
        (Conflict("the object has been modified", status=409), "has been modified"),
        (Rejected("denied by a webhook", status=422), "denied by a webhook"),
        (Rejected("password=hunter2 is wrong", status=422), "••••••"),
    ],
    ids=["gone", "changed meanwhile", "refused", "a secret in the refusal"],
)
async def test_the_servers_refusal_is_told(answer: Exception, words: str) -> None:
    told, _ = await saved(RATES, answer=answer)
    assert told.is_refusal
    assert words in told.text
    assert "hunter2" not in told.text
