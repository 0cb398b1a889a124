"""Scripted sessions with the real kubectl against a sandbox.

kubectl 1.32 is looked for on PATH and beside the real path of `kubectl`; an old one (Debian's 1.20) is used when
EMQX_TUI_KUBECTL_OLD names it. Without them these tests are skipped.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emqx_tui.sandbox.controllers.kubelet import NO_PULL_SUFFIX
from emqx_tui.sandbox.run.runner import Sandbox
from emqx_tui.sandbox.run.subnets import claim_subnet
from emqx_tui.sandbox.world.world import World, WorldConfig
from tests.support.programs import run

DEADLINE_S = 60
SPEED = 60
MANIFEST = """\
apiVersion: apps.emqx.io/v1beta4
kind: EmqxEnterprise
metadata:
  name: emqx-ee
spec:
  blueGreenUpdate:
    initialDelaySeconds: 60
    evacuationStrategy: {waitTakeover: 5, connEvictRate: 200, sessEvictRate: 200}
  template:
    spec:
      emqxContainer:
        image: {repository: emqx/emqx-ee, version: 4.4.14}
"""


def find_kubectl() -> str | None:
    """kubectl 1.32 by its own name, since a plain `kubectl` may be a dispatcher by server version."""
    plain = shutil.which("kubectl")
    beside = str(Path(plain).resolve().parent) if plain else None
    found = shutil.which("kubectl.1.32") or (beside and shutil.which("kubectl.1.32", path=beside))
    return found or plain


KUBECTL = find_kubectl()
OLD_KUBECTL = os.environ.get("EMQX_TUI_KUBECTL_OLD")
needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
needs_old_kubectl = pytest.mark.skipif(OLD_KUBECTL is None, reason="EMQX_TUI_KUBECTL_OLD names no kubectl")


@dataclass
class Run:
    code: int
    out: str
    err: str

    def ok(self) -> str:
        assert self.code == 0, f"{self.out}\n{self.err}"
        return self.out

    def json(self) -> Any:
        return json.loads(self.ok())

    def refused(self) -> str:
        assert self.code != 0, self.out
        return self.err


@dataclass
class Kubectl:
    """kubectl in a home of its own, pointed at the sandbox."""

    binary: str
    kubeconfig: Path
    home: Path

    def environment(self, **more: str) -> dict[str, str]:
        own = {"HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig), "PATH": os.environ["PATH"]}
        return {**own, **more}

    async def start(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            self.binary, *arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=self.environment(**environment)
        )

    async def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Run:
        process = await self.start(*arguments, **environment)
        try:
            out, err = await asyncio.wait_for(process.communicate(stdin.encode()), DEADLINE_S)
        except TimeoutError:
            process.kill()
            raise
        return Run(process.returncode or 0, out.decode(), err.decode())


def table(text: str) -> dict[str, list[str]]:
    """Rows by their first cell."""
    rows = [re.split(r"\s{2,}", line.strip()) for line in text.strip().splitlines()]
    return {row[0]: row for row in rows}


def evacuations_of(resource: dict[str, Any]) -> list[dict[str, Any]]:
    update = resource["status"].get("blueGreenUpdateStatus") or {}
    return update.get("evacuationsStatus") or []


def rewrite(path: Path, old: str, new: str) -> None:
    """The manifest with one thing changed."""
    assert old in MANIFEST
    path.write_text(MANIFEST.replace(old, new))


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    subnet = claim_subnet(random.Random())
    try:
        async with Sandbox(World(WorldConfig(clients=300, pod_subnet=subnet.cidr), seed=1), speed=SPEED) as sandbox:
            yield sandbox
    finally:
        subnet.release()


@pytest.fixture
def kubectl(sandbox: Sandbox, tmp_path: Path) -> Kubectl:
    return Kubectl(KUBECTL or "", sandbox.kubeconfig_path, tmp_path)


@pytest.fixture
async def cluster(kubectl: Kubectl, tmp_path: Path) -> Path:
    """The manifest of the release document, applied and Running."""
    path = tmp_path / "emqx-update.yaml"
    path.write_text(MANIFEST)
    assert (await kubectl("apply", "-f", str(path))).ok() == "emqxenterprise.apps.emqx.io/emqx-ee created\n"
    waited = await kubectl("wait", "--for=condition=Running", "emqxenterprise/emqx-ee", "--timeout=30s")
    assert "condition met" in waited.ok()
    return path


@needs_kubectl
async def test_the_release_document(kubectl: Kubectl, cluster: Path, sandbox: Sandbox) -> None:
    rows = table((await kubectl("get", "emqxenterprises")).ok())
    assert rows["NAME"] == ["NAME", "STATUS", "AGE"]
    assert rows["emqx-ee"][1] == "Running"
    wrong = '{"spec": {"template": {"spec": {"emqxContainer": {"emqxConfig": {"image": {"version": "4.4.15"}}}}}}}'
    refused = (await kubectl("patch", "EmqxEnterprise", "emqx-ee", "--type=merge", "-p", wrong)).refused()
    assert "Go struct field EmqxContainer.spec.template.spec.emqxContainer.emqxConfig of type string" in refused
    patch = '{"spec": {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}}}}'
    patched = await kubectl("patch", "EmqxEnterprise", "emqx-ee", "--type=merge", "-p", patch)
    assert patched.ok() == "emqxenterprise.apps.emqx.io/emqx-ee patched\n"
    # From here on at real speed: the operator alone is done within seconds otherwise, before kubectl has looked twice.
    async with asyncio.timeout(DEADLINE_S):
        while not evacuations_of(sandbox.world.store.get("emqxenterprises", "default", "emqx-ee")):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    sandbox.clock.speed = 1.0
    evacuating = "jsonpath={.status.blueGreenUpdateStatus.evacuationsStatus[0].state}"
    seen = await kubectl("wait", f"--for={evacuating}", "emqxenterprise/emqx-ee", "--timeout=30s")
    assert "condition met" in seen.ok()
    assert table((await kubectl("get", "emqxenterprises")).ok())["emqx-ee"][1] == "BlueGreenUpdating"
    status = (await kubectl("get", "emqxEnterprise", "emqx-ee", "-o", "json")).json()["status"]
    (evacuation,) = status["blueGreenUpdateStatus"]["evacuationsStatus"]
    assert evacuation["connection_eviction_rate"] == 200


TEMPLATES = (
    "{.items[*].metadata.name}",
    '{range .items[*]}{.metadata.name}{"\\t"}{.spec.blueGreenUpdate.initialDelaySeconds}{"\\n"}{end}',
    '{.items[0].status.conditions[?(@.type=="Running")].status}',
    "{.items[0].metadata.labels.apps\\.emqx\\.io/instance}",
    "{.items[0].spec.template.spec.emqxContainer.image}",
    "{..version}",
    "{.items[0].nothing.there}|{.kind}",
)


@needs_kubectl
async def test_our_templates_are_kubectls(kubectl: Kubectl, cluster: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    for template in TEMPLATES:
        theirs = (await kubectl("get", "emqxenterprises", "-o", f"jsonpath={template}")).ok()
        words = ["--kubeconfig", sandbox.kubeconfig_path, "get", "-o", f"jsonpath={template}"]
        ours = await asyncio.to_thread(run, words, tmp_path)
        assert ours.stdout.removesuffix("\n") == theirs.removesuffix("\n"), template


@needs_kubectl
async def test_get_in_all_forms(kubectl: Kubectl, cluster: Path) -> None:
    plain = table((await kubectl("get", "pods")).ok())
    assert plain["NAME"] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    pods = [name for name in plain if name.startswith("emqx-ee-")]
    assert len(pods) == 3
    wide = table((await kubectl("get", "pods", "-o", "wide")).ok())
    assert wide["NAME"][5:] == ["IP", "NODE", "NOMINATED NODE", "READINESS GATES"]
    assert wide[pods[0]][-1] == "1/1"
    as_json = (await kubectl("get", "pods", "-o", "json")).json()
    assert [item["kind"] for item in as_json["items"]] == ["Pod"] * 3
    as_yaml = (await kubectl("get", "emqxenterprise", "emqx-ee", "-o", "yaml")).ok()
    assert "kind: EmqxEnterprise" in as_yaml
    assert "initialDelaySeconds: 60" in as_yaml
    labelled = await kubectl("get", "pods", "-l", "apps.emqx.io/instance=emqx-ee", "-o", "name")
    assert labelled.ok().split() == [f"pod/{name}" for name in pods]
    assert "No resources found" in (await kubectl("get", "pods", "-l", "apps.emqx.io/instance=other")).err
    selected = await kubectl("get", "pods", "--field-selector", f"metadata.name={pods[1]}", "-o", "name")
    assert selected.ok() == f"pod/{pods[1]}\n"
    wrong = await kubectl("get", "pods", "--field-selector", "spec.color=red")
    assert "field label not supported: spec.color" in wrong.refused()
    for kind in ("statefulsets", "services", "endpoints", "endpointslices", "secrets", "events"):
        assert "emqx-ee" in (await kubectl("get", kind)).ok(), kind
    everywhere = (await kubectl("get", "nodes,namespaces,crd,leases,configmaps,all", "-A")).ok()
    assert "statefulset.apps/emqx-ee" in everywhere


@needs_kubectl
async def test_watching(kubectl: Kubectl, cluster: Path) -> None:
    watching = await kubectl.start("get", "emqxenterprises", "-w")
    assert watching.stdout is not None

    async def line() -> list[str]:
        assert watching.stdout is not None
        return (await asyncio.wait_for(watching.stdout.readline(), DEADLINE_S)).decode().split()

    try:
        assert await line() == ["NAME", "STATUS", "AGE"]
        assert (await line())[:2] == ["emqx-ee", "Running"]
        patch = '{"spec": {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}}}}'
        (await kubectl("patch", "emqxenterprise", "emqx-ee", "--type=merge", "-p", patch)).ok()
        while (await line())[1] != "BlueGreenUpdating":
            pass
    finally:
        watching.terminate()
        await watching.communicate()


@needs_kubectl
async def test_describe(kubectl: Kubectl, cluster: Path) -> None:
    enterprise = (await kubectl("describe", "emqxenterprise", "emqx-ee")).ok()
    assert re.search(r"Initial Delay Seconds:\s+60", enterprise)
    pod = (await kubectl("describe", "pods")).ok()
    assert re.search(r"Controlled By:\s+StatefulSet/emqx-ee-", pod)
    assert "emqx/emqx-ee:4.4.14" in pod
    for kind in ("statefulset", "service", "endpoints", "secret", "node", "namespace"):
        assert re.search(r"^Name:", (await kubectl("describe", kind)).ok()), kind


@needs_kubectl
async def test_apply_and_diff(kubectl: Kubectl, cluster: Path) -> None:
    assert (await kubectl("apply", "-f", str(cluster))).ok() == "emqxenterprise.apps.emqx.io/emqx-ee unchanged\n"
    assert (await kubectl("diff", "-f", str(cluster))).code == 0
    rewrite(cluster, "connEvictRate: 200", "connEvictRate: 150")
    difference = await kubectl("diff", "-f", str(cluster))
    assert difference.code == 1
    assert "-      connEvictRate: 200" in difference.out
    assert "+      connEvictRate: 150" in difference.out
    dry = await kubectl("apply", "--dry-run=server", "-f", str(cluster))
    assert dry.ok() == "emqxenterprise.apps.emqx.io/emqx-ee configured (server dry run)\n"
    assert (await kubectl("diff", "-f", str(cluster))).code == 1
    assert (await kubectl("apply", "-f", str(cluster))).ok() == "emqxenterprise.apps.emqx.io/emqx-ee configured\n"
    rate = "jsonpath={.spec.blueGreenUpdate.evacuationStrategy.connEvictRate}"
    assert (await kubectl("get", "emqxenterprise", "emqx-ee", "-o", rate)).out == "150"
    rewrite(cluster, "spec:\n  blue", "spec:\n  unknownField: 1\n  blue")
    assert 'unknown field "spec.unknownField"' in (await kubectl("apply", "-f", str(cluster))).refused()
    rewrite(cluster, "connEvictRate: 200", "connEvictRate: many")
    refused = (await kubectl("apply", "-f", str(cluster))).refused()
    assert "spec.blueGreenUpdate.evacuationStrategy.connEvictRate" in refused


@needs_kubectl
async def test_server_side_apply_has_owners(kubectl: Kubectl, tmp_path: Path) -> None:
    config_map = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "%s"}}'
    first = await kubectl("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=config_map % "1")
    assert first.ok() == "configmap/c serverside-applied\n"
    conflict = await kubectl("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=config_map % "2")
    assert 'conflict with "one"' in conflict.refused()
    assert ".data.a" in conflict.err
    forced = ("apply", "--server-side", "--force-conflicts", "--field-manager=two", "-f", "-")
    assert (await kubectl(*forced, stdin=config_map % "2")).ok() == "configmap/c serverside-applied\n"
    shown = (await kubectl("get", "cm", "c", "-o", "json", "--show-managed-fields")).json()
    owners = {entry["manager"]: entry for entry in shown["metadata"]["managedFields"]}
    assert owners["two"]["operation"] == "Apply"
    assert "f:a" in owners["two"]["fieldsV1"]["f:data"]


@needs_kubectl
async def test_patch_edit_and_scale(kubectl: Kubectl, cluster: Path) -> None:
    failing = '[{"op": "test", "path": "/spec/replicas", "value": 9}]'
    refused = (await kubectl("patch", "emqxenterprise", "emqx-ee", "--type=json", "-p", failing)).refused()
    assert "the server rejected our request due to an error in our request" in refused
    delay = '[{"op": "replace", "path": "/spec/blueGreenUpdate/initialDelaySeconds", "value": 30}]'
    (await kubectl("patch", "emqxenterprise", "emqx-ee", "--type=json", "-p", delay)).ok()
    strategic = (await kubectl("patch", "emqxenterprise", "emqx-ee", "-p", "{}")).refused()
    assert "strategic-merge-patch+json is not supported by apps.emqx.io/v1beta4" in strategic
    edited = await kubectl(
        "edit", "emqxenterprise", "emqx-ee", KUBE_EDITOR="sed -i s/initialDelaySeconds:.*/initialDelaySeconds:\\ 20/"
    )
    assert edited.ok() == "emqxenterprise.apps.emqx.io/emqx-ee edited\n"
    path = "jsonpath={.spec.blueGreenUpdate.initialDelaySeconds} {.metadata.generation}"
    assert (await kubectl("get", "emqxenterprise", "emqx-ee", "-o", path)).out == "20 3"
    wrong = await kubectl("scale", "emqxenterprise", "emqx-ee", "--replicas=4", "--current-replicas=9")
    assert "expected replicas to be 9, was 3" in wrong.refused().lower()
    scaled = await kubectl("scale", "emqxenterprise", "emqx-ee", "--replicas=4")
    assert scaled.ok() == "emqxenterprise.apps.emqx.io/emqx-ee scaled\n"
    four = "--for=jsonpath={.status.readyReplicas}=4"
    assert "condition met" in (await kubectl("wait", four, "emqxenterprise/emqx-ee", "--timeout=30s")).ok()
    (name,) = (await kubectl("get", "statefulset", "-o", "name")).ok().split()
    merge = '{"metadata": {"labels": {"touched": "yes"}}}'
    assert "patched" in (await kubectl("patch", name, "-p", merge)).ok()
    assert name in (await kubectl("get", "statefulset", "-l", "touched=yes", "-o", "name")).ok()


@needs_kubectl
async def test_delete_waits_until_it_is_gone(kubectl: Kubectl, cluster: Path) -> None:
    pod = (await kubectl("get", "pods", "-o", "name")).ok().split()[0]
    before = (await kubectl("get", pod, "-o", "jsonpath={.metadata.uid}")).out
    assert "deleted" in (await kubectl("delete", pod)).ok()
    ready = await kubectl("wait", "--for=condition=Ready", pod, "--timeout=30s")
    assert "condition met" in ready.ok()
    assert (await kubectl("get", pod, "-o", "jsonpath={.metadata.uid}")).out != before
    assert (
        (await kubectl("delete", "-f", str(cluster))).ok().startswith('emqxenterprise.apps.emqx.io "emqx-ee" deleted')
    )
    assert "NotFound" in (await kubectl("get", "emqxenterprise", "emqx-ee")).refused()
    gone = await kubectl("wait", "--for=delete", "pod", "-l", "apps.emqx.io/instance=emqx-ee", "--timeout=30s")
    assert gone.code == 0 or "no matching resources found" in gone.err
    assert "No resources found" in (await kubectl("get", "pods")).err


@needs_kubectl
async def test_foreground_deletion_takes_the_pods_first(kubectl: Kubectl, cluster: Path) -> None:
    deleted = await kubectl("delete", "emqxenterprise", "emqx-ee", "--cascade=foreground", "--timeout=30s")
    assert "deleted" in deleted.ok()
    assert "No resources found" in (await kubectl("get", "pods,statefulsets")).err


@needs_kubectl
async def test_what_may_be_done_and_what_there_is(kubectl: Kubectl) -> None:
    listed = (await kubectl("api-resources")).ok()
    assert re.search(r"emqxenterprises\s+apps.emqx.io/v1beta4\s+true\s+EmqxEnterprise", listed)
    assert re.search(r"statefulsets\s+sts\s+apps/v1\s+true\s+StatefulSet", listed)
    assert (await kubectl("auth", "can-i", "patch", "emqxenterprises")).ok() == "yes\n"
    reading = ("--context", "read-only")
    assert (await kubectl("auth", "can-i", "patch", "emqxenterprises", *reading)).out == "no\n"
    assert (await kubectl("auth", "can-i", "watch", "pods", *reading)).out == "yes\n"
    assert (await kubectl("auth", "can-i", "get", "secrets", *reading)).out == "no\n"
    namespaced = ("--context", "namespace-only")
    assert (await kubectl("auth", "can-i", "delete", "pods", *namespaced)).out == "yes\n"
    assert (await kubectl("auth", "can-i", "delete", "pods", "-n", "kube-system", *namespaced)).out == "no\n"
    assert "selfsubjectaccessreviews" in (await kubectl("auth", "can-i", "--list", *reading)).ok()
    refused = (await kubectl("get", "pods", "-A", *namespaced)).refused()
    assert 'User "namespace-only" cannot list resource "pods" in API group "" at the cluster scope' in refused
    assert "Unauthorized" in (await kubectl("get", "pods", "--token=wrong")).refused()


@needs_kubectl
async def test_events(kubectl: Kubectl, cluster: Path) -> None:
    rows = table((await kubectl("get", "events")).ok())
    assert rows["LAST SEEN"] == ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    of_cluster = await kubectl("get", "events", "--field-selector", "involvedObject.kind=EmqxEnterprise", "-o", "json")
    kinds = {item["involvedObject"]["kind"] for item in of_cluster.json()["items"]}
    assert kinds <= {"EmqxEnterprise"}


@needs_kubectl
async def test_create_in_protobuf(kubectl: Kubectl) -> None:
    assert (await kubectl("create", "configmap", "c", "--from-literal=a=b")).ok() == "configmap/c created\n"
    assert (await kubectl("create", "namespace", "mqtt")).ok() == "namespace/mqtt created\n"
    created = await kubectl("create", "secret", "generic", "s", "--from-literal=a=b", "-n", "mqtt")
    assert created.ok() == "secret/s created\n"
    shown = (await kubectl("get", "secret", "s", "-n", "mqtt", "-o", "json")).json()
    assert (shown["data"], shown["type"]) == ({"a": "Yg=="}, "Opaque")
    nowhere = await kubectl("create", "configmap", "c", "-n", "nowhere")
    assert 'namespaces "nowhere" not found' in nowhere.refused()
    assert (await kubectl("delete", "namespace", "mqtt")).ok().startswith('namespace "mqtt" deleted')


@needs_kubectl
async def test_explain(kubectl: Kubectl) -> None:
    explained = (await kubectl("explain", "emqxenterprise.spec.blueGreenUpdate.evacuationStrategy")).ok()
    assert re.search(r"connEvictRate\s+<integer>", explained)
    assert re.search(r"VERSION:\s+v1beta4", explained)
    assert "does not exist" in (await kubectl("explain", "emqxenterprise.spec.nonsense")).refused()
    assert re.search(r"replicas\s+<integer>", (await kubectl("explain", "statefulset.spec")).ok())


@needs_old_kubectl
async def test_an_old_kubectl(sandbox: Sandbox, tmp_path: Path) -> None:
    kubectl = Kubectl(OLD_KUBECTL or "", sandbox.kubeconfig_path, tmp_path)
    path = tmp_path / "emqx-update.yaml"
    path.write_text(MANIFEST)
    assert "created" in (await kubectl("apply", "-f", str(path))).ok()
    waited = await kubectl("wait", "--for=condition=Running", "emqxenterprise/emqx-ee", "--timeout=30s")
    assert "condition met" in waited.ok()
    assert table((await kubectl("get", "emqxenterprises")).ok())["emqx-ee"][1] == "Running"
    assert "unchanged" in (await kubectl("apply", "-f", str(path))).ok()
    delay = '{"spec": {"blueGreenUpdate": {"initialDelaySeconds": 30}}}'
    assert "patched" in (await kubectl("patch", "emqxenterprise", "emqx-ee", "--type=merge", "-p", delay)).ok()
    assert "configured" in (await kubectl("apply", "-f", str(path))).ok()
    dry = await kubectl("apply", "--dry-run=server", "-f", str(path))
    assert dry.ok() == "emqxenterprise.apps.emqx.io/emqx-ee unchanged (server dry run)\n"
    assert (await kubectl("diff", "-f", str(path))).code == 0
    explained = (await kubectl("explain", "emqxenterprise.spec.blueGreenUpdate.evacuationStrategy")).ok()
    assert re.search(r"connEvictRate\s+<integer>", explained)
    assert re.search(r"replicas\s+<integer>", (await kubectl("explain", "statefulset.spec")).ok())
    rewrite(path, "connEvictRate: 200", "connEvictRates: 150")
    assert 'unknown field "connEvictRates"' in (await kubectl("apply", "-f", str(path))).refused()
    rewrite(path, "connEvictRate: 200", "connEvictRate: 150")
    difference = await kubectl("diff", "-f", str(path))
    assert (difference.code, "+      connEvictRate: 150" in difference.out) == (1, True)
    assert "scaled" in (await kubectl("scale", "emqxenterprise", "emqx-ee", "--replicas=2")).ok()
    assert "deleted" in (await kubectl("delete", "emqxenterprise", "emqx-ee")).ok()
    assert "No resources found" in (await kubectl("get", "emqxenterprises")).err


@needs_kubectl
async def test_logs_are_followed_cut_by_time_and_kept_over_a_restart(
    kubectl: Kubectl, cluster: Path, sandbox: Sandbox
) -> None:
    name = sorted(pod["metadata"]["name"] for pod in sandbox.world.pods())[0]
    following = await kubectl.start("logs", name, "--follow", "--tail=1")
    assert following.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        assert b"is running now!" in await following.stdout.readline()
        sandbox.world.broker(name).log.append((sandbox.world.now, "[warning] after the first lines"))
        assert b"after the first lines" in await following.stdout.readline()
        sandbox.world.restart_broker(name)
        # The end of the container ends the stream, as the kubelet does.
        assert await following.wait() == 0
    assert "after the first lines" in (await kubectl("logs", name, "--previous")).ok()
    await until_serving(kubectl, name)
    assert "after the first lines" not in (await kubectl("logs", name)).ok()
    stamped = (await kubectl("logs", name, "--timestamps", "--since=1h")).ok().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z ", line) for line in stamped)
    last = (await kubectl("get", "pod", name, "-o", "json")).json()["status"]["containerStatuses"][0]["lastState"]
    assert last["terminated"]["exitCode"] == 137


async def until_serving(kubectl: Kubectl, pod: str) -> None:
    waited = await kubectl("wait", "--for=condition=Ready", f"pod/{pod}", f"--timeout={DEADLINE_S}s")
    assert "condition met" in waited.ok()


@needs_kubectl
async def test_logs_of_pods_that_run_and_that_cannot(kubectl: Kubectl, cluster: Path) -> None:
    (pod, *_) = json.loads((await kubectl("get", "pods", "-o", "json")).ok())["items"]
    name = pod["metadata"]["name"]
    lines = (await kubectl("logs", name)).ok().splitlines()
    assert lines[-1].endswith("EMQX Enterprise is running now!")
    assert (await kubectl("logs", name, "--tail=1")).ok().splitlines() == lines[-1:]
    for container in pod["spec"]["containers"]:
        assert (await kubectl("logs", name, "-c", container["name"])).ok()
    assert "not found" in (await kubectl("logs", "emqx-ee-nowhere-0")).refused()
    assert "is not valid for pod" in (await kubectl("logs", name, "-c", "nosuch")).refused()
    assert "previous terminated container" in (await kubectl("logs", name, "--previous")).refused()
    patch = {"spec": {"template": {"spec": {"emqxContainer": {"image": {"version": f"4.4.15{NO_PULL_SUFFIX}"}}}}}}
    (await kubectl("patch", "emqxenterprise", "emqx-ee", "--type=merge", "-p", json.dumps(patch))).ok()

    async def stuck() -> str:
        pods = (await kubectl("get", "pods", "-o", "json")).json()["items"]
        images = {each["metadata"]["name"]: each["spec"]["containers"][0]["image"] for each in pods}
        return next((each for each, image in images.items() if image.endswith(NO_PULL_SUFFIX)), "")

    why = ""
    async with asyncio.timeout(DEADLINE_S):
        while "trying and failing to pull image" not in why:
            why = (await kubectl("logs", found)).refused() if (found := await stuck()) else ""
