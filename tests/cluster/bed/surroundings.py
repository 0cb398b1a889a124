"""What a cluster has before anybody installs EMQX: machines, namespaces, the operator's kinds, webhooks and Deployment.

Owns nothing afterwards. Kinds and webhooks are the operator's own files, as the build left them beside the binaries.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml

from emqx_tui.sandbox.controllers.addresses import PodAddresses
from tests.cluster.bed.kube import Kube, path_of
from tests.cluster.bed.programs import USERS, WEBHOOK_PORT

Object = dict[str, Any]
KUBELET_PORT = 10250
OPERATOR_NAMESPACE = "emqx-operator-system"
OPERATOR_NAME = "emqx-operator-controller-manager"


async def install_machines(kube: Kube, addresses: PodAddresses) -> None:
    for machine in addresses.machines:
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": machine, "labels": {"kubernetes.io/hostname": machine}},
        }
        await kube.call("POST", path_of("nodes"), node)
        status = {
            "addresses": [{"type": "InternalIP", "address": addresses.host_ip(machine)}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": KUBELET_PORT}},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ready"}],
            "capacity": {"cpu": "16", "memory": "64Gi", "pods": "500"},
            "allocatable": {"cpu": "16", "memory": "64Gi", "pods": "500"},
        }
        await kube.patch(path_of("nodes", None, machine, "status"), {"status": status})


def _called_by_url(client: Object, ca: str) -> Object:
    """The same webhook, where the operator of the bed listens."""
    return {"url": f"https://127.0.0.1:{WEBHOOK_PORT}{client['service']['path']}", "caBundle": ca}


def manifests_of(folder: Path) -> list[Object]:
    """All objects in the YAML files of a folder."""
    texts = [path.read_text("utf-8") for path in sorted(folder.glob("*.yaml"))]
    return [made for text in texts for made in yaml.load_all(text, yaml.CSafeLoader) if made]


async def install_kinds(kube: Kube, kinds: list[Object], ca_pem: bytes) -> list[str]:
    """The operator's CRDs; returns their names."""
    ca = base64.b64encode(ca_pem).decode()
    names = []
    for kind in kinds:
        if len(kind["spec"]["versions"]) > 1:
            client = _called_by_url({"service": {"path": "/convert"}}, ca)
            webhook = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
            kind["spec"]["conversion"] = {"strategy": "Webhook", "webhook": webhook}
        names.append(kind["metadata"]["name"])
        await kube.apply(path_of("customresourcedefinitions", None, names[-1]), kind)
    return names


async def install_webhooks(kube: Kube, configurations: list[Object], ca_pem: bytes) -> None:
    ca = base64.b64encode(ca_pem).decode()
    for made in configurations:
        for webhook in made["webhooks"]:
            webhook["clientConfig"] = _called_by_url(webhook["clientConfig"], ca)
        await kube.apply(path_of(f"{made['kind'].lower()}s", None, made["metadata"]["name"]), made)


async def install_operator_deployment(kube: Kube, image: str) -> None:
    """The Deployment as people see it; no controller of the bed makes pods of it."""
    labels = {"control-plane": "controller-manager"}
    await kube.apply(
        path_of("namespaces", None, OPERATOR_NAMESPACE),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR_NAMESPACE}},
    )
    container = {"name": "manager", "image": image, "args": ["--leader-elect"]}
    made = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": OPERATOR_NAME, "namespace": OPERATOR_NAMESPACE, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    await kube.apply(path_of("deployments", OPERATOR_NAMESPACE, OPERATOR_NAME), made)
    ready = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    await kube.patch(path_of("deployments", OPERATOR_NAMESPACE, OPERATOR_NAME, "status"), {"status": ready})


ROLES = "/apis/rbac.authorization.k8s.io/v1"


async def install_rights(kube: Kube) -> None:
    """`read-only` may look everywhere; `namespace-only` gets its namespace from a test, by a RoleBinding."""
    look = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    reviews = {"apiGroups": ["authorization.k8s.io"], "resources": ["*"], "verbs": ["create"]}
    for name, rules in (("bed-read-only", [look, reviews]), ("bed-namespace-only", [everything])):
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}}
        await kube.apply(f"{ROLES}/clusterroles/{name}", {**role, "rules": rules})
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": USERS["read-only"][1]}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "bed-read-only"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "bed-read-only"},
        "subjects": [subject],
    }
    await kube.apply(f"{ROLES}/clusterrolebindings/bed-read-only", binding)
