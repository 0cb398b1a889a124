"""PURE: what is known of the field under the cursor, as lines: its published description, its limits, its owners."""

from __future__ import annotations

from emqx_tui.model.object_schema import ITEM, FieldHelp
from emqx_tui.model.owners import Keeps, Owner, Owners
from emqx_tui.session.inspection.questions import Answer
from emqx_tui.ui.change.yaml_document import Path
from emqx_tui.ui.text import spans
from emqx_tui.ui.text.marks import clean, joined
from emqx_tui.ui.text.owners import owner_line, owner_name
from emqx_tui.ui.text.spans import Line, Span, Tone, line


def field_lines(path: Path, answer: Answer | None, owners: Owners, width: int, most: int) -> list[Line]:
    """At most `most` lines of help, and one of a controller that puts its own value back."""
    if not path:
        return []
    found = owners.of(".".join(path[: path.index(ITEM)] if ITEM in path else path))
    reverting = [owner for owner in found if owner.keeps is Keeps.ALWAYS][:1]
    told = _published(path, answer, [owner for owner in found if owner.keeps is not Keeps.ALWAYS])
    lines = spans.wrap(told, width) if told else []
    if len(lines) > most:
        rest = tuple(span for part in lines[most - 1 :] for span in (*part, Span(" ")))
        lines = [*lines[: most - 1], spans.crop(rest, width)]
    return [*lines, *(spans.crop(owner_line(owner), width) for owner in reverting)]


def _published(path: Path, answer: Answer | None, owners: list[Owner]) -> Line:
    name = f"{clean(path[-1])} (owner: {owner_name(owners[0])})" if owners else clean(path[-1])
    if answer is None:
        return line((name, Tone.STRONG)) if owners else ()
    if answer.schema is None:
        return line((f"no help for fields: {clean(answer.problem)}", Tone.DIM))
    found = answer.schema.at(path)
    return () if found is None else _words(name, found)


def _words(name: str, found: FieldHelp) -> Line:
    limits = ", ".join(part for part in (found.type, _range(found), _choices(found), _given(found)) if part)
    said = found.description or "no description is published"
    return joined([line((name, Tone.STRONG), f"  {said}"), line((limits, Tone.DIM)) if limits else ()])


def _range(found: FieldHelp) -> str:
    match found.least, found.most:
        case None, None:
            return ""
        case least, None:
            return f"{least} or more"
        case None, most:
            return f"{most} or less"
        case least, most:
            return f"{least} to {most}"


def _choices(found: FieldHelp) -> str:
    return f"one of {', '.join(found.choices)}" if found.choices else ""


def _given(found: FieldHelp) -> str:
    if found.default:
        return f"default {found.default}"
    return "required" if found.is_required else ""
