"""The tree of objects: what it shows, its keys, and what is greyed out for want of a right."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emqx_tui.model.kinds import Kind
from emqx_tui.rollout.intents import Intent
from emqx_tui.session.inspection.questions import LIST_EVENTS, READ_LOGS, ReadEvents, ReadLog, ReadObject, right_to_get
from emqx_tui.ui.objects.document_screen import DocumentScreen
from emqx_tui.ui.objects.log_screen import LogScreen
from emqx_tui.ui.objects.screen import ObjectsScreen
from emqx_tui.ui.objects.tree import ObjectTree
from emqx_tui.ui.rollout.screen import RolloutScreen
from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.keymap import Area
from tests.support.inside import TROUBLED, claim, inside, inventory, view
from tests.support.releases import BLUE, GREEN
from tests.support.screen_text import lines, until, until_said
from tests.support.scripted import three_clusters

LARGE = (160, 50)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), LARGE])
async def test_the_tree_leads_from_the_resource_to_each_emqx_node(size):
    async with inside(size) as console:
        tree = [line.strip(" └├│▾▸─") for line in lines(console.app) if "▾" in line or "EMQX 4.4" in line]
        order = [row.split()[0] for row in tree]
        assert order[:4] == ["emqx-ee", BLUE, f"{BLUE}-0", "EMQX"]
        assert f"{GREEN}" in order
        assert "blue" in next(row for row in tree if row.startswith(f"{BLUE} "))


async def test_the_row_under_the_cursor_is_told_below():
    async with inside() as console:
        await console.shows("EmqxEnterprise emqx-ee")
        await console.choose(f"set {GREEN}")
        await console.shows(f"StatefulSet {GREEN}", "revision r1", "image emqx/emqx-ee:4.4.15")
        await console.choose(f"pod {TROUBLED}")
        await console.shows("2 restarts, last OOMKilled, exit code 137", "readiness gates  apps.emqx.io/on-serving")
        assert "s3cret" not in console.shown
        await console.choose(f"node {TROUBLED}")
        await console.shows("EMQX 4.4.15, in the EMQX cluster", "clients connected")


async def test_markup_and_secrets_of_the_cluster_stay_text():
    async with inside(LARGE) as console:
        await console.choose(f"pod {TROUBLED}")
        await console.shows("not [bold]ready[/bold]")


async def test_what_is_left_over_has_a_branch_of_its_own():
    stopped = replace(view().snapshot, stopped_nodes=("emqx-ee@gone.svc",))
    shown = replace(view(), snapshot=stopped)
    async with inside(LARGE, inventory(claim("data-gone-0"), claim(f"data-{GREEN}-0")), shown) as console:
        await console.choose("leftovers")
        await console.shows("leftovers", "data-gone-0", "orphaned claim", "emqx-ee@gone.svc", "stopped node")
        assert f"data-{GREEN}-0" not in console.shown


# --- keys ------------------------------------------------------------------------------------------------------------


async def test_y_shows_the_object_as_yaml():
    async with inside() as console:
        await console.choose(f"pod {TROUBLED}")
        await console.press("y")
        assert isinstance(console.app.screen, DocumentScreen)
        question = console.question
        assert isinstance(question, ReadObject)
        assert (question.target.kind, question.target.name, question.with_events) == (Kind.POD, TROUBLED, False)


@pytest.mark.parametrize("key", ["d", "enter"])
async def test_d_and_enter_describe_it_with_its_events(key):
    async with inside() as console:
        await console.press("d") if key == "d" else await console.press("enter")
        assert isinstance(console.app.screen, DocumentScreen)
        question = console.question
        assert isinstance(question, ReadObject)
        assert (question.target.kind, question.with_events) == (Kind.EMQX_ENTERPRISE, True)


async def test_v_shows_the_events_of_all_below_and_of_a_node_those_of_its_pod():
    async with inside() as console:
        await console.choose(f"set {GREEN}")
        await console.press("v")
        question = console.question
        assert isinstance(question, ReadEvents)
        assert [target.name for target in question.targets] == [GREEN, *(f"{GREEN}-{n}" for n in range(3))]
        await console.press("escape")
        await console.choose(f"node {TROUBLED}")
        await console.press("v")
        question = console.question
        assert isinstance(question, ReadEvents)
        assert [(target.kind, target.name) for target in question.targets] == [(Kind.POD, TROUBLED)]


async def test_l_follows_the_log_of_the_pod_and_does_nothing_where_there_is_none():
    async with inside() as console:
        await console.press("l")
        assert isinstance(console.app.screen, ObjectsScreen)
        await console.choose(f"node {TROUBLED}")
        await console.press("l")
        assert isinstance(console.app.screen, LogScreen)
        assert console.question == ReadLog("mqtt", TROUBLED, "emqx")


async def test_c_copies_the_name(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("TMUX", "STY", "VTE_VERSION", "TERM_PROGRAM"):
        monkeypatch.delenv(name, raising=False)
    async with inside() as console:
        await console.choose(f"pod {TROUBLED}")
        await console.press("c")
        await until_said(console.pilot, f"copied {TROUBLED}")


async def test_space_left_and_right_fold_and_unfold():
    async with inside() as console:
        await console.choose(f"set {BLUE}")
        assert f"{BLUE}-0" in console.shown
        await console.press("space")
        await until(console.pilot, lambda: f"{BLUE}-0" not in console.shown)
        await console.press("right")
        await console.shows(f"{BLUE}-0")
        await console.press("left")
        await until(console.pilot, lambda: f"{BLUE}-0" not in console.shown)
        await console.press("left")
        screen = console.app.screen
        assert isinstance(screen, ObjectsScreen)
        assert screen.selected is not None
        assert screen.selected.key == "resource"


async def test_the_cursor_goes_everywhere_and_stays_on_its_object_when_figures_change():
    async with inside() as console:
        tree = console.app.screen.query_one(ObjectTree)
        await console.press("j")
        await until(console.pilot, lambda: tree.cursor_line == 1)
        await console.press("k")
        await until(console.pilot, lambda: tree.cursor_line == 0)
        await console.press("pagedown")
        await until(console.pilot, lambda: tree.cursor_line > 5)
        await console.press("pageup")
        await until(console.pilot, lambda: tree.cursor_line <= 1)
        await console.press("end")
        await until(console.pilot, lambda: tree.cursor_line == tree.last_line)
        await console.press("home")
        await until(console.pilot, lambda: tree.cursor_line == 0)
        await console.choose(f"pod {TROUBLED}")
        shown = view()
        later = replace(shown, snapshot=replace(shown.snapshot, stopped_nodes=("emqx-ee@gone",)), sequence=9)
        console.backend.publish(view=later)
        await until(console.pilot, lambda: console.app.published.view is later)
        screen = console.app.screen
        assert isinstance(screen, ObjectsScreen)
        assert screen.selected is not None
        assert screen.selected.pod == TROUBLED


async def test_escape_goes_back_to_where_it_was_opened():
    async with inside() as console:
        await console.press("escape")
        assert not isinstance(console.app.screen, ObjectsScreen)
        assert console.backend.closed == 1


async def test_o_opens_it_above_the_rollout_screen_which_stays():
    async with inside() as console:
        await console.press("escape")
        await console.press("enter")
        await until(console.pilot, lambda: isinstance(console.app.screen, RolloutScreen))
        await console.press("o")
        await until(console.pilot, lambda: isinstance(console.app.screen, ObjectsScreen))
        await console.press("escape")
        assert isinstance(console.app.screen, RolloutScreen)


# --- rights and safety -----------------------------------------------------------------------------------------------


async def test_a_missing_right_greys_its_key_and_says_which():
    known = inventory(missing=frozenset({READ_LOGS, LIST_EVENTS, right_to_get(Kind.POD)}))
    async with inside((120, 40), known) as console:
        await console.choose(f"pod {TROUBLED}")
        await console.shows("grey: no right")
        assert all(word in lines(console.app)[-1] for word in ("y YAML", "v events", "l logs"))
        for key, right in (("l", "get pods/log"), ("v", "list events"), ("y", "get pods"), ("enter", "get pods")):
            await console.pilot.press(key)
            await until_said(console.pilot, f"the right to {right} is missing")
        assert isinstance(console.app.screen, ObjectsScreen)
        assert not console.backend.questions


async def test_claims_that_may_not_be_listed_are_told_among_the_leftovers():
    problem = "not shown: the right to list persistentvolumeclaims is missing"
    async with inside((120, 40), inventory(claims_problem=problem)) as console:
        await console.choose("leftovers")
        await console.shows(problem)


def test_no_key_inside_is_one_that_sends_on_the_rollout_screen():
    """A key that was meant for the other screen neither approves nor holds, freezes, resumes, aborts or takes over."""
    dangerous = {key.key for key in keymap.keys_of(Area.ROLLOUT) if key.sends} - {"s", "p"}
    assert {"a", "h", "f", "r", "x", "t"} == dangerous
    for area in (Area.OBJECTS, Area.DOCUMENT, Area.LOG):
        assert not dangerous & {key.key for key in keymap.keys_of(area)}, area
        assert not any(key.sends for key in keymap.keys_of(area))


async def test_no_key_at_all_submits_anything():
    async with inside() as console:
        for key in "abcdefghijklmnoprstuvwxyz0123456789":
            await console.press("home")
            await console.choose("resource" if key not in "l" else f"pod {TROUBLED}")
            await console.pilot.press(key, "a", "h", "f", "r", "x")
            while not isinstance(console.app.screen, ObjectsScreen):
                await console.pilot.press("escape")
        intents: list[Intent] = console.backend.intents
        assert intents == []
        assert console.backend.saved == []


async def test_another_cluster_of_the_list_is_not_mixed_in():
    async with inside(shown=replace(view(), snapshot=replace(view().snapshot))) as console:
        other = replace(view().snapshot, name="other")
        console.backend.publish(view=replace(view(), snapshot=other), fleet=three_clusters())
        await console.pilot.pause()
        assert BLUE in console.shown
