"""The real programs of the bed: etcd, kube-apiserver, kube-controller-manager, the operator.

Owns their processes, keys, flags and logs, all below one folder. Everything listens inside the bed's own network
namespace, so the usual ports are free.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from emqx_tui.sandbox.apiserver.certificates import Authority, create_authority

API_PORT = 6443
WEBHOOK_PORT = 9443
CONTROLLERS = (
    "statefulset-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "persistentvolumeclaim-protection-controller",
)
"""No node lifecycle (nobody renews leases), no volumes (pods start without), no scheduler (the kubelet binds)."""

USERS = {
    "admin": ("admin", "system:masters"),
    "kubelet": ("system:node:bed", "system:masters"),
    "operator": ("system:serviceaccount:emqx-operator-system:emqx-operator-controller-manager", "system:masters"),
    "controllers": ("system:kube-controller-manager", "system:masters"),
    "namespace-only": ("dev", "bed:namespace-only"),
    "read-only": ("guest", "bed:read-only"),
}
"""context -> user name, group"""


class Failed(Exception):
    """A program did not come up; the text says which, and where its log is."""


class Keys:
    """Keys and kubeconfigs of one bed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority: Authority = create_authority("127.0.0.1")
        self.tokens = {context: secrets.token_hex(16) for context in USERS}
        (folder / "ca.pem").write_bytes(self.authority.ca_pem)
        (folder / "server.pem").write_bytes(self.authority.server_pem)
        self._private("server.key", self.authority.server_key_pem)
        signing = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = serialization.Encoding.PEM
        plain = serialization.NoEncryption()
        self._private("accounts.key", signing.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, plain))
        public = signing.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        (folder / "accounts.pub").write_bytes(public)
        lines = [f'{self.tokens[c]},{user},{user},"{group}"' for c, (user, group) in USERS.items()]
        self._private("tokens.csv", "\n".join(lines).encode())

    def _private(self, name: str, data: bytes) -> None:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_bytes(data)

    def kubeconfig(self, name: str, server: str, *contexts: str) -> Path:
        """A kubeconfig for some of the users; the first context is the current one."""
        made = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "bed",
                    "cluster": {"server": server, "certificate-authority": str(self.folder / "ca.pem")},
                }
            ],
            "users": [{"name": c, "user": {"token": self.tokens[c]}} for c in contexts],
            "contexts": [{"name": c, "context": {"cluster": "bed", "user": c}} for c in contexts],
            "current-context": contexts[0],
        }
        self._private(name, json.dumps(made).encode())
        return self.folder / name


class Program:
    """One process; `argv[0]` is what it is told it is called."""

    def __init__(self, folder: Path, name: str, binary: Path | str, *flags: str, **environment: str) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._binary, self._flags, self._environment = str(binary), flags, environment
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> None:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.log.parent), **self._environment}
        self.starts += 1
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.name, *self._flags],
                executable=self._binary,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environment,
            )

    @property
    def is_up(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, how: int) -> None:
        """It is taken to run on, if only later."""
        assert self.process is not None
        self.process.send_signal(how)

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def failed(self, why: str) -> Failed:
        tail = self.log.read_text(errors="replace").splitlines()[-5:] if self.log.exists() else []
        return Failed("\n".join([f"{self.name}: {why}; its log is {self.log}", *tail]))


class Running(Protocol):
    """What can be waited for."""

    @property
    def is_up(self) -> bool: ...

    def failed(self, why: str) -> Failed: ...


async def until(program: Running, is_it: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
    """Wait for a program to do something; Failed when it ends or does not."""
    end = time.monotonic() + within_s
    while not is_it():
        if not program.is_up:
            raise program.failed("it ended")
        if time.monotonic() > end:
            raise program.failed(f"no {what} within {within_s:g} s")
        await asyncio.sleep(0.05)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
        return True
    return False


def etcd(folder: Path, binary: Path) -> Program:
    local = "http://127.0.0.1"
    return Program(
        folder,
        "etcd",
        binary,
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={local}:2379",
        f"--advertise-client-urls={local}:2379",
        f"--listen-peer-urls={local}:2380",
        "--unsafe-no-fsync",
    )


AUDITED = [
    {"group": "apps.emqx.io"},
    {"group": "apps", "resources": ["statefulsets", "statefulsets/scale"]},
    {"group": "", "resources": ["endpoints", "services", "pods/status", "configmaps"]},
    {"group": "coordination.k8s.io"},
]


def api_server(folder: Path, binary: Path, *, reads: bool) -> Program:
    """With an audit log of every write; of those that matter also what was written. With `reads` of all else, too."""
    writes = ["create", "update", "patch", "delete", "deletecollection"]
    rules = [
        {"level": "Request", "verbs": writes, "resources": AUDITED},
        {"level": "Metadata", "verbs": writes},
        {"level": "Metadata" if reads else "None"},
    ]
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": rules}
    (folder / "audit-policy.json").write_text(json.dumps(policy))
    return Program(
        folder,
        "kube-apiserver",
        binary,
        "--etcd-servers=http://127.0.0.1:2379",
        f"--secure-port={API_PORT}",
        "--bind-address=127.0.0.1",
        "--advertise-address=172.18.0.1",
        "--endpoint-reconciler-type=none",
        "--external-hostname=127.0.0.1",
        f"--tls-cert-file={folder / 'server.pem'}",
        f"--tls-private-key-file={folder / 'server.key'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'accounts.pub'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-node-port-range=30000-32767",
        f"--audit-policy-file={folder / 'audit-policy.json'}",
        f"--audit-log-path={folder / 'audit.log'}",
        "--profiling=false",
        GOMAXPROCS="2",
    )


def controller_manager(folder: Path, binary: Path, kubeconfig: Path) -> Program:
    return Program(
        folder,
        "kube-controller-manager",
        binary,
        f"--kubeconfig={kubeconfig}",
        f"--controllers={','.join(CONTROLLERS)}",
        f"--service-account-private-key-file={folder / 'accounts.key'}",
        f"--root-ca-file={folder / 'ca.pem'}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        GOMAXPROCS="2",
    )


def operator(folder: Path, binary: Path, kubeconfig: Path) -> Program:
    """Called `manager`, as in its image: that name is the field manager of what it writes."""
    certificates = folder / "operator" / "k8s-webhook-server" / "serving-certs"
    certificates.mkdir(parents=True)
    (certificates / "tls.crt").write_bytes((folder / "server.pem").read_bytes())
    key = certificates / "tls.key"
    key.touch(mode=0o600)
    key.write_bytes((folder / "server.key").read_bytes())
    return Program(
        folder,
        "manager",
        binary,
        f"--kubeconfig={kubeconfig}",
        "--health-probe-bind-address=127.0.0.1:8081",
        "--metrics-bind-address=0",
        TMPDIR=str(folder / "operator"),
        GOMAXPROCS="2",
    )
