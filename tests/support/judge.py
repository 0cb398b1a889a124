"""What must hold at every View of a story: holds with a cause, no stillness without a word, true figures or none."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from emqx_tui.headless.lines.view_diff import progress
from emqx_tui.headless.looking import rows, status
from emqx_tui.headless.release.exit_status import Result
from emqx_tui.headless.release.summary import summary as finished
from emqx_tui.rollout.phases import Phase
from emqx_tui.sandbox.truth import Counts
from emqx_tui.session.views import facts
from emqx_tui.session.views.cluster_facts import with_view
from emqx_tui.session.views.fleet_view import ClusterRow, Role
from emqx_tui.session.views.lost_clients import QUIET_S
from emqx_tui.session.views.view import View
from emqx_tui.ui.clusters.states import state, step_word, version_words
from emqx_tui.ui.rollout.headline import headline
from emqx_tui.ui.rollout.ledger import ledger_line
from emqx_tui.ui.rollout.nodes import node_rows
from emqx_tui.ui.text.spans import plain
from tests.support.faults import Fault
from tests.support.stage import Console, Stage
from tests.support.witness import STATE_NEWS_S

LOOK_EVERY_S = 4.0
BEFORE = "4.4.14"
"""What runs before the release."""
EXACT = 3
"""Clients by which the figures of the end may differ: those that left or came between two samples."""
SEEN_LATE_S = 3.0
"""A count is two seconds old at most by a node's sampler, and a second more by the poll."""
AWAY_KEPT_S = 30.0
"""Counts that are older than this are told as unknown, or are not judged."""
STILL_S = 180.0
"""The product's own alarm comes after 120 s in stories."""


class Judge:
    """Listens to all consoles of a stage; `broken` is what must stay empty."""

    def __init__(self, stage: Stage, *, is_reset: bool, rate: int, churn_per_s: float) -> None:
        self.stage = stage
        self.broken: list[str] = []
        self._cluster = stage.world.cluster()
        self._is_reset = is_reset
        self._slack = 3 * rate + EXACT
        """Clients that may move between a poll and the instant of the truth: EMQX's sampler is 2 s late."""
        self._away = EXACT + round(10 * churn_per_s)
        """Clients that may be away by themselves at any moment."""
        self.may_fail = False
        """The journal went while nobody drove: nobody writes it again, and whoever comes tells so."""
        self._ended_in: Phase | None = None
        """A driver has seen the end, though it may have died before it told how the release ended."""
        self._said: set[str] = set()
        self._offline: deque[tuple[float, int]] = deque()
        """Of AWAY_KEPT_S: when so many were away."""
        self._left: deque[tuple[float, int]] = deque()
        """Of the time before the end: when so many had left by themselves."""
        self._emptied: tuple[float, int] | None = None
        """When somebody else has begun to evacuate nodes, and how many clients had been evicted until then."""
        self._resets: list[tuple[float, int]] = []
        """Of late: when a network had reset so many."""
        self._reset_at_lowest = 0
        """The most that a network reset within SEEN_LATE_S, while a poll could count the lowest sum."""
        self._back_at_lowest = 0
        """Who had come back within SEEN_LATE_S when the sum was lowest: no broker has counted them yet."""
        self._lowest: tuple[float, float] = (float("inf"), float("-inf"))
        """The lowest sum so far, and when it was last seen to fall."""
        self._lowest_before: deque[tuple[float, float]] = deque()
        """Of SEEN_LATE_S before the end: the lowest sum as it stood."""
        self._evicted_unseen = 0
        """By somebody else who had begun to evacuate nodes just before the end."""
        self._adopted: set[str] = set()
        self._lost_before = 0
        """Before a console adopted the release: its figures begin there."""
        self._adopted_with: int | None = None
        """Clients when a console adopted the release ..."""
        self._lowest_since: float = float("inf")
        """... and the lowest sum that was seen since."""
        self._at_end: tuple[Counts, int] | None = None
        """Clients that were cut off, and the lowest sum, when the release ended."""

    def listen(self, console: Console, struck: Sequence[Fault], skew_s: float) -> None:
        looked_at = float("-inf")
        still: tuple[object, float] = (None, 0.0)

        def look(view: View) -> None:
            nonlocal looked_at, still
            now = self.stage.world.timeline.now
            if view.journal and view.journal.is_adopted and view.journal.release_id not in self._adopted:
                self._adopted.add(view.journal.release_id)
                truth = self._cluster.truth
                self._lost_before, self._adopted_with = truth.since_mark().lost, truth.live
                self._lowest_since = truth.live
            self._note_offline(now)
            self._note_emptied(now, view)
            if view.decision.phase in (Phase.DONE, Phase.ABORTED):
                self._ended_in = view.decision.phase
            if self._at_end is None:
                natural = self._cluster.truth.since_mark().natural
                self._left.append((now, natural))
                self._lowest_since = min(self._lowest_since, self._cluster.truth.live)
                lowest = self._cluster.truth.lowest_live if self._adopted_with is None else self._lowest_since
                self._lowest_before.append((now, lowest))
                _forget(self._left, now - QUIET_S - SEEN_LATE_S)
                _forget(self._lowest_before, now - SEEN_LATE_S)
            if view.result and self._at_end is None:
                self._evicted_unseen = self._of_a_moment_ago(now)
                self._at_end = self._cluster.truth.since_mark(), self._cluster.truth.lowest_live
            if not console.wire.is_cut:
                self._hold_has_a_cause(view, struck)
            if not facts.is_under_way(view) or console.wire.is_cut:
                still = (None, now)
                return
            mark = _mark(view)
            if mark != still[0]:
                still = (mark, now)
            elif now - still[1] > STILL_S and not _is_said(view):
                self._break("still", f"nothing moves in '{view.decision.phase}' and nothing is said")
            if now - looked_at >= LOOK_EVERY_S:
                looked_at = now
                document = status.document(view)
                self._fronts_agree(view, document)
                self._figures_are_true(view, document["ledger"], struck)

        console.watchers.append(look)

    def _note_offline(self, now: float) -> None:
        truth = self._cluster.truth
        gone = truth.since_mark()
        late = self._away_since(now - SEEN_LATE_S)
        self._offline.append((now, truth.offline + gone.lost))
        _forget(self._offline, now - AWAY_KEPT_S)
        self._resets = [*((at, n) for at, n in self._resets if now - at <= SEEN_LATE_S), (now, gone.reset)]
        if truth.lowest_live != self._lowest[0]:
            self._lowest, self._reset_at_lowest = (truth.lowest_live, now), 0
            self._back_at_lowest = _largest_fall(late)
        if now - self._lowest[1] <= SEEN_LATE_S:
            self._reset_at_lowest = max(self._reset_at_lowest, gone.reset - self._resets[0][1])

    def _away_since(self, since: float) -> list[int]:
        """How many were away at each note from then on; what was noted last before that lasted until the next one."""
        before = [count for at, count in self._offline if at < since]
        return [*before[-1:], *(count for at, count in self._offline if at >= since)]

    def _of_a_moment_ago(self, now: float) -> int:
        """Who was evicted from green by others that no console can know of yet."""
        since, before = self._emptied or (now, 0)
        is_news = self._emptied is not None and now - since <= STATE_NEWS_S
        return self._cluster.truth.since_mark().evicted - before if is_news else 0

    def _note_emptied(self, now: float, view: View) -> None:
        # A release drains blue, an abort green.
        is_abort, blue = view.journal is not None and view.journal.abort is not None, self.stage.witness.blue_name
        others = (node for name, node in self._cluster.nodes.items() if (blue in name) is is_abort)
        if view.journal is None or all(node.evacuation is None for node in others):
            self._emptied = None
        elif self._emptied is None:
            self._emptied = now, self._cluster.truth.since_mark().evicted

    def _break(self, key: str, what: str) -> None:
        """Once for each kind."""
        if key not in self._said:
            self._said.add(key)
            began = self.stage.world.config.start
            self.broken.append(f"{self.stage.world.timeline.now - began:.1f} s: {what}")

    # -- at every view

    def _hold_has_a_cause(self, view: View, struck: Sequence[Fault]) -> None:
        hold = view.journal.hold if view.journal else None
        if hold is None or not hold.auto:
            return
        if hold.check == "impossible-phase" or (hold.check == "cannot-start" and not self.stage.witness.is_edited):
            self._break("phase", f"a false hold: {hold.reason}")
        truth = self._cluster.truth
        are_lost = truth.offline + truth.since_mark().lost >= view.policy.missing_floor
        has_cause = (
            not all(fault.is_silent for fault in struck)
            or (hold.check == "canary" and self._is_reset)
            or (hold.check == "clients-missing" and are_lost)
        )
        if not has_cause:
            self._break("hold", f"held without a cause by {hold.check}: {hold.reason}")

    # -- now and then

    def _fronts_agree(self, view: View, document: Mapping[str, Any]) -> None:
        resource, journal = view.snapshot.resource.value, view.journal
        if resource is None or journal is None or view.snapshot.slices.value is None:
            return
        row = with_view(ClusterRow(resource, view.now, Phase.IDLE), view)
        lines = " ".join(status.lines(view))
        is_waiting = facts.waits_for_person(view)
        bar = headline(view)
        words = f"{plain(bar.first)} {plain(bar.second)}"
        versions = facts.versions(journal)
        shown = {each.name: each.mark.word for each in node_rows(view)}
        agreed = {
            "who is waited for (list)": (state(row).word == "waits for you") is is_waiting or view.is_undriven,
            "who is waited for (get)": (rows.item(row, view.now)["phase"] == "Waiting") is is_waiting,
            "who is waited for (bar)": "WAITING FOR YOU" not in words or is_waiting,
            "who is waited for (status)": not is_waiting or "waits for a person" in lines,
            "the step": step_word(row) != "?",
            "versions": (document["from"], document["to"]) == (versions.before, versions.after),
            "versions (list)": version_words(row) == f"{versions.before}→{versions.after}",
            "states of nodes": all(shown.get(n["node"]) == n["state"] for n in document["nodes"]),
            "time to go": (document["eta_s"] is None) is (progress(view)["eta_s"] is None),
            "holds": bool(document["hold"]) is bool(journal.hold),
            "negative figures": "missing -" not in plain(ledger_line(view)) and "landed -" not in lines,
        }
        for what, is_so in agreed.items():
            if not is_so:
                self._break(what, f"front ends disagree on {what} in '{view.decision.phase}'")

    def _figures_are_true(self, view: View, ledger: Mapping[str, int | None], struck: Sequence[Fault]) -> None:
        truth = self._cluster.truth
        gone = truth.since_mark()
        for name, figure in ledger.items():
            if figure is not None and figure < 0:
                self._break(f"negative {name}", f"status tells {name} {figure}")
        evicted = ledger["evicted"]
        # Whom a network cuts on a node while it is drained, counts cannot tell from those that are evicted.
        # Nor those whom a broker cuts off, where a watch did not tell in time that it stops.
        unseen = gone.killed if any(fault.name.startswith("watches") for fault in struck) else 0
        if evicted is not None and facts.is_live(view) and evicted > gone.evicted + gone.reset + unseen + self._slack:
            self._break("evicted", f"status tells {evicted} evicted, it was {gone.evicted}")
        overdue = facts.overdue(view)
        read_at = view.snapshot.stats.read_at
        age_s = (view.now - read_at).total_seconds() if read_at is not None else float("inf")
        if overdue is not None and age_s <= AWAY_KEPT_S - SEEN_LATE_S:
            away = max(self._away_since(self.stage.world.timeline.now - age_s - SEEN_LATE_S))
            if overdue > away + self._slack:
                self._break("missing", f"{overdue} are said to be missing, {away} were away {age_s:.1f} s ago or later")

    # -- at the end

    def end(self, view: View | None, struck: Sequence[Fault], version: str, delay_s: int) -> None:
        """`view` is the last one of a console that lives."""
        if view is None:
            self._break("end", "no console sees anything at the end")
            return
        ends = frozenset({"done", "aborted"}).union(*(fault.ends for fault in struck))
        if not view.result:
            # One that only watches is told why: a journal that nobody can read, which others take care of.
            is_idle = view.decision.phase is Phase.IDLE and view.role is not Role.WATCH_ONLY
            is_over = is_idle and facts.unjournaled(view) is None
            if is_over and (self.may_fail or self._ended_in):
                # Its driver went when all was done, or the journal with it, and whoever came has set the delay back.
                self._is_settled(BEFORE if self._ended_in is Phase.ABORTED else version, self._delay(struck, delay_s))
                return
            if any("failed" in fault.ends for fault in struck):
                # Nobody drives on without a journal that can be read.
                return
            if view.decision.phase is Phase.LOST and self._is_blue_gone():
                # Others removed what an abort goes back to, and the screen says so: no console removes a set.
                return
            told = "" if _is_said(view) else " without a word"
            self._break("end", f"stands in '{view.decision.phase}'{told}, although people went back or mended")
            return
        if view.result not in ends and not (view.result == "failed" and self.may_fail):
            self._break("end", f"ended as {view.result}")
        if view.result == "failed":
            return
        # Somebody may remove the object after the end.
        if self.stage.world.store.find("emqxenterprises", *self.stage.witness.key) is not None:
            self._is_settled(version if view.result == "done" else BEFORE, self._delay(struck, delay_s))
        self._last_line_is_true(view)

    def _is_settled(self, version: str, delay_s: int) -> None:
        try:
            self.stage.witness.check_ended(version, delay_s)
        except (AssertionError, KeyError) as error:
            self._break("end", f"not as it should be at the end: {error!r}")

    def _is_blue_gone(self) -> bool:
        names = [found["metadata"]["name"] for found in self.stage.world.store.list("statefulsets", "default")]
        return self.stage.witness.blue_name not in names

    def _delay(self, struck: Sequence[Fault], delay_s: int) -> int:
        """The one before the release, or what somebody has set it to since."""
        found = self.stage.world.store.get("emqxenterprises", *self.stage.witness.key)
        now = found["spec"]["blueGreenUpdate"].get("initialDelaySeconds", 0)
        return now if now in (fault.delay_s for fault in struck) else delay_s

    def _last_line_is_true(self, view: View) -> None:
        cluster = self._cluster
        gone, size = cluster.truth.since_mark(), cluster.clients.size if cluster.clients else 0
        # Who is cut off after the end, by a broker that dies or somebody's evacuation, is not cut off by the release.
        then, lowest = self._at_end or (gone, cluster.truth.lowest_live)
        late = gone.killed - then.killed
        line = finished(view, Result(view.result), view.now).to_json()
        clients = view.journal.totals.clients if view.journal else None
        per_client = line["disconnects_per_client"]
        if per_client is not None and clients:
            told, true = round(per_client * clients), then.disconnects
            # Counts cannot tell clients that leave by themselves in a drain from those that it evicts, nor those that
            # the network has reset outside the canary from those that leave by themselves.
            # Who lands on a node a moment before it dies has not been counted there.
            unseen = gone.reset + (self._slack if gone.killed else EXACT) + self._evicted_unseen
            is_short = told < true - unseen and not line["disconnects_at_least"]
            if told > true + gone.natural + EXACT or is_short:
                self._break("disconnects", f"finished tells {told} disconnects, it was {true}")
        if line["cut_by_canary"] > gone.reset + gone.natural + EXACT:
            self._break("canary", f"finished tells {line['cut_by_canary']} cut by the canary, it was {gone.reset}")
        lately = self._away_since(self.stage.world.timeline.now - SEEN_LATE_S)
        lost, away = line["clients_lost"], max(gone.lost + cluster.truth.offline, *lately)
        # Who has left by himself a moment ago may be about to come back.
        leaving = self._left[-1][1] - self._left[0][1] if self._left else 0
        least = gone.lost - self._lost_before - late - self._away - leaving
        if lost is not None and not least <= lost <= away + EXACT:
            self._break("lost", f"finished tells {lost} clients lost, it was {gone.lost} ({away} away)")
        ratio = line["lowest_sum_ratio"]
        # Each node samples every two seconds at instants of its own: who moves meanwhile is in two counts or in none,
        # whether a drain evicts them or a network resets them, a whole node at once.
        # And nobody looks while a source is away.
        if ratio is not None and size and not line["uncounted"]:
            told = round(ratio * (size if self._adopted_with is None else self._adopted_with))
            slack = self._slack + self._reset_at_lowest + self._back_at_lowest
            # Who was cut off a moment before the end is not counted yet.
            before = max((low for _, low in self._lowest_before), default=lowest)
            if not lowest - slack <= told <= before + slack:
                self._break("lowest", f"finished tells a lowest sum of {told}, it was {lowest}")


def _forget(notes: deque[tuple[float, Any]], before: float) -> None:
    while notes and notes[0][0] < before:
        notes.popleft()


def _largest_fall(counts: Iterable[int]) -> int:
    """From a peak to what follows it."""
    highest = fall = 0
    for count in counts:
        highest = max(highest, count)
        fall = max(fall, highest - count)
    return fall


def _mark(view: View) -> tuple[object, ...]:
    seen = view.snapshot
    return (
        view.decision.phase,
        view.journal and (view.journal.hold, view.journal.acknowledged),
        tuple((s.name, s.replicas) for s in seen.sets),
        tuple((m.name, m.is_running, m.live_connections, m.evacuation and m.evacuation.state) for m in seen.members),
    )


def _is_said(view: View) -> bool:
    """A hold, an open gate, an alarm, or nobody drives: somebody is asked."""
    gate, journal = view.decision.gate, view.journal
    return bool(
        (journal and journal.hold)
        or (gate and gate.is_open)
        or view.decision.alarms
        or view.is_undriven
        or view.role is Role.WATCH_ONLY
        or any(source.problem for source in view.health)
    )
