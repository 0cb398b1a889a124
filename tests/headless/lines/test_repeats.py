"""Lines for people collapse what repeats; JSON lines have every record."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from emqx_tui.headless.lines.events import Event, Record
from emqx_tui.headless.lines.output import Format, Output
from emqx_tui.headless.lines.repeats import EVERY_S, KEPT, Repeats

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def repair(second: float, text: str = "Service repaired") -> Record:
    return Record(Event.COMMAND, NOW + timedelta(seconds=second), "r1", {"text": text, "command": "kubectl patch"})


def test_a_repeat_is_counted_and_the_count_told_now_and_then() -> None:
    repeats = Repeats()
    told = [line for second in range(0, 641, 20) for line in repeats.lines(repair(second))]
    assert len(told) == 1 + int(640 // EVERY_S)
    assert told[1].startswith("12:05:00Z")
    assert told[1].endswith("(x 16 since 12:00:00Z)")
    (last,) = repeats.rest()
    assert last.endswith("(x 33 since 12:00:00Z)")
    assert repeats.rest() == []


def test_other_records_and_other_words_are_each_told() -> None:
    repeats = Repeats()
    held = Record(Event.NOTICE, NOW, "r1", {"text": "held"})
    assert len([line for record in (held, held, repair(0), repair(1, "scaled")) for line in repeats.lines(record)]) == 4


def test_what_is_remembered_is_bounded_and_no_count_is_lost() -> None:
    repeats = Repeats()
    repeats.lines(repair(0))
    repeats.lines(repair(1))
    told = [line for n in range(3 * KEPT) for line in repeats.lines(repair(2, f"line {n}"))]
    assert len(repeats._known) <= KEPT
    assert [line for line in told if "(x 2 since" in line]


def test_json_lines_have_every_record_and_text_each_thing_once() -> None:
    written: dict[Format, list[str]] = {form: [] for form in Format}
    for form, lines in written.items():
        output = Output(form, lines.append)
        for second in range(17):
            output.tell(repair(second))
        output.finish(Record(Event.FINISHED, NOW, "r1", {"result": "done"}))
    assert len([line for line in written[Format.JSONL] if json.loads(line)["event"] == "command"]) == 17
    repaired = [line for line in written[Format.TEXT] if "Service repaired" in line]
    assert len(repaired) == 2
    assert "(x 17 since 12:00:00Z)" in repaired[1]
