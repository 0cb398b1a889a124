"""PURE: why an edit can neither start a release nor be saved now."""

from __future__ import annotations

from emqx_tui.rollout.change import Verdict
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.session.views.view import EditPreview
from emqx_tui.ui.change.edit import NUMBERS, Edit, Located
from emqx_tui.ui.text.marks import clean

HELD = "a release is under way: an edit can be sent when it has ended"


def is_acceptable(check: CheckResult) -> bool:
    """It fails, and a person may start all the same."""
    return check.outcome is Outcome.FAIL and check.can_override


def acceptable(answer: EditPreview | None) -> tuple[CheckResult, ...]:
    return tuple(check for check in answer.checks if is_acceptable(check)) if answer else ()


UNANSWERED = "the server has not answered yet"


def why_not(edit: Edit | None, answer: EditPreview | None, accepted: frozenset[str]) -> str:
    """Why the edit can neither start a release nor be saved now; empty when it can."""
    if edit is None:
        return "the cluster has not been read yet"
    if edit.is_held:
        return HELD
    if not edit.is_readable:
        return f"the template cannot be read: {_where(edit.problems[0])}"
    if edit.problems or edit.change is None:
        return _where(edit.problems[0]) if edit.problems else "the edit is refused"
    if edit.change.verdict is Verdict.UNCHANGED:
        return "nothing is changed"
    if answer is None or answer.dry_run_ok is None:
        return UNANSWERED
    if not answer.dry_run_ok:
        return f"the server refused it: {clean(answer.dry_run)}"
    return _why_not_start(edit, answer, accepted) if edit.change.verdict is Verdict.STARTS_RELEASE else ""


def _why_not_start(edit: Edit, answer: EditPreview, accepted: frozenset[str]) -> str:
    if answer.plan is None:
        missing = [name for name in NUMBERS if "rate" in name and not edit.fields.get(name)]
        return "both rates must be given" if missing else "no plan can be made from it"
    for check in answer.checks:
        if check.outcome is Outcome.WAIT:
            return f"a check is not done: {clean(check.evidence)}"
        if check.outcome is Outcome.FAIL and not check.can_override:
            return f"a check fails: {clean(check.evidence)}"
        if is_acceptable(check) and check.name not in accepted:
            return f"a check fails: {clean(check.evidence)} (accept it with space on its row)"
    return ""


def _where(problem: Located) -> str:
    where = f"line {problem.line}: " if problem.line else ""
    return f"{where}{clean(problem.path)} {clean(problem.sentence)}".strip()
