"""A witness in the simulated world: it sees every write as the cluster sees it, and notes each broken promise.

It knows nothing of the console but the journal that stands in the cluster.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from emqx_tui.sandbox.world.world import World

CLOSED = 1_000_000_000
WRITES_PER_MINUTE = 50
"""Budget of a console, whatever happens: what it writes wakes the operator, and every other client of the API."""
WRITES_PER_NODE = 4
"""And for each node: where many drain at once, each is started, stopped, started back and tried again within one."""
NEWS_S = 0.5
"""That a pod is gone is known to nobody else before a watch has told it ..."""
STOPPED_NEWS_S = 1.5
"""... and that a broker has stopped in a pod that stands, before it is asked again: each is asked once a second."""
STATE_NEWS_S = 7.0
"""Nodes of green are asked every six seconds whether somebody evacuates them; one that hangs is known by silence."""
STEADY_S = 15.0
"""A node that has accepted clients for so long is known to a console."""
LISTED_S = 0.5
"""A console lists the Service's addresses so long before a start that rests on them, at most."""
PASS_S = 1.0
"""A pass of the operator goes on for so long with what it has read of the object ..."""
HUNG_PASS_S = 61.0
"""... and for so long while a broker hangs and keeps it waiting."""
HANG_S = 91.0
"""A start that was sent waits as long as a recipient hangs."""


class Witness:
    """Watches one cluster from now on; `broken` is what must stay empty."""

    def __init__(self, world: World, name: str = "emqx-ee", namespace: str = "default") -> None:
        self.world = world
        self.key = (namespace, name)
        self.broken: list[str] = []
        self.starts: list[str] = []
        self.scales: list[tuple[str, int]] = []
        self._cr = world.store.get("emqxenterprises", namespace, name)
        self._blue = next(s for s in world.store.list("statefulsets", namespace) if s["spec"]["replicas"])
        self.blue_name: str = self._blue["metadata"]["name"]
        self._sizes = {self._blue["metadata"]["name"]: self._blue["spec"]["replicas"]}
        self._image = self._image_of(self._cr)
        self._evacuating: set[str] = set()
        self._journal_seen = False
        self._journal: dict[str, Any] | None = None
        self._lost: tuple[float, dict[str, Any] | None] = (float("-inf"), None)
        """When the journal was removed or made unreadable, and what stood there."""
        self._writes: list[tuple[float, str]] = []
        self._accepting: dict[str, float] = {}
        """By address of a node that accepts clients: since when."""
        self._accepted_at: dict[str, float] = {}
        """By address: when its node was last seen to accept clients."""
        self._standing: set[str] = set()
        """Addresses whose broker runs."""
        self._stopped: set[str] = set()
        """Addresses whose broker does not run although its containers are ready: EMQX starts it anew after a split."""
        self._refusing: set[str] = set()
        """Addresses whose broker runs and is evacuated, or hangs."""
        self._empty_since: float | None = None
        """Since when the Service has had no address; None while it has one."""
        self._blue_listed_at: float | None = None
        """Since when the Service has had an address of blue; None while it has none."""
        self._their_delay: int | None = None
        """The last initial delay that others have set."""
        self._open_at = float("-inf")
        """When the valve was last seen open by their hand."""
        self._asked_at: dict[str, float] = {}
        """By pod: when a console has sent the start of its evacuation."""
        self._hung = (float("-inf"), float("-inf"))
        """When brokers began to hang, and when one was last seen to: without a pause between."""
        self._asked_until: dict[int, float] = {}
        """By a size that others have set: until when the object has asked for it."""
        self.is_edited = False
        """Somebody else has patched the object."""
        self._their_images = set[str]()
        self._their_sizes = set[tuple[str, int]]()
        self._their_evacuations: set[str] = set()
        """Sets and sizes that others have scaled them to."""
        world.store.subscribe(self._saw)
        self._saw_slices()
        self._look()

    def journal(self) -> dict[str, Any] | None:
        """The journal that stands in the cluster now; None for one that nobody can read."""
        secret = self.world.store.find("secrets", self.key[0], f"emqx-tui-{self.key[1]}")
        try:
            return json.loads(base64.b64decode(secret["data"]["journal"])) if secret else None
        except ValueError:
            return None

    def _journal_lately(self) -> dict[str, Any] | None:
        """Or the one that went a moment ago: what was sent meanwhile is on its way."""
        lost_at, lost = self._lost
        is_news = self.world.timeline.now - lost_at <= NEWS_S
        return self.journal() or (lost if is_news else None)

    def is_approved(self, gate: str) -> bool:
        journal = self._journal_lately()
        return bool(journal) and any(record["gate"] == gate for record in journal["approvals"])

    # -- what is seen

    def _look(self) -> None:
        """Evacuations are not objects of the API: look at the brokers four times a second."""
        cluster = self.world.clusters.get(self.key)
        if cluster is None:
            return
        self._note_accepting()
        if any(node.hung for node in cluster.nodes.values()):
            since, last = self._hung
            now = self.world.timeline.now
            self._hung = (since if now - last <= PASS_S else now, now)
        running = {name for name, node in cluster.nodes.items() if node.evacuation is not None}
        for name in running - self._evacuating:
            self._started(name)
        self._evacuating = running
        self.world.timeline.after(0.25, self._look)

    def _started(self, node: str) -> None:
        pod = _pod(node)
        self.starts.append(pod)
        journal = self._journal_lately()
        set_name, _, ordinal = pod.rpartition("-")
        boots = self.world.clusters[self.key].nodes[node].booted_at > self.world.timeline.now - 1.0
        if boots or self._is_opened_by_others() or self._is_asked_late():
            # A node that comes back with its volume boots evacuating: nobody has begun that now.
            return
        if set_name == self._blue["metadata"]["name"]:
            asked_s = self.world.timeline.now - self._asked_at.get(pod, float("-inf"))
            # What a console has sent was judged then; a broker that hangs does it when it goes on.
            if asked_s > HANG_S and not self.is_approved(f"node:{ordinal}"):
                self._break(f"{pod} was drained without approval")
            if asked_s > HANG_S and self._is_empty():
                self._break(f"{pod} was drained while the Service had no address")
        elif pod not in self._their_evacuations and not (journal and journal["abort"]):
            self._break(f"{pod} was drained although no abort was confirmed")

    def _saw(self, event: str, plural: str, obj: dict[str, Any]) -> None:
        if plural == "emqxenterprises" and obj["metadata"]["name"] == self.key[1]:
            self._saw_resource(obj)
        elif plural == "statefulsets":
            self._saw_set(obj)
        elif plural == "endpoints" and obj["metadata"]["name"] == self.key[1] and event != "DELETED":
            self._saw_endpoints(obj)
        elif plural == "endpointslices":
            self._saw_slices()
        elif plural == "secrets" and obj["metadata"]["name"] == f"emqx-tui-{self.key[1]}":
            self._journal_seen = True
            self._saw_journal(None if event == "DELETED" else self.journal())

    def _saw_journal(self, journal: dict[str, Any] | None) -> None:
        """Nothing is approved while a hold stands."""
        before, self._journal = self._journal, journal
        if journal is None and before is not None:
            self._lost = (self.world.timeline.now, before)
        if not journal or not before or journal["release_id"] != before["release_id"]:
            return
        is_held = bool(before["hold"]) and before["hold"] == journal["hold"] and not journal["abort"]
        if is_held and len(journal["approvals"]) > len(before["approvals"]):
            self._break(f"{journal['approvals'][-1]['gate']} was approved in a hold")

    def _saw_resource(self, obj: dict[str, Any]) -> None:
        self._is_opened_by_others()
        before, self._cr = self._cr, obj
        for key in ("labels", "annotations"):
            if before["metadata"].get(key) != obj["metadata"].get(key):
                self._break(f"metadata.{key} of the resource changed")
        delay = _delay_of(obj)
        image, own = self._image_of(obj), {self._image, *self._their_images}
        if image != self._image_of(before) and image not in own and delay < CLOSED:
            self._break("the template was changed with the valve open")
        if self._is_opened_by_others():
            return
        if _delay_of(before) >= CLOSED > delay and (obj.get("status") or {}).get("blueGreenUpdateStatus") is not None:
            self._break("the delay was restored before the release status was reset")

    def _saw_set(self, obj: dict[str, Any]) -> None:
        name, size = obj["metadata"]["name"], obj["spec"]["replicas"]
        before = self._sizes.get(name)
        self._sizes[name] = size
        if before is None or size >= before:
            return
        self.scales.append((name, size))
        if self._is_asked_by_others(size):
            return
        cluster = self.world.clusters.get(self.key)
        if cluster is None:
            # Its object was removed in this moment, and nobody is on it any more.
            return
        going = [node for node in cluster.nodes.values() if f"@{name}-" in node.name and _ordinal(node.name) >= size]
        for node in going:
            if node.live:
                self._break(f"{name} was scaled to {size} with {node.live} clients on {node.name}")
        if name != self._blue["metadata"]["name"] or (name, size) in self._their_sizes:
            return
        if not self.is_approved(f"node:{size}"):
            self._break(f"{name} was scaled to {size} without approval of node {size}")
        if before - size > 1:
            self._break(f"{name} was scaled by more than one")

    def _saw_endpoints(self, obj: dict[str, Any]) -> None:
        writers = [a["ip"] for s in obj.get("subsets") or () for a in s.get("addresses") or ()]
        if self._journal_seen and not writers:
            self._break("the listener Endpoints were emptied")

    def _saw_slices(self) -> None:
        now = self.world.timeline.now
        self._blue_listed_at = _since(self._blue_listed_at, now) if self._listed_blue() else None
        self._empty_since = None if self._slices() else _since(self._empty_since, now)

    def _listed_blue(self) -> set[str]:
        """Addresses of blue that the Service has."""
        pods = (p for p in self.world.pods(self.key[0]) if p["metadata"]["name"].startswith(f"{self.blue_name}-"))
        return {p.get("status", {}).get("podIP") for p in pods} & set(self._slices())

    # -- what others do to the object, and the operator does because of it

    def note_edit(self, spec: dict[str, Any]) -> None:
        """Somebody else patches the object."""
        self.is_edited = True
        if "replicas" in spec:
            now = self.world.timeline.now
            self._asked_until = {size: min(until, now) for size, until in self._asked_until.items()}
            self._asked_until[spec["replicas"]] = float("inf")
        if "template" in spec:
            self._their_images.add(self._image_of({"spec": spec}))
        self._their_delay = spec.get("blueGreenUpdate", {}).get("initialDelaySeconds", self._their_delay)

    def note_scale(self, name: str, size: int) -> None:
        """Somebody else scales a set."""
        self._their_sizes.add((name, size))

    def note_evacuation(self, pod: str) -> None:
        """Somebody else evacuates a node."""
        self._their_evacuations.add(pod)

    def _is_opened_by_others(self) -> bool:
        """The delay is the one that somebody else has set, or was a moment ago: the operator goes on by itself."""
        delay, now = _delay_of(self._cr), self.world.timeline.now
        if delay < CLOSED and delay == self._their_delay:
            self._open_at = now
        cluster = self.world.clusters.get(self.key)
        hangs = cluster is not None and any(node.hung for node in cluster.nodes.values())
        return now - self._open_at <= (HUNG_PASS_S if hangs else PASS_S)

    def is_opened_at_the_end(self) -> bool:
        """A console has given the operator its delay back."""
        return _delay_of(self._cr) < CLOSED and not self._is_opened_by_others()

    def _is_asked_late(self) -> bool:
        """What the operator has asked EMQX for while the valve was open waits for a broker that hangs to go on."""
        since, last = self._hung
        return since - self._open_at <= PASS_S and self.world.timeline.now - last <= PASS_S

    def _is_asked_by_others(self, size: int) -> bool:
        """The operator gives a set the size that somebody else has asked for, or takes nodes by itself."""
        is_asked = self.world.timeline.now - self._asked_until.get(size, float("-inf")) <= HUNG_PASS_S
        return is_asked or self._is_opened_by_others()

    # -- what consoles send

    def _slices(self) -> list[str]:
        label = {"kubernetes.io/service-name": self.key[1]}
        slices = self.world.store.list("endpointslices", self.key[0], label)
        return [ip for s in slices for e in s.get("endpoints") or () for ip in e["addresses"]]

    def note_write(self, path: str, body: Any = None) -> None:
        """A console has sent a request that changes something, its records aside: was it its own to send?"""
        if path.endswith(f"/endpoints/{self.key[1]}") and isinstance(body, dict):
            self._judge_addresses(body)
        if path.endswith("/scale") and isinstance(body, dict):
            self._judge_scale(path.rsplit("/", 2)[-2], (body.get("spec") or {}).get("replicas"))
        if path.endswith("/evacuation/start"):
            self._judge_start(_pod(path.rsplit("/", 3)[-3]))
        if path.endswith(f"/emqxenterprises/{self.key[1]}"):
            self._judge_patch(body)
        now = self.world.timeline.now
        self._writes = [(at, to) for at, to in self._writes if at > now - 60.0] + [(now, path)]
        if len(self._writes) > WRITES_PER_MINUTE + WRITES_PER_NODE * self._blue["spec"]["replicas"]:
            self._break(f"{len(self._writes)} writes within a minute, the last to {path}")

    def _judge_addresses(self, body: dict[str, Any]) -> None:
        """Never a list without an address that accepts clients, where one has accepted them for a while."""
        self._note_accepting()
        wanted = {a["ip"] for s in body.get("subsets") or () for a in s.get("addresses") or ()}
        accepting = {ip for ip, since in self._accepting.items() if self.world.timeline.now - since > STEADY_S}
        gone = self._accepted_within(NEWS_S) - self._standing
        gone |= self._accepted_within(STOPPED_NEWS_S) & self._stopped
        refusing = self._accepted_within(STATE_NEWS_S) & self._refusing
        if accepting and not wanted & (self._accepting.keys() | gone | refusing):
            self._break(f"a console wrote the addresses {sorted(wanted)}, none of which accepts clients")

    def _accepted_within(self, seconds: float) -> set[str]:
        return {ip for ip, at in self._accepted_at.items() if self.world.timeline.now - at <= seconds}

    def _is_empty(self) -> bool:
        """The Service has had no address for longer than it takes to know that."""
        return self._empty_since is not None and self.world.timeline.now - self._empty_since > LISTED_S

    def _judge_start(self, pod: str) -> None:
        """Whoever drives next must know that it may still happen, and somebody has approved it.

        Who is evicted from blue must not come back to blue: the Service has none of its addresses by then.
        """
        journal = self.journal()
        if journal is None:
            return
        self._asked_at[pod] = self.world.timeline.now
        if pod not in journal["starts"]:
            self._break(f"a console started the evacuation of {pod} before it was noted in the journal")
        set_name, _, ordinal = pod.rpartition("-")
        if set_name != self.blue_name and not journal["abort"]:
            self._break(f"a console started the evacuation of {pod} although no abort was confirmed")
        if set_name == self.blue_name and not self.is_approved(f"node:{ordinal}"):
            self._break(f"a console started the evacuation of {pod} without approval")
        if set_name == self.blue_name and self._is_empty():
            self._break(f"a console started the evacuation of {pod} while the Service had no address")
        since, is_forward = self._blue_listed_at, not (journal["abort"] or journal["late_removal"])
        is_known = since is not None and self.world.timeline.now - since > LISTED_S
        if is_forward and is_known and (listed := self._listed_blue()):
            self._break(f"a console started the evacuation of {pod} while the Service had {sorted(listed)} of blue")

    def _judge_patch(self, body: Any) -> None:
        """A console opens no valve before the operator has forgotten the release, and leaves the size to others.

        With blue's template back the operator gives blue the size that the object asks for.
        """
        if isinstance(body, list):
            if self._sizes.get(self.blue_name, 0) > self._cr["spec"].get("replicas", 0):
                self._break("a console put the template back with more nodes of blue than the object asks for")
            return
        spec = body.get("spec") or {}
        if "replicas" in spec:
            self._break("a console set another size")
        delay = (spec.get("blueGreenUpdate") or {}).get("initialDelaySeconds", CLOSED)
        if (delay or 0) < CLOSED and (self._cr.get("status") or {}).get("blueGreenUpdateStatus") is not None:
            self._break("a console opened the valve before the release status was reset")

    def _judge_scale(self, name: str, size: int | None) -> None:
        """A console scales no node away that has clients, and no blue one whose drain nobody approved."""
        if size is None or size >= self._sizes.get(name, 0):
            return
        cluster = self.world.clusters.get(self.key)
        for node in cluster.nodes.values() if cluster else ():
            if f"@{name}-" in node.name and _ordinal(node.name) >= size and node.live:
                self._break(f"a console scaled {name} to {size} with {node.live} clients on {node.name}")
        journal = self.journal()
        is_backward = bool(journal and journal["abort"])
        if journal is not None and name != self.blue_name and not is_backward:
            self._break(f"a console scaled {name} to {size} although no abort was confirmed")
        if name == self.blue_name and not is_backward and not self.is_approved(f"node:{size}"):
            self._break(f"a console scaled {name} to {size} without approval of node {size}")

    def _note_accepting(self) -> None:
        now = self.world.timeline.now
        found: dict[str, float] = {}
        self._standing, self._stopped, self._refusing = set(), set(), set()
        sets = {found["metadata"]["uid"] for found in self.world.store.list("statefulsets", self.key[0])}
        for pod in self.world.pods(self.key[0]):
            ip, name = pod.get("status", {}).get("podIP"), pod["metadata"]["name"]
            if not ip or "deletionTimestamp" in pod["metadata"]:
                continue
            if not any(owner["uid"] in sets for owner in pod["metadata"].get("ownerReferences", ())):
                # Its set was removed, and it goes with it.
                continue
            at = self.world.brokers.at_pod(self.key[0], name)
            node = at and at.cluster.nodes[at.name]
            if node and node.running:
                self._standing.add(ip)
                if node.evacuation is not None or node.hung:
                    self._refusing.add(ip)
            elif all(each["ready"] for each in pod["status"].get("containerStatuses", ())):
                self._stopped.add(ip)
            # EMQX does not say in time from which nodes somebody's rebalance takes clients: they count.
            is_open = node and node.running and not node.hung and node.evacuation is None
            if node and is_open and not node.faults.booting:
                found[ip] = self._accepting.get(ip, now)
        self._accepting = found
        self._accepted_at |= dict.fromkeys(found, now)

    def _break(self, what: str) -> None:
        self.broken.append(f"{self.world.timeline.now - self.world.config.start:.1f} s: {what}")

    @staticmethod
    def _image_of(obj: dict[str, Any]) -> str:
        return obj["spec"]["template"]["spec"]["emqxContainer"]["image"]["version"]

    # -- what must be true at the end

    def check_ended(self, version: str, delay_s: int = 60) -> None:
        """One generation of `version`, the user's delay, no trace of a release."""
        namespace, name = self.key
        store = self.world.store
        cr = store.get("emqxenterprises", namespace, name)
        assert self._image_of(cr) == version
        assert cr["spec"]["blueGreenUpdate"].get("initialDelaySeconds", 0) == delay_s
        assert "blueGreenUpdateStatus" not in (cr.get("status") or {})
        assert cr["status"]["conditions"][0]["type"] == "Running"
        alive = [s for s in store.list("statefulsets", namespace) if s["spec"]["replicas"]]
        assert [s["spec"]["replicas"] for s in alive] == [cr["spec"]["replicas"]]
        assert store.find("secrets", namespace, f"emqx-tui-{name}") is None
        pods = [p for p in store.list("pods", namespace) if p["metadata"]["name"].startswith(f"{name}-")]
        # A node that somebody else evacuates is not listed.
        nodes = self.world.cluster().nodes
        evacuated = {_pod(name) for name, node in nodes.items() if node.evacuation}
        serving = [p["status"]["podIP"] for p in pods if p["metadata"]["name"] not in evacuated]
        assert sorted(serving) == sorted(self._slices())


def _since(known: float | None, now: float) -> float:
    return now if known is None else known


def _delay_of(obj: dict[str, Any]) -> int:
    return obj["spec"]["blueGreenUpdate"].get("initialDelaySeconds", 0)


def _pod(node: str) -> str:
    return node.partition("@")[2].partition(".")[0]


def _ordinal(node: str) -> int:
    return int(_pod(node).rpartition("-")[2])
