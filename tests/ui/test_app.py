"""The frame: keys from the one table, help, palette, leaving, read-only, looks, and what a signal does."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import termios
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest
from textual.events import Key
from textual.screen import Screen

from emqx_tui.rollout.decision import Decision
from emqx_tui.rollout.intents import Freeze, Hold
from emqx_tui.rollout.phases import Phase
from emqx_tui.session.inspection.questions import ReadEvents
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.notice import NoticeKind
from emqx_tui.ui.app import ConsoleApp
from emqx_tui.ui.change.screen import ChangeScreen
from emqx_tui.ui.clusters.screen import ClustersScreen
from emqx_tui.ui.objects.document_screen import DocumentScreen, Shape
from emqx_tui.ui.objects.log_screen import LogScreen
from emqx_tui.ui.rollout.screen import RolloutScreen
from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.confirm_card import ConfirmCard, before_dropping
from emqx_tui.ui.shell.help_screen import HelpScreen
from emqx_tui.ui.shell.identity import IdentityBar
from emqx_tui.ui.shell.keymap import KEYS, Area, spell
from emqx_tui.ui.shell.line_filters import to_ascii
from emqx_tui.ui.shell.messages import ChangeWanted, IntentSubmitted, ObjectsWanted, RolloutWanted
from emqx_tui.ui.text.themes import COLOURS
from tests.support.scenes import journal
from tests.support.screen_text import lines, said, text, until, until_said, until_shown
from tests.support.scripted import CONTEXT, ScriptedBackend, fleet, resource, row, three_clusters, view


def console(backend: ScriptedBackend | None = None, **fields) -> ConsoleApp:
    return ConsoleApp(backend or ScriptedBackend(), **fields)


SCREENS = {
    Area.CLUSTERS: None,
    Area.CHANGE: ChangeWanted,
    Area.ROLLOUT: RolloutWanted,
    Area.OBJECTS: ObjectsWanted,
    Area.DOCUMENT: lambda cluster: DocumentScreen(Shape.YAML, "x", cluster, ReadEvents(())),
    Area.LOG: lambda cluster: LogScreen(cluster, "emqx-ee-0", ("emqx",)),
}


def show(app: ConsoleApp, wanted) -> None:
    """Open a screen: by the message for it, or as it is."""
    made = wanted(("mqtt", "emqx-ee"))
    app.push_screen(made) if isinstance(made, Screen) else app.post_message(made)


# --- keys --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("area", SCREENS)
async def test_every_key_of_the_table_runs_its_action(area, monkeypatch):
    backend = ScriptedBackend()
    app = console(backend)
    pressed: list[str] = []
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        if wanted := SCREENS[area]:
            show(app, wanted)
            await until(pilot, lambda: getattr(app.screen, "AREA", None) is area and app.screen.is_mounted)
            await pilot.pause()
        screen = app.screen
        monkeypatch.setattr(type(screen), "can", lambda self, action: True)
        monkeypatch.setattr(type(screen), "check_action", lambda self, action, parameters: True)
        for key in keymap.keys_of(area):
            assert hasattr(screen, f"action_{key.action}"), f"{key.key} has no action"
            monkeypatch.setattr(type(screen), f"action_{key.action}", lambda self, a=key.action: pressed.append(a))
        if area is Area.CHANGE:
            screen.query_one("#field-initial_delay_s").focus()
        for key in keymap.keys_of(area):
            await pilot.press(key.key)
            # A key that sends at once waits a moment for others that came with it.
            await until(pilot, lambda wanted=key.action: pressed[-1:] == [wanted])
    assert pressed == [key.action for key in keymap.keys_of(area)]


def test_keys_are_unique_on_each_screen_and_differ_by_more_than_case():
    for area in SCREENS:
        keys = [key.key for key in KEYS if key.area in (area, Area.EVERYWHERE)]
        assert len({key.lower() for key in keys}) == len(keys)
        assert not any(key.startswith(("alt+", "f", "shift+")) and len(key) > 1 for key in keys)


@pytest.mark.parametrize("area", SCREENS)
async def test_help_lists_every_key_of_the_screen(area):
    app = console()
    async with app.run_test(size=(100, 60)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        if wanted := SCREENS[area]:
            show(app, wanted)
            await until(pilot, lambda: getattr(app.screen, "AREA", None) is area)
            await pilot.pause()
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await until_shown(pilot, "Keys of this screen")
        shown = text(app)
        for key in KEYS:
            if key.area in (area, Area.EVERYWHERE):
                assert f" {spell(key.key)} " in shown
                assert key.sentence[:40] in shown
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, HelpScreen))


async def test_the_palette_explains_words():
    app = console()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        await pilot.press("colon", *"explain takeover")
        await until_shown(pilot, "explain takeover wait")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await until_shown(pilot, "Its connections are evicted, and EMQX waits waitTakeover")
        assert "States of a node" in text(app)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, HelpScreen))


async def test_the_palette_finds_actions_and_clusters():
    backend = ScriptedBackend()
    app = console(backend)
    async with app.run_test(size=(100, 40)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        await pilot.press("colon", *"mqtt-stg")
        await until_shown(pilot, "open mqtt-stg/emqx-ee")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.__class__.__name__ != "CommandPalette" or pilot.app.screen.is_current)
        await pilot.press("enter")
        await until(pilot, lambda: backend.opened == [("mqtt-stg", "emqx-ee")])


@pytest.mark.parametrize(
    ("typed", "shown_as", "namespace"),
    [
        ("ns mqtt-stg", "ns mqtt-stg", "mqtt-stg"),
        ("ns all", "ns all", None),
        ("ns unheard-of", "ns unheard-of", "unheard-of"),
    ],
)
async def test_another_namespace_is_listed_by_its_name(typed, shown_as, namespace):
    backend = ScriptedBackend()
    app = console(backend)
    async with app.run_test(size=(100, 40)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        await pilot.press("colon", *typed)
        await until_shown(pilot, shown_as)
        await pilot.press("enter")
        await pilot.press("enter")
        await until(pilot, lambda: backend.looked_at == [namespace])


async def test_numbers_list_all_namespaces_or_one_that_was_seen():
    backend = ScriptedBackend()
    app = console(backend)
    async with app.run_test(size=(100, 40)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        for key in ("2", "0"):
            await pilot.press(key)
        await pilot.press("1", "2", "3", "4", "5", "6", "7", "8", "9", "0")
        await until(pilot, lambda: len(backend.looked_at) == 6)
        assert backend.looked_at == ["mqtt", None, "lab", "mqtt", "mqtt-stg", None]
        assert "only 3 namespaces are known" in said(app)
        app.look_at("quiet")
        await pilot.press("4")
        await until(pilot, lambda: backend.looked_at[-1] == "quiet")


async def test_another_context_ends_this_console_and_says_which_comes_next():
    app = ConsoleApp(ScriptedBackend(), contexts=("staging", "lab-1"))
    async with app.run_test(size=(100, 40)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        await pilot.press("colon", *"ctx sta")
        await until_shown(pilot, "ctx staging")
        app.change_context("staging")
        await until(pilot, lambda: not app.is_running or app.wanted_context == "staging")
    assert (app.wanted_context, app.return_code) == ("staging", 0)


@pytest.mark.parametrize(
    ("context", "fields", "words"),
    [
        ("demo", {"is_demo": True}, "This is the context of this console; a demo has no other."),
        ("only", {}, "This is the context of this console; the kubeconfig has no other."),
        ("prod", {"contexts": ("staging",)}, "This is the context of this console."),
    ],
)
async def test_the_context_that_one_is_in_is_listed_and_says_so(context, fields, words):
    app = ConsoleApp(ScriptedBackend(replace(three_clusters(), context=context)), **fields)
    async with app.run_test(size=(100, 40)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        await pilot.press("colon", *f"ctx {context}")
        await until_shown(pilot, words)
        await pilot.press("down", "enter")
        await until(pilot, lambda: said(app) == words)


async def test_no_other_context_while_a_release_is_driven_here_be_it_in_another_namespace():
    backend = ScriptedBackend(shown_fleet=replace(three_clusters(), is_driving=True))
    app = ConsoleApp(backend, contexts=("staging",))
    async with app.run_test(size=(100, 40)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        app.change_context("staging")
        await pilot.pause()
        assert said(app) == f"This console drives a release in {CONTEXT}: it stays there."
        assert app.wanted_context == ""
        await pilot.press("q")
        await until_shown(pilot, "Quit while driving a release?")


async def test_the_screen_is_drawn_anew_on_demand(monkeypatch):
    app = console()
    async with app.run_test(size=(100, 24)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        drawn: list[bool] = []
        monkeypatch.setattr(ConsoleApp, "refresh", lambda self, **how: drawn.append(how["repaint"]))
        await pilot.press("ctrl+l")
        assert drawn == [True]


async def test_where_nobody_could_resume_it_the_console_is_not_suspended(monkeypatch):
    monkeypatch.setattr("emqx_tui.ui.app.suspend", lambda app: "no shell is there")
    app = console()
    async with app.run_test(size=(100, 24)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        await pilot.press("ctrl+z")
        await until_said(pilot, "The console cannot be suspended: no shell is there")


async def test_the_key_line_shows_only_keys_that_do_something():
    app = console(ScriptedBackend(fleet()))
    async with app.run_test(size=(100, 24)) as pilot:
        await until_shown(pilot, "There is no EmqxEnterprise")
        line = lines(app)[-1]
        assert "enter open" not in line
        assert "/ filter" not in line
        assert "? help" in line
        assert "q quit" in line


# --- read-only ---------------------------------------------------------------------------------------------------


async def test_read_only_sends_nothing_says_why_and_greys_the_keys():
    backend = ScriptedBackend(is_read_only=True)
    backend.shown_view = view(resource(releasing=True), phase=Phase.DRAINING, role=Role.DRIVER)
    app = console(backend)
    async with app.run_test(size=(100, 30)) as pilot:
        await until_shown(pilot, "mqtt-stg", "READ-ONLY")
        app.post_message(RolloutWanted(("mqtt", "emqx-ee")))
        await until(pilot, lambda: isinstance(app.screen, RolloutScreen))
        app.screen.post_message(IntentSubmitted(Hold("ann@bastion")))
        await until_said(pilot, "Nothing was sent: started with --read-only")
        assert backend.intents == []
        await pilot.press("question_mark")
        await until_shown(pilot, "(off: read-only)", "Greyed-out keys send nothing: started with --read-only")


async def test_the_reason_for_read_only_can_be_another_one():
    app = console()
    app.read_only_reason = "no right to patch emqxenterprises in mqtt"
    async with app.run_test(size=(100, 24)) as pilot:
        await until_shown(pilot, "READ-ONLY")
        app.post_message(IntentSubmitted(Hold("ann@bastion")))
        await until_said(pilot, "Nothing was sent: no right to patch emqxenterprises in mqtt")


async def test_intents_bubble_to_the_backend():
    backend = ScriptedBackend()
    app = console(backend)
    async with app.run_test() as pilot:
        await until_shown(pilot, "mqtt-stg")
        app.screen.post_message(IntentSubmitted(Hold("ann@bastion", "why")))
        await until(pilot, lambda: backend.intents == [Hold("ann@bastion", "why")])


# --- notices, leaving --------------------------------------------------------------------------------------------


async def test_each_notice_is_said_once(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(ConsoleApp, "say", lambda self, words, **_: said.append(words))
    backend = ScriptedBackend(shown_view=view())
    app = console(backend)
    async with app.run_test(size=(100, 30)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        backend.notice("held")
        await until(pilot, lambda: said == ["held"])
        backend.publish()
        backend.publish()
        await pilot.pause()
        assert said == ["held"]
        backend.notice("held")
        await until(pilot, lambda: said == ["held", "held"])


async def test_a_notice_is_never_read_as_markup():
    backend = ScriptedBackend(shown_view=view())
    app = console(backend)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await until_shown(pilot, "mqtt-stg")
        backend.notice("[bold]refused[/bold]")
        await until_shown(pilot, "[bold]refused[/bold]")


@pytest.mark.parametrize(
    ("kind", "severity"),
    [(NoticeKind.ACCEPTED, "information"), (NoticeKind.REFUSED, "warning"), (NoticeKind.PROBLEM, "warning")],
)
async def test_what_went_wrong_is_said_as_a_warning(kind: NoticeKind, severity: str):
    backend = ScriptedBackend(shown_view=view())
    app = console(backend)
    async with app.run_test(size=(100, 30)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        backend.notice("held", kind)
        await until(pilot, lambda: app.notice is not None)
        assert app.notice.severity == severity


async def test_leaving_without_driving_asks_nothing():
    backend = ScriptedBackend()
    app = console(backend)
    async with app.run_test() as pilot:
        await until_shown(pilot, "mqtt-stg")
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert app.return_code == 0
    assert backend.stopped


@pytest.mark.parametrize(
    "decision",
    [Decision(Phase.DRAINING), Decision(Phase.LOST, waits_for_blue=True)],
    ids=["while it drains", "while its abort waits for blue"],
)
async def test_a_driver_is_asked_for_a_word(decision: Decision):
    driving = view(resource(releasing=True), phase=Phase.DRAINING, role=Role.DRIVER, journal=journal())
    driving = replace(driving, decision=decision)
    app = console(ScriptedBackend(shown_view=driving))
    async with app.run_test() as pilot:
        await until_shown(pilot, "mqtt-stg")
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmCard))
        await pilot.press("enter", "q", "escape")
        await until(pilot, lambda: isinstance(app.screen, ClustersScreen))
        assert app.is_running
        await pilot.press("ctrl+c")
        await until(pilot, lambda: isinstance(app.screen, ConfirmCard))
        await pilot.press(*"quit")
        await until(pilot, lambda: not app.is_running)


async def test_a_driver_that_no_screen_has_been_told_of_is_asked_as_well():
    backend = ScriptedBackend()
    app = console(backend)
    async with app.run_test() as pilot:
        await until_shown(pilot, "mqtt-stg")
        await pilot.pause()
        backend.shown_view = view(resource(releasing=True), phase=Phase.DRAINING, role=Role.DRIVER, journal=journal())
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmCard))
        assert app.is_running


async def test_a_driven_cluster_that_is_not_looked_at_is_not_forgotten():
    driven = row("emqx-ee", "mqtt", phase=Phase.DRAINING, driver="ann@bastion/1", is_mine=True)
    backend = ScriptedBackend(fleet(driven))
    app = console(backend)
    async with app.run_test() as pilot:
        await until_shown(pilot, "driver: you")
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmCard))
        await pilot.press("escape")
        backend.publish(fleet=fleet(row("emqx-ee", "mqtt", phase=Phase.DONE)))
        await pilot.pause()
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)


@pytest.mark.parametrize(("is_demo", "words"), [(True, "The demo ends here"), (False, "to carry on.")])
async def test_a_demo_is_not_said_to_go_on(is_demo, words):
    driving = view(resource(releasing=True), phase=Phase.DRAINING, role=Role.DRIVER)
    app = console(ScriptedBackend(shown_view=driving), is_demo=is_demo)
    async with app.run_test() as pilot:
        await until_shown(pilot, "mqtt-stg")
        await pilot.press("q")
        await until_shown(pilot, words)
        assert ("to carry on." in text(app)) is not is_demo


async def edited(pilot) -> None:
    """Open the change screen of the first cluster and type another version."""
    await until_shown(pilot, "mqtt-stg")
    pilot.app.post_message(ChangeWanted(("mqtt-stg", "emqx-ee")))
    await until_shown(pilot, "nothing changed")
    await pilot.press(*"4.4.16")
    await until_shown(pilot, "unsaved · 1 change")


async def test_unsent_edits_are_asked_for_before_quitting():
    app = console(ScriptedBackend())
    async with app.run_test(size=(100, 30)) as pilot:
        await edited(pilot)
        await pilot.press("q")
        await until_shown(pilot, "Quit with unsent edits?", "mqtt-stg/emqx-ee: 1 change is not sent and will be lost.")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ChangeScreen))
        assert "4.4.16" in text(app)
        await pilot.press("ctrl+c")
        await until(pilot, lambda: isinstance(app.screen, ConfirmCard))
        await pilot.press(*"quit")
        await until(pilot, lambda: not app.is_running)


async def test_unsent_edits_are_asked_for_before_another_cluster_is_opened():
    backend = ScriptedBackend()
    app = console(backend)
    async with app.run_test(size=(100, 30)) as pilot:
        await edited(pilot)
        app.screen.post_message(RolloutWanted(("mqtt", "emqx-ee")))
        await until_shown(pilot, "Drop the unsent edits?")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ChangeScreen))
        assert backend.opened == [("mqtt-stg", "emqx-ee")]
        app.screen.post_message(RolloutWanted(("mqtt", "emqx-ee")))
        await until_shown(pilot, "Drop the unsent edits?")
        await pilot.press(*"drop")
        await until(pilot, lambda: isinstance(app.screen, RolloutScreen))
        assert backend.opened == [("mqtt-stg", "emqx-ee"), ("mqtt", "emqx-ee")]


# --- keys that were typed for something else ---------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["fg", "hx", "gf"])
async def test_keys_that_come_together_send_nothing(typed):
    releasing = view(resource(releasing=True), phase=Phase.DRAINING, role=Role.DRIVER, journal=journal())
    backend = ScriptedBackend(shown_view=releasing)
    app = console(backend)
    async with app.run_test(size=(100, 30)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        app.post_message(RolloutWanted(("mqtt", "emqx-ee")))
        await until(pilot, lambda: isinstance(app.screen, RolloutScreen))
        at = monotonic()
        for key in typed:
            event = Key(key, key)
            event.time = at
            app.post_message(event)
        await until_said(pilot, "Nothing was sent: " + " ".join(typed) + " came together. Press one key.")
        assert isinstance(app.screen, RolloutScreen)
        assert backend.intents == []
        await pilot.press("f")
        await until(pilot, lambda: len(backend.intents) == 1)
        assert isinstance(backend.intents[0], Freeze)


# --- news --------------------------------------------------------------------------------------------------------


async def test_a_burst_of_news_is_taken_as_one():
    backend = ScriptedBackend()
    app = console(backend)
    async with app.run_test() as pilot:
        await until_shown(pilot, "mqtt-stg")
        taken: list[object] = []
        app.screen.take = taken.append  # type: ignore[method-assign]
        for _ in range(200):
            backend.publish()
        await pilot.pause()
        assert 1 <= len(taken) < 20


async def test_what_lies_below_another_screen_is_not_drawn_until_it_is_seen_again():
    backend = ScriptedBackend()
    app = console(backend)
    async with app.run_test() as pilot:
        await until_shown(pilot, "mqtt-stg")
        below = app.screen
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ChangeScreen))
        backend.publish(fleet=fleet(row("fresh", "aa"), *three_clusters().rows))
        await pilot.pause()
        assert isinstance(below, ClustersScreen)
        assert below._published is not app.published
        await pilot.press("escape")
        await until_shown(pilot, "fresh")


async def test_back_leads_where_one_came_from():
    backend = ScriptedBackend()
    app = console(backend)
    async with app.run_test(size=(100, 30)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RolloutScreen) and app.screen.is_mounted)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ChangeScreen))
        assert backend.closed == 0
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RolloutScreen))
        assert backend.closed == 0
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ClustersScreen))
        assert backend.closed == 1
        assert set(backend.opened) == {("mqtt", "emqx-ee")}


# --- looks -------------------------------------------------------------------------------------------------------


async def test_ascii_replaces_every_sign_borders_included():
    app = console(is_ascii=True, is_production=True)
    async with app.run_test(size=(100, 30)) as pilot:
        await until_shown(pilot, "mqtt-stg", "PROD")
        filtered = [
            app.get_line_filters()[-1].apply(list(strip), app.screen.background_colors[0]) for strip in _strips(app)
        ]
        drawn = "\n".join("".join(segment.text for segment in segments) for segments in filtered)
        assert drawn.isascii()
        assert "# waits for you" in drawn
        await pilot.press("question_mark")
        await until_shown(pilot, "Keys of this screen")
        assert all(to_ascii(line).isascii() for line in lines(app))


async def test_each_colour_of_a_context_makes_a_top_line_of_its_own():
    found = {}
    for colour in ("", *COLOURS):
        app = console(colour=colour, is_production=True)
        async with app.run_test(size=(100, 30)) as pilot:
            await until_shown(pilot, "mqtt-stg")
            found[colour] = app.screen.query_one(IdentityBar).styles.background.hex
    assert len(set(found.values())) == len(COLOURS) + 1


def _strips(app: ConsoleApp):
    return app.screen._compositor.render_strips()


async def test_no_color_sends_no_colour(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = console()
    async with app.run_test(size=(100, 30)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        for strip in _strips(app):
            segments = list(strip)
            for line_filter in app.get_line_filters():
                segments = line_filter.apply(segments, app.screen.background_colors[0])
            for segment in segments:
                for colour in (segment.style.color, segment.style.bgcolor) if segment.style else ():
                    assert colour is None or colour.is_default
        reversed_rows = [strip for strip in _strips(app) if any(s.style and s.style.reverse for s in strip)]
        assert len(reversed_rows) == 1, "without colours the cursor row has to be marked otherwise"


def test_the_signs_keep_their_width_in_ascii():
    from rich.cells import cell_len

    for sign in "→▸●▲◆‖✔┌│█⠿…":
        assert to_ascii(sign).isascii()
        assert cell_len(to_ascii(sign)) == cell_len(sign)
    assert to_ascii("发布 é") == "发布 é"


async def test_a_screen_below_a_card_is_drawn_now_and_then_only(monkeypatch):
    """Each change below a card draws the whole screen anew: 400 kB a second on a large terminal and a fast cluster."""
    app = console()
    taken: list[object] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "mqtt-stg")
        await app.push_screen(ConfirmCard(before_dropping("mqtt/emqx-ee: 1 change is")))
        monkeypatch.setattr(ClustersScreen, "take", lambda self, published: taken.append(published))
        for _ in range(5):
            app.hand_out()
        assert len(taken) <= 1
        before = len(taken)
        app.pop_screen()
        await until(pilot, lambda: len(taken) > before)


# --- a real terminal ---------------------------------------------------------------------------------------------

PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
from tests.support.scripted import ScriptedBackend
from emqx_tui.ui.app import ConsoleApp
app = ConsoleApp(ScriptedBackend())
app.run()
print("stopped", app.backend.stopped)
heavy = [name for name in ("plotext", "tree_sitter", "kubernetes", "httpx") if name in sys.modules]
print("imported", heavy)
sys.exit(app.return_code)
"""


class Terminal:
    """The console as a process on a pseudo-terminal."""

    def __init__(self, program: str = PROGRAM, **values: str) -> None:
        self._start([sys.executable, "-c", program.format(folder=str(Path(__file__).parents[2]), **values)], {})

    @classmethod
    def of(cls, command: list[str], env: dict[str, str]) -> Terminal:
        """Another command on such a terminal."""
        made = cls.__new__(cls)
        made._start(command, env)
        return made

    def _start(self, command: list[str], env: dict[str, str]) -> None:
        leader, follower = pty.openpty()
        env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", **env}
        self.process = subprocess.Popen(
            command,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=env,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(follower)
        self.leader, self.output = leader, b""

    def type(self, keys: str) -> None:
        os.write(self.leader, keys.encode())

    def read_until(self, wanted: bytes, deadline_s: float = 30.0) -> None:
        end = monotonic() + deadline_s
        while wanted not in self.output:
            assert monotonic() < end, f"{wanted!r} never came: {self.output[-500:]!r}"
            if select.select([self.leader], [], [], 0.2)[0]:
                self.output += os.read(self.leader, 65_536)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.leader)


@pytest.fixture
def terminal():
    running = Terminal()
    yield running
    running.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_signal_restores_the_terminal_and_stops_the_engine(terminal, number):
    terminal.read_until(b"mqtt-stg")
    terminal.process.send_signal(number)
    terminal.read_until(b"stopped True")
    terminal.read_until(b"imported []")
    assert b"\x1b[?1049l" in terminal.output, "the alternate screen was left on"
    assert terminal.process.wait(10) == 128 + number


NOISY = PROGRAM.replace(
    "app.run()",
    """
import pathlib, threading, time
from dataclasses import replace

def shout():
    backend, number, behind = app.backend, 0, 0
    while True:
        rows = [replace(row, live_connections=number + place) for place, row in enumerate(backend.shown_fleet.rows)]
        backend.publish(fleet=replace(backend.shown_fleet, rows=tuple(rows)))
        number += 1
        time.sleep(0.01)
        writer = getattr(app._driver, "_writer_thread", None)
        behind = behind + 1 if writer is not None and writer._queue.qsize() > 1 else 0
        if behind > 200:
            pathlib.Path({mark!r}).write_text(str(writer._queue.qsize()))

threading.Thread(target=shout, daemon=True).start()
app.run()
""",
)


@pytest.fixture
def stalled(tmp_path):
    """A console with much to tell on a terminal that has stopped reading; and how much it wrote ahead."""
    mark = tmp_path / "stalled"
    terminal = Terminal(NOISY, mark=str(mark))
    try:
        terminal.read_until(b"mqtt-stg")
        end = monotonic() + 60
        while not (ahead := mark.read_text() if mark.exists() else ""):
            assert monotonic() < end, "the console never came to a stand"
            assert terminal.process.poll() is None
            select.select([], [], [], 0.05)
        yield terminal, int(ahead)
    finally:
        terminal.close()


def test_a_signal_ends_a_console_whose_terminal_does_not_read(stalled):
    terminal, _ = stalled
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.process.wait(20) == 128 + signal.SIGTERM


def test_a_terminal_that_does_not_read_is_not_written_to_until_the_loop_stands(stalled):
    _, written_ahead = stalled
    assert written_ahead < 10, "the queue of the driver fills up; at 30 it stops the loop"


@pytest.fixture
def shell():
    """An interactive shell that starts the console as its job."""
    program = PROGRAM.format(folder=str(Path(__file__).parents[2]))
    running = Terminal.of(["bash", "--norc", "--noprofile", "-i"], {"PS1": "at-the-shell$ "})
    running.read_until(b"at-the-shell$ ")
    running.type(f"{shlex.quote(sys.executable)} -c {shlex.quote(program)}\n")
    running.read_until(b"mqtt-stg")
    yield running
    running.close()


def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_comes_back(shell):
    shell.output = b""
    shell.type("\x1a")
    shell.read_until(b"emqx-tui is suspended")
    shell.read_until(b"at-the-shell$ ")
    assert b"\x1b[?1049l" in shell.output, "the alternate screen was left on"
    shell.output = b""
    shell.type("fg\n")
    shell.read_until(b"meanwhile.")
    assert b"\x1b[?1049h" in shell.output
    shell.type("q")
    shell.read_until(b"stopped True")


def test_ctrl_z_without_a_shell_says_why_it_does_nothing(terminal):
    terminal.read_until(b"mqtt-stg")
    terminal.type("\x1a")
    terminal.read_until(b"suspended:")
    terminal.type("q")
    terminal.read_until(b"stopped True")


# --- a crash -----------------------------------------------------------------------------------------------------


async def test_a_crash_shows_no_values(monkeypatch, capsys):
    secret = "hunter2-" + "secret"

    def broken(self, published):
        template = {"password": secret}
        raise RuntimeError(f"it broke with {len(template)} value")

    backend = ScriptedBackend()
    app = console(backend)

    async def crash() -> None:
        async with app.run_test() as pilot:
            await until_shown(pilot, "mqtt-stg")
            monkeypatch.setattr(ClustersScreen, "take", broken)
            backend.publish()
            await until(pilot, lambda: app._exception is not None)

    with pytest.raises(RuntimeError, match="it broke"):
        await crash()
    shown = capsys.readouterr().err
    assert "it broke with 1 value" in shown
    assert secret not in shown
