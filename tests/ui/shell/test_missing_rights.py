"""The help says which rights are missing, and which keys are off without them."""

from __future__ import annotations

from dataclasses import replace

from emqx_tui.model.kinds import Kind
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.session.inspection.questions import LIST_CLAIMS, READ_LOGS, right_to_get
from emqx_tui.session.views.fleet_view import Role, SourceHealth
from emqx_tui.ui.app import ConsoleApp
from emqx_tui.ui.shell.help_screen import MissingRight, help_lines
from emqx_tui.ui.shell.keymap import KEYS, Area
from emqx_tui.ui.text.spans import plain
from tests.support import releases
from tests.support.inside import inside, inventory
from tests.support.screen_text import text, until, until_shown
from tests.support.scripted import ScriptedBackend, fleet, row


def shown(*missing: MissingRight, read_only: str = "") -> list[str]:
    return [plain(part) for part in help_lines(KEYS, Area.OBJECTS, read_only, missing)]


def test_a_right_is_told_on_top_with_the_keys_that_are_off_without_it():
    lines = shown(MissingRight("no right to get pods/log", ("logs",)), MissingRight("no right to list events"))
    assert lines[:3] == ["▲ no right to get pods/log   off: l logs", "▲ no right to list events", ""]
    assert "l       Follow the log of the pod's container. (off: no right)" in lines
    assert any(line.startswith("v       Show the Events") and "off" not in line for line in lines)


def test_without_a_missing_right_nothing_is_told():
    assert not any("▲" in line or "off:" in line for line in shown())


def test_read_only_is_told_before_rights_and_words_of_a_cluster_are_not_obeyed():
    lines = shown(MissingRight("[bold]x\x1b[2J"), read_only="started with --read-only")
    assert lines[0].startswith("Greyed-out keys send nothing")
    assert lines[2] == "▲ [bold]x�[2J"


async def test_the_objects_screen_tells_rights_to_look():
    known = replace(inventory(), missing=frozenset({READ_LOGS, LIST_CLAIMS, right_to_get(Kind.POD)}))
    async with inside(known=known) as console:
        await console.press("question_mark")
        await console.shows("▲ no right to get pods/log   off: l logs", "▲ no right to list persistentvolumeclaims")
        await console.shows("▲ no right to get pods   off: enter describe, d describe, y YAML")


async def open_help(backend: ScriptedBackend, *words: str, key: str = "", **fields) -> None:
    app = ConsoleApp(backend, **fields)
    async with app.run_test(size=(100, 40)) as pilot:
        await until_shown(pilot, "emqx-ee")
        if key:
            await pilot.press(key)
            await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.pause()
        await pilot.press("question_mark")
        await until_shown(pilot, "Keys of this screen", *words)
        assert "[bold]" not in text(app) or "[bold]" in " ".join(words)


async def test_the_rollout_screen_tells_why_it_only_watches():
    unread = SourceHealth(Kind.ENDPOINTS, False, None, "no right to watch [bold]endpoints", is_forbidden=True)
    view = releases.at_gate(role=Role.WATCH_ONLY, role_reason="no right to patch endpoints")
    backend = ScriptedBackend(shown_view=replace(view, health=(*view.health, unread)))
    words = (
        "▲ watch only: no right to patch endpoints   off: a approve, h hold",
        "endpoints: no right to watch [bold]end",
    )
    await open_help(backend, *words, "(off: no right)", opened=("mqtt", "emqx-ee"))


async def test_the_list_tells_what_is_not_read():
    forbidden = SourceHealth(Kind.LEASE, False, None, "no right to list leases", is_forbidden=True)
    found = fleet(row("emqx-ee", "mqtt", why_unknown="no right to get secrets"), health=(forbidden,))
    await open_help(ScriptedBackend(found), "▲ leases: no right to list leases", "▲ no right to get secrets")


async def test_the_change_screen_tells_rights_that_a_release_lacks():
    lacking = CheckResult("right-scale", Outcome.FAIL, "statefulsets/scale may not be patched")
    backend = ScriptedBackend(fleet(row("emqx-ee", "mqtt")))
    app = ConsoleApp(backend)
    async with app.run_test(size=(100, 40)) as pilot:
        await until_shown(pilot, "emqx-ee")
        await pilot.press("e")
        await until_shown(pilot, "nothing changed")
        await pilot.press(*"4.4.15")
        await until(pilot, lambda: backend.asked)
        backend.publish(edit_preview=backend.asked[-1].answer(lacking))
        await until_shown(pilot, "✔ dry-run accepted")
        await pilot.press("question_mark")
        await until_shown(pilot, "▲ right-scale: statefulsets/scale may not be patched   off: w start…")
