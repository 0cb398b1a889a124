"""Is the operator there, and is it the same one? Its webhook sees every patch of an EmqxEnterprise: a dry-run tells.

While it is down nothing of a release fails at once: drains go on inside EMQX. But the valve cannot be closed again, a
lost pod is not repaired, and an abort cannot put the template back.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime
from typing import Any

from emqx_tui.model.errors import AdapterError
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.model.wire import Fields, Malformed
from emqx_tui.rollout.decision import Decision
from emqx_tui.rollout.policy import needs_person
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.session.inputs import Put
from emqx_tui.session.ports import Kube
from emqx_tui.session.records.driving_rights import touch
from emqx_tui.session.store import OperatorAnswer, OperatorImage

EVERY_S = 25.0
"""While nothing is about to be approved."""
SOON_S = 5.0
"""While a gate waits for a person, and while the operator is not known to answer."""
AT_ONCE_S = 1.0
"""While a gate waits for the policy, which approves on an answer of just now only."""
IMAGE_EVERY_S = 180.0
IMAGE_SOON_S = 30.0
"""While a gate waits."""
TIMEOUT_S = 10.0


class OperatorSource:
    """Asks when it is time, as often as what is about to be approved needs; each answer is an input of the session."""

    def __init__(
        self, kube: Kube, put: Put, spawn: Callable[[Coroutine[Any, Any, None]], None], *, may_probe: bool
    ) -> None:
        self._kube = kube
        self._put = put
        self._spawn = spawn
        self._may_probe = may_probe
        """Dry-runs may be sent."""
        self._probe = _Question()
        self._image = _Question()

    def step(self, seen: Snapshot, decision: Decision) -> None:
        """Ask what is due."""
        is_waiting = decision.gate is not None and decision.gate.is_open
        if self._image.is_due(seen.now, IMAGE_SOON_S if is_waiting else IMAGE_EVERY_S):
            self._spawn(self._image.asked(seen.now, self._read_image()))
        # A colour is known only while a release stands: nothing is asked before.
        if self._may_probe and seen.blue_uid and self._probe.is_due(seen.now, _pause_s(seen, decision)):
            self._spawn(self._probe.asked(seen.now, self._ask(seen.namespace, seen.name)))

    async def _ask(self, namespace: str, name: str) -> None:
        self._put(await ask(self._kube, namespace, name))

    async def _read_image(self) -> None:
        self._put(await read_image(self._kube))


def _pause_s(seen: Snapshot, decision: Decision) -> float:
    gate, journal = decision.gate, decision.journal
    if gate is not None and gate.is_open and journal is not None:
        return SOON_S if needs_person(gate.kind, journal.approval) else AT_ONCE_S
    return EVERY_S if seen.operator_answers.value else SOON_S


class _Question:
    """One that is asked again and again, never twice at a time."""

    def __init__(self) -> None:
        self._asked_at: datetime | None = None
        self._is_open = False

    def is_due(self, now: datetime, pause_s: float) -> bool:
        # The cluster's clock may be set back meanwhile.
        return not self._is_open and (self._asked_at is None or abs((now - self._asked_at).total_seconds()) >= pause_s)

    async def _closing(self, answering: Coroutine[Any, Any, None]) -> None:
        try:
            await answering
        finally:
            self._is_open = False

    def asked(self, now: datetime, answering: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None]:
        self._asked_at, self._is_open = now, True
        return self._closing(answering)


async def ask(kube: Kube, namespace: str, name: str) -> OperatorAnswer:
    """One dry-run. Anything but the operator's own silence leaves it unknown."""
    try:
        await kube.request(replace(touch(namespace, name).as_dry_run(), timeout_s=TIMEOUT_S))
    except AdapterError as error:
        is_down = "failed calling webhook" in error.message and "emqx" in error.message
        return OperatorAnswer(False if is_down else None, error.message)
    return OperatorAnswer(True)


async def read_image(kube: Kube) -> OperatorImage:
    """The image of the operator's Deployment, found by its name or labels; a missing right is no error."""
    try:
        answer = await kube.request(
            KubeRequest("GET", "/apis/apps/v1/deployments", query={"limit": "500"}, timeout_s=TIMEOUT_S)
        )
    except AdapterError as error:
        return OperatorImage(None, error.message)
    try:
        images = [image for item in Fields(answer).children("items") for image in _operator_images(item)]
    except Malformed as error:
        return OperatorImage(None, f"unexpected answer: {error}")
    if images:
        return OperatorImage(images[0])
    return OperatorImage(None, "no Deployment of the EMQX Operator found")


def _operator_images(deployment: Fields) -> list[str]:
    if "emqx-operator" not in deployment.child("metadata").text("name", ""):
        return []
    containers = deployment.child("spec").child("template").child("spec").children("containers")
    images = [container.text("image", "") for container in containers]
    return [image for image in images if "emqx-operator" in image]
