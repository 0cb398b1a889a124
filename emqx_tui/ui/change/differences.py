"""PURE: problems and differences of an edit as lines."""

from __future__ import annotations

from collections.abc import Iterable

from emqx_tui.rollout.change import Difference
from emqx_tui.session.views.view import EditPreview
from emqx_tui.ui.change.edit import Edit, Located
from emqx_tui.ui.text import spans
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import EMPTY, Line, Tone, line


def problem_lines(problems: Iterable[Located], width: int) -> list[Line]:
    return [part for problem in problems for part in spans.wrap(problem_line(problem), width)]


def place(problem: Located) -> str:
    """`line 3, column 1`; empty where it is not known."""
    where = f"line {problem.line}" if problem.line else ""
    return where + (f", column {problem.column}" if problem.line and problem.column else "")


def problem_line(problem: Located) -> Line:
    """What is wrong, with line and field."""
    where = place(problem)
    path = f"{clean(problem.path)} " if problem.path else ""
    return line(("✘ ", Tone.BAD), path, (clean(problem.sentence), Tone.BAD), (f"  {where}" if where else "", Tone.DIM))


def short_difference(difference: Difference) -> Line:
    path = clean(difference.path).removeprefix("spec.").removeprefix("template.spec.")
    values = f"{_value(difference.before)} → {_value(difference.after)}"
    return line(("· ", Tone.DIM), (path, Tone.DIM), "  ", (values, Tone.STRONG))


def difference_lines(edit: Edit, answer: EditPreview | None, width: int) -> list[Line]:
    """Every value that the edit changes, secrets redacted."""
    if edit.change is None:
        return [
            line(("The differences show when the template can be sent:", Tone.DIM)),
            *problem_lines(edit.problems, width),
        ]
    lines: list[Line] = []
    for difference in edit.change.differences:
        lines += _long_difference(difference, width)
    if not lines:
        only_text = edit.text != edit.begun_as
        lines.append(line((COMMENTS_ONLY if only_text else "Nothing is changed.", Tone.DIM)))
    if answer and answer.server_differences:
        lines += [EMPTY, line(("What the server would change by itself:", Tone.DIM))]
        lines += [part for found in answer.server_differences for part in _long_difference(found, width)]
    return lines


COMMENTS_ONLY = "Only comments and layout differ: the cluster keeps neither, so nothing is sent."


def _long_difference(difference: Difference, width: int) -> list[Line]:
    lines = [line((clean(difference.path), Tone.STRONG))]
    for sign, value, tone in (("-", difference.before, Tone.WARN), ("+", difference.after, Tone.GOOD)):
        lines += spans.wrap(line((f"  {sign} {_value(value)}", tone)), width)
    return lines


def _value(value: object) -> str:
    return "(absent)" if value is None else clean(value)
