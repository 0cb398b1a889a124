"""Verdict 2, addresses: how the operator writes Endpoints when it is not held, and who wins a race for them."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest

from tests.cluster.case import Case
from tests.cluster.hand import OPERATOR, SOON_S, Hand

Object = dict[str, Any]


@pytest.fixture
def hand(case: Case) -> Hand:
    return Hand(case)


def full_passes(hand: Hand, count: int) -> None:
    """Passes of an operator without a release: each writes the status twice."""
    for _ in range(count):
        writes = len(hand.writes("emqxenterprises", "status"))
        hand.nudge()
        hand.case.wait_until(
            lambda writes=writes: len(hand.writes("emqxenterprises", "status")) >= writes + 2, "a full pass"
        )


def orders(hand: Hand) -> list[tuple[str, ...]]:
    """The operator's writes of the listener's Endpoints: names in the order it wrote them."""
    found = []
    for entry in hand.writes("endpoints"):
        subsets = entry["requestObject"]["subsets"]
        found.append(tuple(each["targetRef"]["name"] for each in subsets[0]["addresses"]))
    return found


def test_a_foreign_address_list_is_noticed_although_the_annotation_still_says_ours(hand: Hand) -> None:
    """Verdict 2: compared with what lives, so ours is replaced; equal sets are written again in another order."""
    case = hand.case
    hand.start_cluster(clients=0)
    pods = hand.blue_pods
    applied = case.get("endpoints")["metadata"]["annotations"]
    hand.switch(pods[:1])
    assert case.get("endpoints")["metadata"]["annotations"] == applied
    full_passes(hand, 1)
    assert case.addresses() == pods
    full_passes(hand, 6)
    written = orders(hand)
    assert all(sorted(order) == pods for order in written[-3:])
    print(f"{len(written)} writes")
    assert any(first != second for first, second in itertools.pairwise(written)), "the order means nothing"


def test_foreign_metadata_on_endpoints_is_not_repaired_and_reaches_the_service(hand: Hand) -> None:
    """Verdict 2: a label goes with the next write, an annotation stays, on the Service too. The console writes none."""
    case = hand.case
    template = {"metadata": {"name": case.name, "annotations": {"own": "1"}}}
    hand.start_cluster(replicas=1, clients=0, serviceTemplate=template)
    writes = len(hand.writes("endpoints"))
    case.patch("endpoints", {"metadata": {"labels": {"foreign": "1"}, "annotations": {"foreign": "1"}}})
    full_passes(hand, 2)
    assert len(hand.writes("endpoints")) == writes, "no reason to write"
    subset = case.get("endpoints")["subsets"][0]
    unready = {**subset["addresses"][0], "ip": "10.244.255.254"}
    case.patch("endpoints", {"subsets": [{**subset, "notReadyAddresses": [unready]}]})
    full_passes(hand, 2)
    assert len(hand.writes("endpoints")) == writes + 1
    found = case.get("endpoints")
    assert "notReadyAddresses" not in found["subsets"][0]
    assert "foreign" not in found["metadata"]["labels"]
    assert found["metadata"]["annotations"]["foreign"] == "1"
    assert case.get("services")["metadata"]["annotations"].get("foreign") == "1"


def test_a_write_between_the_operators_read_and_its_write_wins_with_409(hand: Hand) -> None:
    """Verdict 2: the operator's pass ends there and comes again after 1 s; a hand with an old version gets 409 too."""
    case = hand.case
    hand.start_cluster(clients=0)
    version = case.get("endpoints")["metadata"]["resourceVersion"]
    pods = hand.blue_pods
    ended = threading.Event()
    lists = [[hand.address(pod)] for pod in pods]
    ports = case.get("endpoints")["subsets"][0]["ports"]

    def write() -> None:
        for addresses in itertools.cycle(lists):
            if ended.is_set():
                return
            case.try_patch("endpoints", {"subsets": [{"addresses": addresses, "ports": ports}]})

    def refused() -> list[Object]:
        return [each for each in hand.writes("endpoints") if each["responseStatus"]["code"] == 409]

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    try:
        hand.hurry(refused, "409", within_s=300, every_s=2.0)
    finally:
        ended.set()
        for writer in writers:
            writer.join()
    case.wait_until(lambda: case.addresses() == pods, "the pass that came again", within_s=SOON_S)
    audited = case.audit("endpoints", "", OPERATOR)
    print(f"{len(refused())} writes of the operator refused")
    assert audited[-1]["responseStatus"]["code"] == 200
    assert hand.switch(pods[:1], resourceVersion=version)["code"] == 409
