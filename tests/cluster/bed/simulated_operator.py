"""The simulated operator as a client of the real API server, where the real operator is not at hand.

Owns its kinds and webhooks in the cluster, all from the sandbox's own definitions, and its process as the bed sees
one: up or down, and how often started. It shares the bed's loop; its calls to the API server block it for moments.
"""

from __future__ import annotations

import base64
import json
import random
import signal
import ssl
from pathlib import Path
from typing import Any

from aiohttp import web

from emqx_tui.sandbox.operator.admission import refusal, with_defaults
from emqx_tui.sandbox.operator.controller import Operator
from emqx_tui.sandbox.operator.lines import LINES
from emqx_tui.sandbox.operator.plugins import PluginController
from emqx_tui.sandbox.schema.catalog import CUSTOM_KINDS, custom_definition
from emqx_tui.sandbox.timeline import Timeline
from tests.cluster.bed.brought import AskedByOperator
from tests.cluster.bed.mirror import Mirror
from tests.cluster.bed.pod_servers import DirectBrokers
from tests.cluster.bed.programs import WEBHOOK_PORT, Failed
from tests.cluster.bed.remote_store import RemoteStore

Object = dict[str, Any]
RELEASE = "2.2.29"
KIND = "emqxenterprise"


class SimulatedOperator:
    """Stands where the bed has a `Program`."""

    name = "manager"

    def __init__(
        self,
        store: RemoteStore,
        mirror: Mirror,
        timeline: Timeline,
        rng: random.Random,
        brokers: DirectBrokers | AskedByOperator,
    ) -> None:
        kept: Any = store
        watched: Any = mirror
        asked: Any = brokers
        self._operator = Operator(kept, timeline, watched, rng, asked, LINES[RELEASE])
        self._plugins = PluginController(kept, timeline, watched, lambda: self._operator.running)
        self.starts = 0

    @property
    def is_up(self) -> bool:
        return self._operator.running

    def start(self) -> None:
        self.starts += 1
        self._operator.down = False

    def stop(self, how: int = signal.SIGTERM) -> None:
        self._operator.down = True

    def failed(self, why: str) -> Failed:
        return Failed(f"the simulated operator: {why}")

    # -- webhooks

    async def serve(self, folder: Path) -> web.AppRunner:
        """Mutating and validating admission over TLS, as long as the operator is up."""
        app = web.Application()
        app.router.add_post("/mutate", self._mutate)
        app.router.add_post("/validate", self._validate)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(folder / "server.pem", folder / "server.key")
        await web.TCPSite(runner, "127.0.0.1", WEBHOOK_PORT, ssl_context=tls).start()
        return runner

    async def _review(self, request: web.Request) -> Object:
        if not self.is_up and request.transport is not None:
            request.transport.abort()
        return (await request.json())["request"]

    async def _mutate(self, request: web.Request) -> web.Response:
        asked = await self._review(request)
        admitted = with_defaults(asked["object"])
        parts = [{"op": "replace", "path": f"/{part}", "value": admitted[part]} for part in ("metadata", "spec")]
        patch = base64.b64encode(json.dumps(parts).encode()).decode()
        return _answer(asked, {"allowed": True, "patchType": "JSONPatch", "patch": patch})

    async def _validate(self, request: web.Request) -> web.Response:
        asked = await self._review(request)
        why = refusal(asked["object"], asked.get("oldObject"))
        if why is None:
            return _answer(asked, {"allowed": True})
        return _answer(asked, {"allowed": False, "status": {"code": 403, "reason": "Forbidden", "message": why}})


def _answer(asked: Object, response: Object) -> web.Response:
    body = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": asked["uid"], **response},
    }
    return web.json_response(body)


def kinds() -> list[Object]:
    """The definitions of the operator's kinds, as the sandbox has them."""
    return [custom_definition(kind) for kind in CUSTOM_KINDS]


def webhooks() -> list[Object]:
    """Of EmqxEnterprise only, in the shape of the real operator's manifests."""
    return [
        _configuration("MutatingWebhookConfiguration", "mutating-webhook-configuration", "mutating", "/mutate"),
        _configuration("ValidatingWebhookConfiguration", "validating-webhook-configuration", "validator", "/validate"),
    ]


def _configuration(kind: str, name: str, verb: str, path: str) -> Object:
    rule = {
        "apiGroups": ["apps.emqx.io"],
        "apiVersions": ["v1beta4"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["emqxenterprises"],
    }
    webhook = {
        "name": f"{verb}.enterprise.emqx.io",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"path": path}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "rules": [rule],
    }
    metadata = {"name": name}
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": metadata, "webhooks": [webhook]}
