"""Makes two recordings alike in what is each side's own: uids, versions, addresses, machines, times, hashes.

Owns the words that stand for them. A reference keeps its meaning: the uid of a pod becomes "<uid of pods/NAME>", so a
wrong reference still shows.
"""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from typing import Any

from tests.cluster.compare.recording import Recording

Object = dict[str, Any]
LAST_APPLIED = "apps.emqx.io/last-applied"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_AGE = re.compile(r"\b(\d+m)?\d+s\b( \(x\d+ over <age>\))?")
_NETWORK = re.compile(r"dial tcp.*$", re.MULTILINE)
_INSTANT = re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}")
_HASH = re.compile(r"(<set \d>-|keeping-)[0-9a-f]*[a-f][0-9a-f]*\b")
_NOISE = re.compile(r"^UEsDB|Resource Version:|last-applied|^Endpoints:|Evacuate|ReconcileError|Connections:")
_DELAY = re.compile(r"Delay -?\d+ seconds")
_RELEASE = re.compile(r"\b[0-9a-f]{12}\b")
_ACCOUNT = re.compile(r"kube-api-access-\w{5}")
_WORDS = {
    "controller-revision-hash": "<revision>",
    "currentRevision": "<revision>",
    "updateRevision": "<revision>",
    "currentStatefulSetVersion": "<revision>",
    "resourceVersion": "<version>",
    "bootstrap_user": "<secret>",
    "generation": "<number>",
    "observedGeneration": "<number>",
}
_COUNTED = (
    "connections",
    "initial_sessions",
    "initial_connected",
    "current_sessions",
    "current_connected",
    "session_goal",
    "connection_goal",
)
_UNORDERED = ("addresses", "notReadyAddresses", "endpoints", "emqxNodes")
_BOOKKEEPING = ("creationTimestamp", "managedFields", "resourceVersion", "uid", "generation")


class Names:
    """What to call things of one recording."""

    def __init__(self, recording: Recording) -> None:
        self._words: dict[str, str] = {recording.namespace: "<namespace>"}
        self._collect(recording)
        found = sorted(self._words, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, found)) or r"(?!)")

    def _collect(self, recording: Recording) -> None:
        sets = 0
        for change in recording.changes:
            if change.type != "ADDED":
                continue
            name = change.object["metadata"]["name"]
            base = name.rpartition("-")[0]
            if change.plural == "statefulsets" and base:
                sets += 1
                self._words[name] = f"{base}-<set {sets}>"
            elif change.plural == "endpointslices":
                self._words[name] = f"{change.object['metadata'].get('generateName', '')}<slice>"
            elif change.plural == "events":
                self._words[name] = f"{self._plain(name.rpartition('.')[0])}.<event>"
        for change in recording.changes:
            metadata = change.object["metadata"]
            name = self._plain(metadata["name"])
            self._words[metadata["uid"]] = f"<uid of {change.plural}/{name}>"
            if change.plural == "pods":
                self._address(change.object.get("status", {}).get("podIP"), f"<address of {name}>")
                self._address(change.object.get("status", {}).get("hostIP"), "<host>")
                self._address(change.object["spec"].get("nodeName"), "<machine>")
            if change.plural == "services" and change.object["spec"].get("clusterIP") != "None":
                self._address(change.object["spec"].get("clusterIP"), f"<address of service {name}>")

    def _address(self, text: str | None, word: str) -> None:
        if text:
            self._words[text] = word

    def _plain(self, name: str) -> str:
        for known, word in self._words.items():
            if name == known or name.startswith(f"{known}-"):
                return word + name[len(known) :]
        return name

    def text(self, text: str) -> str:
        """A text without what is the side's own."""
        told = self._pattern.sub(lambda found: self._words[found[0]], text)
        told = _TIME.sub("<time>", _NETWORK.sub("dial tcp <network>", told))
        return _ACCOUNT.sub("kube-api-access", _RELEASE.sub("<release>", _DELAY.sub("Delay <n> seconds", told)))

    def value(self, value: Any, key: str = "") -> Any:
        """Any JSON value, likewise."""
        if isinstance(value, dict):
            return {self.text(name): self.value(child, name) for name, child in _tidy(value).items()}
        if isinstance(value, list):
            listed = [self.value(child, key) for child in value]
            unordered = key in _UNORDERED or (key == "ports" and "containerPort" not in json.dumps(listed))
            return sorted(listed, key=lambda each: json.dumps(each, sort_keys=True)) if unordered else listed
        if key in _WORDS and value:
            return _WORDS[key]
        if key in _COUNTED and isinstance(value, int) and value:
            return "<number>"
        if key == LAST_APPLIED and isinstance(value, str):
            return self.value(_unpacked(value))
        return self.text(value) if isinstance(value, str) else value

    def printed(self, text: str) -> list[str]:
        """Lines that a person sees, sorted, without what is never the same twice: ages, instants, packed notes."""
        plain = _INSTANT.sub("<time>", _AGE.sub("<age>", self.text(text)))
        lines = (_HASH.sub(r"\1<hash>", line.strip()) for line in plain.splitlines())
        lines = ("  ".join(map(_sorted_addresses, re.split(r"\s{2,}", line))) for line in lines)
        return sorted(line for line in lines if line and not _NOISE.search(line))


def _sorted_addresses(cell: str) -> str:
    """Who comes first among addresses means nothing."""
    listed, more, rest = cell.partition(" + ")
    return ",".join(sorted(listed.split(","))) + more + rest if "<address" in cell else cell


def _tidy(value: Object) -> Object:
    """When an owner wrote is nobody's business here."""
    return {key: child for key, child in value.items() if key != "time"} if "fieldsV1" in value else value


def _unpacked(text: str) -> Object:
    """What the operator noted of an object, without what it copies there of the server's bookkeeping."""
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(text))) as archive:
        noted = json.loads(archive.read(archive.namelist()[0]))
    metadata = {key: child for key, child in noted["metadata"].items() if key not in _BOOKKEEPING}
    return {**{key: child for key, child in noted.items() if key != "status"}, "metadata": metadata}
