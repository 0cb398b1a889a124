"""One object as text: read, searched, wrapped, copied."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from emqx_tui.model.workloads import ClusterEvent
from emqx_tui.ui.objects.document_screen import EVENTS_EVERY_S, DocumentScreen, DocumentText
from emqx_tui.ui.objects.screen import ObjectsScreen
from tests.support.inside import TROUBLED, Inside, inside
from tests.support.screen_text import until, until_said

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "x", "managedFields": [{"manager": "kubelet"}], "labels": {"a": "[bold]b[/bold]"}},
    "spec": {"containers": [{"name": "emqx", "image": "emqx/emqx-ee:4.4.15", "args": ["y" * 200]}] * 20},
}


@asynccontextmanager
async def document(key: str = "y", **answer):
    async with inside() as console:
        await console.choose(f"pod {TROUBLED}")
        await console.pilot.press(key)
        await until(console.pilot, lambda: console.backend.questions)
        await console.answer(is_complete=True, **(answer or {"object": POD}))
        yield console


def body(console: Inside) -> DocumentText:
    return console.app.screen.query_one(DocumentText)


async def test_yaml_is_shown_with_its_age_and_managed_fields_folded():
    async with document() as console:
        await console.shows("YAML of …745858464d-0", "as of 12:06:01", "kind: Pod", "[bold]b[/bold]")
        assert "managedFields folded (m): kubelet" in console.shown
        await console.press("m")
        await console.shows("managedFields:", "- manager: kubelet")
        await console.press("m")
        await console.shows("managedFields folded (m)")


async def test_the_lines_are_counted_as_they_are_shown():
    async with document() as console:
        await console.shows("YAML of …745858464d-0")
        text = body(console).text
        assert text.endswith("\n")
        number = text.count("\n")
        await console.shows(f"as of 12:06:01  {number} lines")


async def test_a_search_marks_one_place_after_the_other_and_begins_anew():
    async with document() as console:
        await console.press("slash")
        await console.press(*"IMAGE")
        await console.shows("20 places with IMAGE")
        await console.press("enter")
        first = body(console).selection
        assert body(console).selected_text == "image"
        await console.press("n")
        assert body(console).selection.start > first.start
        for _ in range(19):
            await console.press("n")
        assert body(console).selection == first


async def test_a_search_without_a_place_says_so_and_escape_drops_it():
    async with document() as console:
        await console.press("slash", *"nowhere", "enter")
        await until_said(console.pilot, "Nothing here contains nowhere")
        await console.press("slash", "escape")
        assert isinstance(console.app.screen, DocumentScreen)
        assert "places" not in console.shown


async def test_long_lines_are_cut_or_wrapped():
    async with document() as console:
        await console.press("w")
        assert body(console).soft_wrap
        await console.press("w")
        assert not body(console).soft_wrap


async def test_c_copies_what_is_marked_or_all_of_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "linux")
    for name in ("TMUX", "STY"):
        monkeypatch.delenv(name, raising=False)
    async with document() as console:
        console.app._state_dir = tmp_path
        await console.press("c")
        await until_said(console.pilot, f"written to {tmp_path}")
        (first,) = (tmp_path / "copied").iterdir()
        assert first.read_text("utf-8") == body(console).text
        assert first.stat().st_mode & 0o777 == 0o600
        await console.press("slash", *"kind", "enter", "c")
        await until(console.pilot, lambda: len(list((tmp_path / "copied").iterdir())) == 2)
        assert sorted((tmp_path / "copied").iterdir())[-1].read_text("utf-8") == "kind"


async def test_the_text_is_moved_in_by_keys_and_cannot_be_changed():
    async with document() as console:
        await console.press("j")
        assert body(console).cursor_location[0] == 1
        await console.press("k")
        assert body(console).cursor_location[0] == 0
        await console.press("end")
        assert body(console).cursor_location == body(console).document.end
        await console.press("home")
        assert body(console).cursor_location == (0, 0)
        before = body(console).text
        await console.press("b", "1", "delete")
        assert body(console).text == before


async def test_a_description_ends_with_the_events():
    event = ClusterEvent.from_json({"metadata": {"name": "e"}, "reason": "BackOff", "message": "pull token=s3cret"})
    async with document("d", object=POD, events=(event,)) as console:
        await console.shows("description of", "Name:", "Kind:            Pod")
        assert "BackOff" in body(console).text
        assert "s3cret" not in body(console).text


async def test_events_are_asked_for_anew_and_the_place_stays(monkeypatch):
    monkeypatch.setattr("emqx_tui.ui.objects.document_screen.EVENTS_EVERY_S", 0.05)
    assert EVENTS_EVERY_S > 1
    event = ClusterEvent.from_json({"metadata": {"name": "e"}, "reason": "Killing", "message": "m"})
    async with document("v", events=(event,)) as console:
        await console.shows("events of", "LAST SEEN", "Killing")
        await console.press("end")
        place = body(console).cursor_location
        asked = len(console.backend.questions)
        await until(console.pilot, lambda: len(console.backend.questions) > asked)
        numbers = {number for number, _ in console.backend.questions}
        assert len(numbers) == 1
        assert body(console).cursor_location == place


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"problem": "not allowed: pods is forbidden"}, "not allowed: pods is forbidden"), ({"problem": "gone"}, "gone")],
)
async def test_why_there_is_nothing_to_see(fields, words):
    async with document(**fields) as console:
        await console.shows(words)


async def test_an_answer_to_another_question_is_not_shown():
    async with document() as console:
        number, question = console.backend.questions[-1]
        console.backend.questions.append((number + 1, question))
        await console.answer(is_complete=True, object={"kind": "Other"})
        assert "kind: Other" not in console.shown


async def test_escape_goes_back_to_the_tree_and_lets_the_question_go():
    async with document() as console:
        await console.press("escape")
        assert isinstance(console.app.screen, ObjectsScreen)
        assert console.backend.stopped_inspecting == 1
