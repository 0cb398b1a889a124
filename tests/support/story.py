"""Whole releases drawn from a seed: a cluster, its clients, people at the consoles, and faults, two or more at once.

A story is a value: the same story gives the same history, and one with a part left out is a story too. What is wrong
in it is found after every event; a story that fails is made smaller until every part that is left is needed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from emqx_tui.model.snapshot import Generation
from emqx_tui.model.workloads import DelaySource, OwnDelay
from emqx_tui.rollout.decision import RefusalReason
from emqx_tui.rollout.intents import Abort, Adopt, Freeze, Hold, Intent, Resume, SetPolicy, SetRates
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval, Policy
from emqx_tui.rollout.ungated import ungated
from emqx_tui.sandbox.world.scenario import manifest, scenario
from emqx_tui.sandbox.world.world import World
from emqx_tui.session.views import facts
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.view import View
from tests.support.faults import CATALOGUE, Fault, edit, evacuate, no_api_server, scale, scale_set, template
from tests.support.judge import Judge
from tests.support.stage import TARGET, Console, Person, Stage, begin

DELAY_S = 10
RATE = 5
POLICY = Policy(canary_s=15.0, green_ready_timeout_s=90.0, no_progress_s=120.0, stall_s=30.0)
"""Shorter waits than the product's own, so that more happens in a second of the machine."""
LIMIT_S = 600.0
LATE_S = 200.0
"""So long after the last event and its end people give up: they go back, and do what they are told to."""
REWRITTEN_S = 3.0
"""A driver has heard by then that its journal was removed, and has written it again ..."""
LATE_WATCH_S = 10.0
"""... or so much later, where watches are late or silent."""
PASS_S = 25.0
"""The operator looks again every 20 s."""
WATCH_ONLY = ("2.1.0", "2.1.2")
"""Operator releases with which no release may begin."""


@dataclass(frozen=True)
class Event:
    """At `at_s` after the start something happens at console number `console`."""

    at_s: float
    what: str
    """A fault's name, or one of ACTIONS."""
    console: int = 0

    def __str__(self) -> str:
        return f"{self.at_s:6.1f} s  {self.what}, console {self.console + 1}"


@dataclass(frozen=True)
class Story:
    """Everything that is drawn from a seed."""

    seed: int
    nodes: int = 2
    clients_per_node: int = 20
    preset: str = "mqttx-default"
    churn_per_s: float = 0.1
    network: str = "kube-proxy"
    operator: str = "2.2.29"
    has_volumes: bool = False
    approval: str = "auto"
    is_late: bool = False
    parallel: int = 1
    skews_s: tuple[float, ...] = (0.0,)
    """Of each console's host; as many consoles as there are."""
    boot_s: float = 3.0
    stop_s: float = 1.0
    lag_s: float = 0.2
    events: tuple[Event, ...] = ()

    def __str__(self) -> str:
        plain = Story(self.seed)
        drawn = {name: value for name, value in vars(self).items() if name not in ("events", "seed")}
        different = ", ".join(f"{n}={v!r}" for n, v in drawn.items() if v != getattr(plain, n)) or "nothing special"
        return "\n".join([f"seed {self.seed}: {different}", *(f"  {event}" for event in self.events)])


SOMEBODY = "somebody@host"
ACTIONS: dict[str, Callable[[View], Intent]] = {
    "hold": lambda view: Hold(SOMEBODY),
    "freeze": lambda view: Freeze(SOMEBODY),
    "resume": lambda view: Resume(SOMEBODY),
    "abort": lambda view: Abort(SOMEBODY, view.decision.abort.revision),
    "other rates": lambda view: SetRates(SOMEBODY, 3 * RATE, 3 * RATE),
    "every node needs approval": lambda view: SetPolicy(SOMEBODY, "every-node"),
}
LIVES = ("killed", "cut off")
"""What happens to a console's process: it is started again 12 s later, or is back after 25 s."""


def draw(seed: int) -> Story:
    rng = random.Random(f"story {seed}")
    nodes = rng.choice([1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 6, 12] if rng.random() < 0.5 else [1, 2, 2, 3])
    consoles = rng.choice([1, 1, 2, 2, 3])
    span_s = 35.0 + 14.0 * nodes
    faults = rng.sample(sorted(CATALOGUE), rng.choice([0, 1, 2, 2, 2, 3, 4]))
    people = rng.choices([*ACTIONS, *LIVES], k=rng.choice([0, 0, 1, 2, 3]))
    # Faults come close to one another, so that they meet.
    about_s = rng.uniform(2.0, span_s)
    events = [Event(round(abs(about_s + rng.gauss(0.0, 12.0)), 1), name, rng.randrange(consoles)) for name in faults]
    events += [Event(round(rng.uniform(1.0, span_s), 1), what, rng.randrange(consoles)) for what in people]
    story = Story(
        seed,
        nodes,
        clients_per_node=rng.randint(8, 40),
        preset=rng.choice(["mqttx-default", "mqttx-persistent", "device", "emqtt_bench-reconnect"]),
        churn_per_s=rng.choice([0.0, 0.1, 0.5]),
        network=rng.choice(["kube-proxy"] * 5 + ["ebpf"]),
        operator=rng.choice(["2.2.29"] * 6 + ["2.1.4"] * 2 + [rng.choice(WATCH_ONLY)]),
        has_volumes=rng.random() < 0.3,
        approval=str(rng.choice(list(Approval))),
        is_late=rng.random() < 0.2,
        parallel=rng.choice([1, 1, 2, nodes]),
        skews_s=tuple(rng.choice([0.0, 0.0, -0.5, 0.5]) for _ in range(consoles)),
        boot_s=rng.choice([1.0, 3.0, 15.0]),
        stop_s=rng.choice([0.5, 1.0, 10.0]),
        lag_s=rng.choice([0.05, 0.2, 1.0]),
    )
    events += _blue_listed_again(story)
    return replace(story, events=tuple(sorted(events, key=lambda event: event.at_s)))


def _blue_listed_again(story: Story) -> list[Event]:
    """In every tenth story the Service gets blue's addresses while blue is drained, and they cannot be taken out."""
    rng = random.Random(f"addresses {story.seed}")
    if rng.random() >= 0.1:
        return []
    at_s = round(story.boot_s + DELAY_S + POLICY.canary_s + rng.uniform(4.0, 4.0 + 8.0 * story.nodes), 1)
    return [Event(at_s, "no right to write Endpoints"), Event(at_s, "Endpoints of all pods")]


def fastest(story: Story) -> int:
    """Clients that are evicted in a second, at most."""
    is_rated_anew = any(event.what == "other rates" for event in story.events)
    return RATE * min(story.parallel, story.nodes) * (3 if is_rated_anew else 1)


@dataclass
class Ending:
    """What became of a story."""

    result: str = ""
    broken: list[str] = field(default_factory=list)


def make_world(story: Story) -> World:
    cr = manifest(
        replicas=story.nodes, delay_s=DELAY_S, wait_takeover_s=2, conn_evict_rate_per_s=RATE, sess_evict_rate_per_s=RATE
    )
    if story.has_volumes:
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Mi"}}}
        cr["spec"]["persistent"] = {"metadata": {"name": "emqx-ee"}, "spec": claim}
    return scenario(
        "smooth",
        cr=cr,
        clients=story.clients_per_node * story.nodes,
        preset=story.preset,
        seed=story.seed,
        churn_per_s=story.churn_per_s,
        network=story.network,
        operator=story.operator,
        pod_boot_s=story.boot_s,
        pod_stop_s=story.stop_s,
        statefulset_lag_s=story.lag_s,
    )


class Telling:
    """One story on its stage."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.stage = Stage(make_world(story), policy=POLICY)
        self.ending = Ending()
        self.struck: list[Fault] = []
        self.judge = Judge(
            self.stage, is_reset=story.network == "ebpf", rate=fastest(story), churn_per_s=story.churn_per_s
        )
        self.consoles: list[Console] = []
        self._started = 0
        self._mended_at = 0.0

    def console(self, place: int) -> Console:
        self._started += 1
        skew_s = self.story.skews_s[place]
        console = self.stage.console(self._started, skew_s=skew_s)
        Person(console, patience=4, resume_after_s=15.0, is_hasty=True)
        self.judge.listen(console, self.struck, skew_s)
        return console

    async def tell(self, stage: Stage) -> None:
        self.consoles = [self.console(0)]
        first = self.consoles[0]
        try:
            await begin(
                first,
                Approval(self.story.approval),
                late_removal=self.story.is_late,
                parallel_drains=min(self.story.parallel, self.story.nodes),
            )
        except AssertionError as refused:
            if self.story.operator not in WATCH_ONLY:
                self.ending.broken.append(f"the release could not begin: {refused}")
            elif first.writes:
                self.ending.broken.append(f"written although only watching: {first.writes}")
            self.ending.result = "refused"
            return
        begun = stage.world.timeline.now
        self.consoles += [self.console(place) for place in range(1, len(self.story.skews_s))]
        for event in self.story.events:
            await asyncio.sleep(max(0.0, begun + event.at_s - stage.world.timeline.now))
            if self._is_over():
                break
            self.happen(event)
        await self._end()

    def happen(self, event: Event) -> None:
        console = self.consoles[event.console]
        timeline = self.stage.world.timeline
        if event.what in ACTIONS:
            if console.view is not None and console.view.journal is not None:
                console.session.submit(ACTIONS[event.what](console.view))
        elif event.what == "cut off":
            console.cut()
            timeline.after(25.0, lambda: self._heal(console))
        elif event.what == "killed":
            self._kill(event.console)
        elif self.stage.world.clusters.get(self.stage.witness.key) is not None:
            fault = CATALOGUE[event.what]
            self.struck.append(fault)
            if event.what == "journal removed":
                self.judge.may_fail |= not self._is_driven()
                self._look_for_its_writer(timeline.now, self._driver())
            fault.strike(console)
            if fault.mend is not None:
                timeline.after(fault.for_s, lambda: self._mend(fault, console))
            self._mended_at = max(self._mended_at, timeline.now + (fault.for_s if fault.mend else 0.0))

    def _kill(self, place: int) -> None:
        """And start it again a while later; who is dead is not killed once more."""
        console = self.consoles[place]
        if console.host.identity not in self.stage.dead:
            console.cut()
            console.watchers.clear()
            self.stage.dead.add(console.host.identity)
            self.stage.world.timeline.after(12.0, lambda: self._again(place))

    def _look_for_its_writer(self, removed_at: float, driver: Console | None) -> None:
        """Its driver may go, or lose the lease, before it hears that the journal was removed: then nobody writes it."""
        timeline = self.stage.world.timeline
        is_late = any(fault.name.startswith("watches") for fault in self.struck)
        is_written = timeline.now > removed_at and self.stage.witness.journal() is not None
        if is_written or timeline.now - removed_at > REWRITTEN_S + (LATE_WATCH_S if is_late else 0.0):
            return
        is_gone = driver is not None and (driver.wire.is_cut or driver.host.identity in self.stage.dead)
        has_cause = is_gone or any("lease" in fault.name for fault in self.struck)
        self.judge.may_fail |= has_cause and not self._is_driven()
        timeline.after(0.25, lambda: self._look_for_its_writer(removed_at, driver))

    def _is_driven(self) -> bool:
        return self._driver() is not None

    def _driver(self) -> Console | None:
        """It lives, is connected, knows that it drives, and has something left to drive."""
        for console in self.consoles:
            view = console.view
            is_there = not console.wire.is_cut and no_api_server not in console.meddlers
            if is_there and view is not None and view.role is Role.DRIVER and view.decision.phase is not Phase.LOST:
                return console
        return None

    def _go_on_by_hand(self, *, is_late: bool) -> None:
        """Nobody holds for ever; who cannot go on goes back, and who is told to mend something does so."""
        for console in self.consoles:
            view = console.view
            if is_late and view is not None and view.journal is None and (found := facts.ungated(view)):
                # A journal that went under its driver's eyes is the driver's to write again.
                own = OwnDelay(DELAY_S, DelaySource.GIVEN) if self.judge.may_fail else None
                # Once blue is gone, the way is forward.
                goes_back = found.stage is not ungated.Stage.FINISHING
                console.session.submit(Adopt(SOMEBODY, found.revision, goes_back=goes_back, delay=own))
            if is_late and view is not None and facts.unjournaled(view) is facts.Unjournaled.LEFT:
                edit(blueGreenUpdate={"initialDelaySeconds": DELAY_S})(console)
            if view is None or view.journal is None or view.result:
                continue
            if is_late and view.decision.abort.possible:
                console.session.submit(Abort(SOMEBODY, view.decision.abort.revision))
            elif view.journal.hold is not None and not view.journal.hold.auto:
                console.session.submit(Resume(SOMEBODY))
            if is_late:
                self._follow_advice(console, view)

    def _follow_advice(self, console: Console, view: View) -> None:
        checks = {alarm.check for alarm in view.decision.alarms}
        if view.journal is not None and view.journal.abort and "blue-not-whole" in checks:
            scale("blue", self.stage.size)(console)
        if "object-changed" in checks and view.decision.phase is Phase.FINISHING:
            template(TARGET)(console)
        if "third-set" in checks:
            for third in view.snapshot.generations:
                if third.stateful_set.name in view.snapshot.third_sets:
                    self._remove(console, third)

    def _remove(self, console: Console, third: Generation) -> None:
        """As the advice says: a set that has no clients is scaled to 0, else its nodes are evacuated first."""
        if third.live_connections == 0:
            scale_set(console, third.stateful_set.name, 0)
            return
        cluster = self.stage.world.cluster()
        for name, node in cluster.nodes.items():
            pod = name.partition("@")[2].partition(".")[0]
            if node.running and third.owns(pod):
                self.stage.witness.note_evacuation(pod)
                evacuate(cluster, node)

    def _has_not_begun(self) -> bool:
        """The journal could not be written, and whoever started the release was told so: nothing was sent."""
        notice = self.consoles[0].view.notice if self.consoles[0].view else None
        is_told = notice is not None and notice.reason is RefusalReason.NOT_WRITTEN
        return is_told and all(console.view is not None and _sees_none(console.view) for console in self.consoles)

    def _is_over(self) -> bool:
        """Every console has seen the end; one that came after it sees no release."""
        views = [console.view for console in self.consoles if not console.wire.is_cut]
        ends = {view.result for view in views if view is not None}
        is_settled = bool(ends & {"done", "aborted"})
        return bool(views) and all(v is not None and (v.result or (is_settled and _sees_none(v))) for v in views)

    def _mend(self, fault: Fault, console: Console) -> None:
        """A template is put back by somebody who thinks that the release goes on: not after its end."""
        is_late = self._is_over() and fault.ends == {"aborted"}
        if fault.mend is not None and not is_late and self.stage.witness.key in self.stage.world.clusters:
            fault.mend(console)

    def _heal(self, console: Console) -> None:
        """Nobody is connected again who has been killed meanwhile."""
        if console.host.identity not in self.stage.dead:
            console.heal()

    def _again(self, place: int) -> None:
        self.consoles[place] = self.console(place)

    async def _end(self) -> None:
        """Until every console has seen the end; a release may also stand where a person has been told why."""
        loop = asyncio.get_running_loop()
        late_s = max(0.0, self._mended_at - self.stage.world.timeline.now) + LATE_S
        late_at, deadline = loop.time() + min(late_s, LIMIT_S / 2), loop.time() + LIMIT_S
        while loop.time() < deadline and not self._is_over():
            is_late = loop.time() > late_at
            if is_late and all(c.view is not None and _sees_none(c.view) for c in self.consoles):
                # Nobody can go back either: whoever could write the journal again has had the time.
                break
            self._go_on_by_hand(is_late=is_late)
            await asyncio.sleep(5.0)
            if self._has_not_begun():
                self.ending.result = "refused"
                return
        # What is put back last of all, others put back, and the operator settles it: a pod boots, one pass opens its
        # gate, the next one lists its address.
        now = self.stage.world.timeline.now
        # Where the journal went, the operator comes to the end by itself.
        by_itself_at = now + 2 * PASS_S if self.judge.may_fail else now
        settled_at = max(by_itself_at, self._mended_at + self.story.stop_s + self.story.boot_s + 2 * PASS_S)
        await asyncio.sleep(max(5.0, settled_at - now))
        seen = [c.view for c in self.consoles if c.view is not None and not c.wire.is_cut]
        # One that came after the end has seen none.
        view = next((each for each in seen if each.result), seen[0] if seen else None)
        self.ending.result = view.result if view and view.result else f"stands {_why(view)}"
        self.judge.end(view, self.struck, TARGET, DELAY_S)


def _sees_none(view: View) -> bool:
    """No release stands, and this console has seen none end."""
    is_idle = view.journal is None and not view.result and view.decision.phase is Phase.IDLE
    return is_idle and facts.unjournaled(view) is None


def _why(view: View | None) -> str:
    hold = view.journal.hold if view and view.journal else None
    return f"held by {hold.by}: {hold.reason}" if hold else f"in '{view.decision.phase}'" if view else "unseen"


def play(story: Story) -> Ending:
    """Everything that is wrong in one story."""
    telling = Telling(story)
    telling.stage.play(telling.tell)
    stage, excused = telling.stage, [word for fault in telling.struck for word in fault.promises]
    seen = stage.broken + stage.witness.broken
    # What a console did itself no fault excuses.
    kept = (line for line in seen if ": a console" in line or not any(word in line for word in excused))
    telling.ending.broken += [*kept, *telling.judge.broken]
    return telling.ending


def try_to_play(story: Story) -> list[str]:
    """What is wrong, an exception among it."""
    try:
        return play(story).broken
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]


def shrink(story: Story, fails: Callable[[Story], bool], tries: int = 60) -> Story:
    """A smaller story that still fails: parts are left out one by one, then the plainest settings are tried."""
    plain = Story(story.seed)
    is_smaller = True
    while is_smaller:
        is_smaller = False
        shorter = [replace(story, events=story.events[:i] + story.events[i + 1 :]) for i in range(len(story.events))]
        plainer = [
            replace(story, **{name: value})
            for name, value in vars(plain).items()
            if name not in ("seed", "events", "skews_s") and getattr(story, name) != value
        ]
        if len(story.skews_s) > 1:
            events = tuple(event for event in story.events if event.console == 0)
            plainer.append(replace(story, skews_s=story.skews_s[:1], events=events))
        for candidate in (*shorter, *plainer):
            if tries == 0:
                return story
            tries -= 1
            if fails(candidate):
                story, is_smaller = candidate, True
                break
    return story


def told(seed: int) -> str:
    """The smallest story of a seed that fails and what breaks in it; empty when nothing does."""
    story = draw(seed)
    if not try_to_play(story):
        return ""
    smallest = shrink(story, lambda candidate: bool(try_to_play(candidate)))
    return "\n".join(["", str(smallest), *(f"  BROKEN: {line}" for line in try_to_play(smallest))])
