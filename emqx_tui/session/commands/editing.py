"""Edits of the custom resource: judged, saved, or the plan of a release. Owns the previews that were handed out."""

from __future__ import annotations

from collections.abc import Callable

from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.change import Draft, Plan, ReleaseOptions
from emqx_tui.rollout.checks import preflight
from emqx_tui.rollout.decision import CheckResult, RefusalReason
from emqx_tui.rollout.intents import Start
from emqx_tui.session.commands.edit_preview import examine, preview, save
from emqx_tui.session.inputs import Put
from emqx_tui.session.options import Options, Ports
from emqx_tui.session.records.journal_store import JournalStore
from emqx_tui.session.sources.brokers import Brokers
from emqx_tui.session.views.notice import Notice
from emqx_tui.session.views.view import EditPreview

MAX_PREVIEWS = 8
"""Previews that are remembered: a card may show an older one than the newest."""
READ_ONLY = "this console was started read-only"


class Editor:
    """Judges and saves edits of one object."""

    def __init__(
        self,
        ports: Ports,
        options: Options,
        journal: JournalStore,
        brokers: Brokers,
        *,
        latest: Callable[[], Snapshot],
        put: Put,
    ) -> None:
        self._kube = ports.kube
        self._options = options
        self._journal = journal
        self._brokers = brokers
        self._latest = latest
        self._put = put
        self._previews: list[EditPreview] = []

    async def preview(self, number: int, draft: Draft, options: ReleaseOptions) -> EditPreview:
        """Judge an edit: validation, server dry-run, pre-flight, forecast."""
        found = await preview(
            number,
            draft,
            options,
            latest=self._latest,
            kube=self._kube,
            log_in=self._brokers.log_in,
            policy=self._options.policy,
            journal_secret=self._journal.secret,
        )
        self._previews = [*self._previews[1 - MAX_PREVIEWS :], found]
        return found

    async def examine(self) -> tuple[CheckResult, ...]:
        """The pre-flight checks as things are, without an edit."""
        return await examine(
            latest=self._latest,
            kube=self._kube,
            log_in=self._brokers.log_in,
            policy=self._options.policy,
            journal_secret=self._journal.secret,
        )

    async def save(self, edit: Draft | Plan) -> Notice:
        """Send an edit that starts no release; what came of it."""
        if self._options.read_only:
            return Notice.refused(READ_ONLY, RefusalReason.NOT_ALLOWED)
        if self._journal.present is not None:
            words = "a release is under way, the object is not to be changed now"
            return Notice.refused(words, RefusalReason.UNDER_WAY)
        answer, stored = await save(edit, self._latest(), self._kube)
        if stored is not None:
            self._put(stored)
        return answer

    def refusal_to_start(self, intent: Start) -> Notice | None:
        """The front ends refuse these too; a release must not depend on that."""
        found = next((found for found in reversed(self._previews) if found.plan == intent.plan), None)
        if found is None:
            words = "this session has not checked this plan: look at the change again"
            return Notice.refused(words, RefusalReason.SUPERSEDED)
        stopping = preflight.blocking(found.checks, intent.overrides)
        return Notice.refused(f"{stopping[0].name}: {stopping[0].evidence}") if stopping else None
