"""Each fault of a rehearsal strikes something in the middle of a release, at its instant, and is mended."""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.sandbox.fault_spec import KINDS, Fault
from emqx_tui.sandbox.world.faults import arrange
from emqx_tui.sandbox.world.scenario import manifest
from emqx_tui.sandbox.world.shape import Shape, line_of, shaped
from emqx_tui.sandbox.world.world import World

START = 1767268800.0
PATH = "/apis/apps.emqx.io/v1beta4/namespaces/prod/emqxenterprises/mq"


def world(**given: Any) -> World:
    made = manifest(name="mq", namespace="prod", replicas=2, delay_s=600)
    shape = {"operator": "2.2.29", "clients": (300, 100), "kept_sessions": (0, 40), "boot_s": 15.0, **given}
    return shaped(Shape(made, **shape), seed=1, start=START)


def release(of: World) -> None:
    """As `kubectl patch` begins it."""
    body = {"spec": {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}}}}
    assert of.api.request("PATCH", PATH, {}, body, "application/merge-patch+json", manager="test").status == 200


@pytest.mark.parametrize("name", sorted(KINDS))
def test_it_strikes_at_its_instant_and_is_mended(name: str) -> None:
    struck, told = world(), list[Any]()
    if name == "journal-removed":
        struck.store.create("secrets", {"metadata": {"name": "emqx-tui-mq", "namespace": "prod"}})
    for_s = 10.0 if KINDS[name].lasts_s else None
    fault = Fault(name, 120.0, for_s)
    arrange(struck, [fault], told.append)
    struck.advance(50.0)
    assert told == [], "nothing before the release"
    release(struck)
    begun = struck.now
    struck.advance(125.0)
    assert [(each["fault"], each["at"]) for each in told] == [(str(fault), begun + 120.0)]
    assert told[0]["struck"]
    struck.advance(60.0)
    assert [each["mended_at"] for each in told[1:]] == ([begun + 130.0] if for_s else [])


def test_a_fault_without_a_victim_says_so() -> None:
    struck, told = world(), list[Any]()
    arrange(struck, [Fault("green-pod-restart", 0.0)], told.append)
    release(struck)
    struck.advance(1.0)
    assert [each["struck"] for each in told] == [""]


def test_the_api_server_breaks_its_connections_and_comes_back() -> None:
    struck, broken = world(), list[bool]()
    struck.on_api_down.append(lambda: broken.append(struck.api_down))
    arrange(struck, [Fault("api-down", 5.0, 10.0)], lambda told: None)
    release(struck)
    struck.advance(6.0)
    assert (struck.api_down, broken) == (True, [True])
    struck.advance(10.0)
    assert (struck.api_down, broken) == (False, [True])


def test_a_shape_has_its_clients_and_sessions_on_its_nodes() -> None:
    made = world()
    nodes = [node for _, node in sorted(made.cluster("mq", "prod").nodes.items())]
    assert [node.live for node in nodes] == pytest.approx([300, 100], abs=5)
    assert [node.retained for node in nodes] == pytest.approx([0, 40], abs=5)
    assert made.config.operator == "2.2.29"


@pytest.mark.parametrize(
    ("release", "line"),
    [
        ("2.2.29", "2.2.29"),
        ("2.2.0", "2.2.29"),
        ("2.1.9", "2.1.4"),
        ("2.1.3", "2.1.4"),
        ("2.1.2", "2.1.2"),
        ("2.0", "2.1.0"),
    ],
)
def test_the_line_of_an_operator(release: str, line: str) -> None:
    assert line_of(release) == line


def test_a_cluster_that_is_gone_can_be_struck_no_more() -> None:
    struck, told = world(), list[Any]()
    arrange(struck, [Fault("emqx-api-down", 1.0, 30.0), Fault("green-pod-lost", 20.0)], told.append)
    release(struck)
    struck.advance(5.0)
    struck.store.delete("emqxenterprises", "prod", "mq")
    struck.advance(60.0)
    assert [each.get("struck", "mended") != "" for each in told] == [True, False, True]
