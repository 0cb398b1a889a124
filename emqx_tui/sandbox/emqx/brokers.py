"""Brokers in pods: which EMQX node runs in which pod, its volume and its address.

Owns the EMQX clusters, one per EmqxEnterprise, and the evacuation files that survive on volumes. Only the kubelet
starts and stops brokers. The credentials of a management API are those of the Secret when its broker boots.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emqx_tui.sandbox.emqx import api
from emqx_tui.sandbox.emqx.api import HttpReply, Unreachable
from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.emqx.evacuation_process import Profile
from emqx_tui.sandbox.kube.objects import Key, Object, Objects, key_of
from emqx_tui.sandbox.timeline import Timeline

INSTANCE_LABEL = "apps.emqx.io/instance"


@dataclass
class Broker:
    """An EMQX node in a pod."""

    pod: Object
    cluster: EmqxCluster
    name: str
    """the EMQX node name"""
    listening: bool = True
    """False from SIGTERM on: the MQTT listeners are closed, the management API answers to the end"""


class Brokers:
    """Implements the kubelet's Workload: a pod of an EmqxEnterprise with a container `emqx` holds a broker."""

    def __init__(self, objects: Objects, timeline: Timeline, rng: random.Random, profile: Profile) -> None:
        self.clusters: dict[Key, EmqxCluster] = {}
        self.running: dict[str, Broker] = {}
        """by pod uid"""
        self.changed: Callable[[Key], None] = lambda _: None
        """called with the cluster's key when a broker starts or stops listening"""
        self._objects = objects
        self._timeline = timeline
        self._rng = rng
        self._profile = profile
        self._ended_logs: dict[str, tuple[tuple[float, str], ...]] = {}
        """by pod uid: what the broker before the restart of its container wrote"""
        self._volumes: dict[Any, dict[str, object]] = {}
        self._by_ip: dict[str, Broker] = {}

    def cluster_of(self, key: Key) -> EmqxCluster:
        """The EMQX cluster of an EmqxEnterprise; made on first use."""
        if key not in self.clusters:
            seed = random.Random(self._rng.getrandbits(64))
            self.clusters[key] = EmqxCluster(self._timeline, seed, profile=self._profile, name=key[1])
        return self.clusters[key]

    def at_ip(self, ip: str) -> Broker | None:
        """The broker that has this address now."""
        return self._by_ip.get(ip)

    def at_pod(self, namespace: str, name: str) -> Broker | None:
        pod = self._objects.find("pods", namespace, name)
        return None if pod is None else self.running.get(pod["metadata"]["uid"])

    def request(
        self, namespace: str, pod: str, method: str, raw_path: str, body: bytes, authorization: str | None
    ) -> HttpReply:
        """The answer of that pod's management API; Unreachable when nothing listens there."""
        broker = self.at_pod(namespace, pod)
        if broker is None:
            why = "no such pod" if self._objects.find("pods", namespace, pod) is None else "connection refused"
            raise Unreachable(why)
        return self.ask(broker, method, raw_path, body, authorization)

    def ask(self, broker: Broker, method: str, raw_path: str, body: bytes, authorization: str | None) -> HttpReply:
        return api.request(broker.cluster, broker.name, method, raw_path, body, authorization)

    def log_of(self, pod: Object, previous: bool = False) -> tuple[tuple[float, str], ...]:
        """What the broker in a pod, or the one before its container restarted, wrote behind its first lines."""
        uid = pod["metadata"]["uid"]
        if previous:
            return self._ended_logs.get(uid, ())
        broker = self.running.get(uid)
        return tuple(broker.cluster.nodes[broker.name].log) if broker else ()

    # -- called by the kubelet

    def start(self, pod: Object) -> None:
        instance = (pod["metadata"].get("labels") or {}).get(INSTANCE_LABEL)
        if instance is None or all(each["name"] != "emqx" for each in pod["spec"]["containers"]):
            return
        key = (pod["metadata"]["namespace"], instance)
        cluster = self.cluster_of(key)
        self._load_credentials(cluster, key)
        name = node_name(pod)
        persisted = self._volumes.pop(volume_of(pod), None)
        cluster.add_node(name, image_version(pod), persisted=persisted)
        broker = Broker(pod, cluster, name)
        self.running[pod["metadata"]["uid"]] = broker
        self._by_ip[pod["status"]["podIP"]] = broker
        self.changed(key)

    def close(self, pod: Object) -> None:
        broker = self.running.get(pod["metadata"]["uid"])
        if broker is None or not broker.listening:
            return
        broker.listening = False
        node = broker.cluster.nodes[broker.name]
        broker.cluster.disconnect(node, node.live, "killed")
        self.changed(self._key(broker))

    def stop(self, pod: Object) -> None:
        broker = self.running.pop(pod["metadata"]["uid"], None)
        if broker is None:
            return
        broker.listening = False
        if self._by_ip.get(pod["status"]["podIP"]) is broker:
            del self._by_ip[pod["status"]["podIP"]]
        node = broker.cluster.nodes[broker.name]
        self._ended_logs[pod["metadata"]["uid"]] = tuple(node.log)
        if node.persisted is not None:
            self._volumes[volume_of(pod)] = dict(node.persisted)
        broker.cluster.stop_node(broker.name)
        self.changed(self._key(broker))

    def forget(self, pod: Object) -> None:
        self._volumes.pop(("emptyDir", pod["metadata"]["uid"]), None)
        self._ended_logs.pop(pod["metadata"]["uid"], None)

    def forget_cluster(self, key: Key) -> None:
        """The EmqxEnterprise is gone; a new one of the same name starts from nothing."""
        self.clusters.pop(key, None)

    def forget_claim(self, claim: Object) -> None:
        self._volumes.pop(("claim", *key_of(claim)), None)

    def _key(self, broker: Broker) -> Key:
        return broker.pod["metadata"]["namespace"], broker.cluster.name

    def _load_credentials(self, cluster: EmqxCluster, key: Key) -> None:
        secret = self._objects.find("secrets", key[0], f"{key[1]}-bootstrap-user")
        if secret is None:
            return
        lines = base64.b64decode(secret["data"]["bootstrap_user"]).decode().split("\n")
        for line in lines:
            user, colon, password = line.partition(":")
            if colon and user:
                cluster.credentials[user] = password


def node_name(pod: Object) -> str:
    """The EMQX node name, from the pod's own environment, as the image's entry point derives it."""
    env = {each["name"]: each.get("value", "") for each in pod["spec"]["containers"][0].get("env") or ()}
    name = env.get("EMQX_NAME", "emqx")
    return f"{name}@{pod['metadata']['name']}.{env.get('EMQX_CLUSTER__DNS__NAME', '')}"


def image_version(pod: Object) -> str:
    """The tag of the main container's image."""
    return pod["spec"]["containers"][0]["image"].rpartition(":")[2]


def volume_of(pod: Object) -> tuple[str, ...]:
    """Where /opt/emqx/data is kept: a claim that outlives the pod, or an emptyDir that does not."""
    data = next(
        (
            mount["name"]
            for mount in pod["spec"]["containers"][0].get("volumeMounts") or ()
            if mount["mountPath"] == "/opt/emqx/data"
        ),
        "",
    )
    for volume in pod["spec"].get("volumes") or ():
        if volume["name"] == data and "persistentVolumeClaim" in volume:
            return "claim", pod["metadata"]["namespace"], volume["persistentVolumeClaim"]["claimName"]
    return "emptyDir", pod["metadata"]["uid"]
