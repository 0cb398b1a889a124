"""The tasks that look at Kubernetes: what they make of the answers, and what they watch."""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.model.errors import Forbidden
from emqx_tui.model.kinds import WATCHED, Kind
from emqx_tui.session.sources.operator import read_image
from emqx_tui.session.sources.watches import scopes
from tests.support.fakes import FakeKube

DEPLOYMENTS = "/apis/apps/v1/deployments"


def deployment(name: str, *images: str) -> dict[str, Any]:
    containers = [{"name": f"c{k}", "image": image} for k, image in enumerate(images)]
    return {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": containers}}}}


OPERATOR = "emqx/emqx-operator-controller:2.2.29"
IMAGES: dict[str, tuple[Any, str | None, str]] = {
    "found": ({"items": [deployment("web", "nginx"), deployment("emqx-operator", "proxy:1", OPERATOR)]}, OPERATOR, ""),
    "none": ({"items": [deployment("web", "nginx")]}, None, "no Deployment"),
    "an empty list": ({"items": None}, None, "no Deployment"),
    "another shape": ({"items": [{"metadata": "x"}]}, None, "unexpected answer"),
    "no object": ([], None, "unexpected answer"),
    "forbidden": (Forbidden("deployments is forbidden", status=403), None, "deployments is forbidden"),
}


@pytest.mark.parametrize(("answer", "image", "problem"), IMAGES.values(), ids=IMAGES)
async def test_the_operators_image(answer: Any, image: str | None, problem: str) -> None:
    found = await read_image(FakeKube({DEPLOYMENTS: answer}))
    assert found.image == image
    assert problem in found.problem


def test_what_is_watched_is_this_clusters_only() -> None:
    found = scopes("prod", "emqx-ee", "mqtt-in")
    assert set(found) == set(WATCHED)
    assert all(scope.namespace == "prod" for scope in found.values())
    assert found[Kind.ENDPOINTS].field_selector == "metadata.name=mqtt-in"
    assert found[Kind.ENDPOINT_SLICE].label_selector == "kubernetes.io/service-name=mqtt-in"
    assert found[Kind.SECRET].field_selector == "metadata.name=emqx-tui-emqx-ee"
    assert found[Kind.POD].label_selector == "apps.emqx.io/instance=emqx-ee"
