"""The journal in the cluster and the one that is being written: journal first, then commands.

A write goes against the version that is known. When somebody else was faster, nothing is sent until what they wrote
has been read, and the intent behind the write is decided on again.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.errors import AdapterError, Conflict, MalformedAnswer, NotFound, Unreachable
from emqx_tui.model.frozen import changed
from emqx_tui.model.kinds import Kind
from emqx_tui.model.secret import Secret
from emqx_tui.model.wire import Malformed
from emqx_tui.rollout.intents import Intent
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.rollout.state.journal import Journal, journal_name
from emqx_tui.session.inputs import JournalWritten, Put, SubmittedAgain
from emqx_tui.session.options import Ports
from emqx_tui.session.ports import Changed, Removed
from emqx_tui.session.records import objects

MAX_LOST_RACES = 3
"""How often an intent is decided on anew because somebody else wrote the journal at the same moment."""
RETRY_S = 1.0
"""Wall seconds between two attempts to write or to read the journal: a refusal must not be asked for in a loop."""
WRITTEN_LATELY_S = 5.0
"""A journal whose write was answered so lately stands."""
TOTALS_EVERY_S = 30.0
"""Counters alone are written so long after the last answer, for no command leaves while the journal is being written;
with anything else they go at once."""


class JournalStore:
    """The journal of one cluster."""

    def __init__(
        self,
        namespace: str,
        name: str,
        ports: Ports,
        put: Put,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._namespace = namespace
        self._name = name
        self._ports = ports
        self._put = put
        self._spawn = spawn
        self.stored: Journal | None = None
        """As the cluster has it, as far as is known."""
        self.secret: Secret | None = None
        self._removed_uid = ""
        """Of the Secret that was removed last: a late watch may tell of it once more."""
        self.problem = ""
        """Why what stands there is no journal that we may act on."""
        self.writing: Journal | None = None
        """On its way to the cluster."""
        self._is_stale = False
        """Somebody else has written it, or our write got no answer: what stands there is not known yet."""
        self.is_doubtful = False
        """This console has just come to drive, and the journal may have been removed before: late watches tell late."""
        self._reading = False
        self._failed_at = float("-inf")
        self._told = ""
        self._written_for: Intent | None = None
        self._lost_races = 0
        self._answered_at: datetime | None = None

    @property
    def present(self) -> Journal | None:
        """What decisions rest on: the journal that is being written, else the stored one."""
        return self.writing or self.stored

    @property
    def is_stale(self) -> bool:
        """What stands there is not known."""
        return self._is_stale or self.is_doubtful

    @property
    def may_act(self) -> bool:
        """The journal stands in the cluster as we know it, so commands may follow from it."""
        return self.writing is None and self.stored is not None and not self.is_stale

    def take(self, secret: Secret | None, resource: EmqxEnterprise | None) -> Journal | None:
        """What the watch tells. Gives the journal that has vanished, if one has and it was not us."""
        if self.writing is not None or (secret is not None and self._is_past(secret)):
            return None
        self._is_stale = False
        self.secret = secret
        journal, self.problem = objects.read_journal(secret)
        if journal is not None and resource is not None and journal.uid != resource.meta.uid:
            self.problem = f"the journal {journal_name(self._name)} is about another object of this name"
            journal = None
        before, self.stored = self.stored, journal
        return before if secret is None else None

    def look(self) -> None:
        """Read what stands there before anything follows from it, unless it was written here a moment ago."""
        at = self._answered_at
        is_lately = at is not None and (self._ports.clock.now() - at).total_seconds() <= WRITTEN_LATELY_S
        if self.writing is None and (self._is_stale or not is_lately):
            self.is_doubtful = True
            self._read_again(None)

    def forget(self) -> None:
        """It was removed, by us."""
        self._removed_uid = self.secret.meta.uid if self.secret else ""
        self.stored = self.secret = None

    def _is_past(self, secret: Secret) -> bool:
        """Something newer is known, or that this very Secret was removed."""
        return _is_older(secret, self.secret) or secret.meta.uid == self._removed_uid != ""

    def must_write(self, after: Journal, intent: Intent | None, *, is_driver: bool, is_last: bool) -> bool:
        """A spectator writes intents only; a driver also what has come true. Counters alone may wait."""
        before = self.present
        if after == before or self.writing is not None:
            return False
        if intent is not None or before is None:
            return True
        if not is_driver:
            return False
        if changed(after, totals=before.totals) != before or _milestones(after) != _milestones(before):
            return True
        at, now = self._answered_at, self._ports.clock.now()
        return is_last or at is None or (now - at).total_seconds() >= TOTALS_EVERY_S

    @property
    def may_write(self) -> bool:
        """What stands there is known, and no attempt has failed a moment ago."""
        return not self.is_stale and self._ports.clock.monotonic() - self._failed_at >= RETRY_S

    def write(self, journal: Journal, intent: Intent | None) -> None:
        """Send it; the answer comes as JournalWritten."""
        self.writing, self._written_for = journal, intent
        self._spawn(self._write(journal, self.secret))

    async def _write(self, journal: Journal, known: Secret | None) -> None:
        try:
            secret = await objects.write_journal(self._ports.kube, journal, known)
            self._put(JournalWritten(journal, secret))
        except AdapterError as error:
            self._put(JournalWritten(journal, None, error))
        except Malformed as error:
            self._put(JournalWritten(journal, None, MalformedAnswer(f"unexpected answer: {error}")))

    def written(self, answer: JournalWritten) -> str:
        """Take in what came of a write; why it failed, in one line for the person, or empty."""
        self.writing, self._answered_at = None, self._ports.clock.now()
        intent, self._written_for = self._written_for, None
        if answer.error is None:
            self._lost_races, self._failed_at, self._told = 0, float("-inf"), ""
            self.secret, self.stored = answer.secret, answer.journal
            return ""
        # Watch events that came meanwhile were left aside, and what had no answer may stand there all the same.
        self._is_stale = True
        is_lost = intent is None and self.stored is None
        if is_lost:
            # One that had vanished and was to come back: should it not be there, it has vanished once more.
            self.stored = answer.journal
        after_s = RETRY_S if is_lost else 0.0
        if not isinstance(answer.error, Conflict | NotFound):
            self._failed_at = self._ports.clock.monotonic()
            self._read_again(None, after_s)
            return self._told_once(intent, answer.error)
        self._lost_races += 1
        again = intent if self._lost_races <= MAX_LOST_RACES else None
        self._read_again(again, after_s)
        if intent is not None and again is None:
            self._lost_races = 0
            return "others keep writing the journal at the same moment: try again"
        return ""

    def _told_once(self, intent: Intent | None, error: AdapterError) -> str:
        """Why a write failed: each time to a person who waits for it, else once."""
        if isinstance(error, Unreachable | MalformedAnswer):
            words = f"no answer to the journal's write: whether it counts shows in a moment: {error.message}"
        else:
            words = f"the journal cannot be written, so nothing is sent: {error.message}"
        is_told, self._told = words == self._told, words
        return "" if is_told and intent is None else words

    def _read_again(self, intent: Intent | None, after_s: float = 0.0) -> None:
        """What stands there now counts; the intent comes after it."""
        if intent is not None or not self._reading:
            self._spawn(self._read(intent, after_s))

    async def _read(self, intent: Intent | None, after_s: float) -> None:
        self._reading = True
        try:
            if after_s:
                await self._ports.clock.sleep_wall(after_s)
            while not await self._read_once():
                if intent is not None:
                    self._put(SubmittedAgain(intent, "the journal cannot be read: try again"))
                    intent = None
                await self._ports.clock.sleep_wall(RETRY_S)
        finally:
            self._reading = False
        if intent is not None:
            self._put(SubmittedAgain(intent))

    async def still_stands(self) -> str:
        """Read the journal itself: empty when nobody holds, aborts or wants it otherwise by now, else what is so."""
        known = self.stored
        try:
            request = KubeRequest("GET", Kind.SECRET.info.path(self._namespace, journal_name(self._name)))
            secret = Secret.from_json(await self._ports.kube.request(request))
        except (AdapterError, Malformed) as error:
            return f"not sent: the journal cannot be read: {error}"
        found, problem = objects.read_journal(secret)
        if found is None or known is None:
            return f"not sent: {problem or 'no journal'}"
        if _orders(found) == _orders(known):
            return ""
        self._put(Changed(Kind.SECRET, (self._namespace, secret.name), secret))
        return "not sent: somebody holds or has changed the release"

    async def _read_once(self) -> bool:
        """True when the journal, or that there is none, was read; into the session's inbox."""
        name = journal_name(self._name)
        key = (self._namespace, name)
        try:
            answer = await self._ports.kube.request(KubeRequest("GET", Kind.SECRET.info.path(self._namespace, name)))
            secret = Secret.from_json(answer)
            self.is_doubtful = False
            self._put(Changed(Kind.SECRET, key, secret))
        except NotFound:
            # A watch that is late may yet tell of it.
            self._removed_uid = self.secret.meta.uid if self.secret else self._removed_uid
            self._put(Removed(Kind.SECRET, key))
        except (AdapterError, Malformed):
            return False
        return True


def _orders(journal: Journal) -> tuple[Any, ...]:
    """What people have ordered: a command that follows from other orders must not leave."""
    return (journal.release_id, journal.hold, journal.abort, journal.rates, journal.late_removal)


def _milestones(journal: Journal) -> tuple[Any, ...]:
    """What is written at once: a driver that dies takes the rest with it, a deep fall of the sum among it."""
    totals = journal.totals
    tenths = 10 * totals.lowest_sum // totals.start_sum if totals.lowest_sum is not None and totals.start_sum else None
    return (totals.first_drain_at, totals.drained_at, totals.deaths, totals.uncounted, tenths)


def _is_older(new: Secret, known: Secret | None) -> bool:
    if known is None or new.meta.uid != known.meta.uid:
        return False
    old_version, new_version = known.meta.resource_version, new.meta.resource_version
    return old_version.isdigit() and new_version.isdigit() and int(new_version) < int(old_version)
