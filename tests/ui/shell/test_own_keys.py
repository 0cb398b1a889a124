"""Keys of the settings: what is taken, what is refused and why, and that every place shows and obeys them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from emqx_tui.rollout.intents import Hold
from emqx_tui.ui.app import ConsoleApp
from emqx_tui.ui.cards.approval import ApprovalCard
from emqx_tui.ui.clusters.screen import ClustersScreen
from emqx_tui.ui.clusters.table import ClusterTable
from emqx_tui.ui.objects.document_screen import DocumentText
from emqx_tui.ui.objects.log_screen import LogText
from emqx_tui.ui.objects.tree import ObjectTree
from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.keymap import KEYS, Area
from emqx_tui.ui.shell.own_keys import names, with_own
from tests.support import releases
from tests.support.screen_text import until, until_said, until_shown
from tests.support.scripted import ScriptedBackend


@pytest.fixture(autouse=True)
def as_in_the_table() -> Iterator[None]:
    yield
    keymap.use(KEYS)


def key_of(told: dict[str, str], area: Area, action: str) -> str:
    return next(key.key for key in with_own(told) if (key.area, key.action) == (area, action))


@pytest.mark.parametrize(
    ("told", "area", "action", "key"),
    [
        ({"approve": "A"}, Area.ROLLOUT, "approve", "A"),
        ({"approve": "h", "hold": "a"}, Area.ROLLOUT, "hold", "a"),
        ({"wrap": "z"}, Area.LOG, "wrap", "z"),
        ({"wrap": "z", "log.wrap": "b"}, Area.LOG, "wrap", "b"),
        ({"wrap": "z", "log.wrap": "b"}, Area.DOCUMENT, "wrap", "z"),
        ({"filter": "f2"}, Area.CLUSTERS, "filter", "f2"),
        ({"sort": "/", "filter": "ctrl+f"}, Area.CLUSTERS, "sort", "slash"),
        ({"help": "K"}, Area.EVERYWHERE, "help", "K"),
        ({}, Area.ROLLOUT, "approve", "a"),
    ],
)
def test_an_action_gets_its_key(told, area, action, key):
    assert key_of(told, area, action) == key


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"aprove": "A"}, "aprove: no such action; did you mean approve?"),
        ({"zzz": "A"}, "zzz: no such action"),
        ({"back": "b"}, "back: its key cannot be changed"),
        ({"approve": 7}, "approve: expected a string"),
        ({"sort": "alt+x"}, "sort: expected a letter"),
        ({"sort": ""}, "sort: expected a letter"),
        ({"sort": "ctrl+c"}, "sort: expected a letter"),
        ({"sort": "ctrl+m"}, "sort: expected a letter"),
        ({"approve": "enter"}, "rollout.approve: enter cannot be the key of what sends something"),
        ({"hold": "space"}, "rollout.hold: space cannot be the key of what sends something"),
        ({"abort": "f1"}, "rollout.abort: f1 cannot be the key of what sends something"),
        ({"approve": "5"}, "rollout.approve: 5 cannot be the key of what sends something"),
        ({"undo": "5"}, "change.undo: 5 types or chooses something on the change screen"),
        ({"filter": "5"}, "clusters.filter: 5 lists a namespace on the screen clusters"),
        ({"all_namespaces": "9"}, "clusters.all_namespaces: 9 lists a namespace"),
        ({"sort": "j"}, "clusters.sort: j moves the cursor on the screen clusters"),
        ({"log.follow": "k"}, "log.follow: k moves the cursor on the screen log"),
        ({"help": "k"}, "everywhere.help: k moves the cursor"),
        ({"sort": "e"}, "clusters.sort: e is the key of clusters.change"),
        ({"sort": "q"}, "clusters.sort: q is the key of everywhere.quit"),
        ({"quit": "e"}, "everywhere.quit: e is the key of clusters.change"),
        ({"approve": "H"}, "rollout.approve: H differs from the key of rollout.hold by case only"),
        ({"log.follow": "a"}, "log.follow: a is the key of rollout.approve; one of them sends something"),
        ({"hold": "y"}, "rollout.hold: y is the key of objects.yaml; one of them sends something"),
    ],
)
def test_what_cannot_be_a_key_is_one_sentence(told, sentence):
    with pytest.raises(ValueError, match=r".") as raised:
        with_own(told)
    assert str(raised.value).startswith(sentence)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("owner", "area"),
    [
        (ClustersScreen, Area.CLUSTERS),
        (ClusterTable, Area.CLUSTERS),
        (ObjectTree, Area.OBJECTS),
        (DocumentText, Area.DOCUMENT),
        (LogText, Area.LOG),
    ],
)
def test_no_action_gets_a_key_that_the_screen_takes_for_itself(owner, area):
    own = [binding for binding in owner.BINDINGS if not binding.id]
    for key in {key for binding in own for key in binding.key.split(",") if len(key) == 1}:
        action = next(found.action for found in KEYS if found.area is area and not found.sends)
        with pytest.raises(ValueError, match=f": {key} "):
            with_own({f"{area}.{action}": key})


def test_every_action_but_back_has_a_name_alone_and_with_its_screen():
    for key in KEYS:
        assert (key.action in names()) is (f"{key.area}.{key.action}" in names()) is (key.action != "back")


@contextlib.asynccontextmanager
async def at_gate(size=(80, 24), **told: str):
    backend = ScriptedBackend(shown_view=releases.at_gate())
    app = ConsoleApp(backend, opened=("mqtt", "emqx-ee"), keys=with_own(told))
    async with app.run_test(size=size) as pilot:
        await until_shown(pilot, "CLIENTS")
        yield app, pilot, backend


async def test_the_key_line_the_bar_the_help_and_the_palette_show_the_key_that_works():
    async with at_gate(approve="G") as (app, pilot, _):
        await until_shown(pilot, "press G to read and approve", " G approve   h hold")
        await pilot.press("question_mark")
        await until_shown(pilot, "G       Open the approval card")
        await pilot.press("escape")
        await pilot.press("colon", *"approve")
        await until_shown(pilot, "approve (G)")
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("a")
        await pilot.pause()
        assert not isinstance(app.screen, ApprovalCard), "its old key does nothing"
        await pilot.press("G")
        await until(pilot, lambda: isinstance(app.screen, ApprovalCard))


async def test_keys_that_change_places_do_each_others_work():
    async with at_gate(approve="h", hold="a") as (app, pilot, backend):
        await pilot.press("a")
        await until(pilot, lambda: backend.intents == [Hold("ann@bastion")])
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, ApprovalCard))
        await until_shown(pilot, "a hold")
        await pilot.press("a")
        await until(pilot, lambda: backend.intents == [Hold("ann@bastion")] * 2)


async def test_a_key_of_the_settings_that_does_nothing_now_says_why_too():
    async with at_gate(resume="G") as (_, pilot, _backend):
        await pilot.press("G")
        await until_said(pilot, "resume: nothing is held")


async def test_a_key_that_works_everywhere_is_taken_from_the_settings():
    async with at_gate(help="K") as (_app, pilot, _):
        await pilot.press("K")
        await until_shown(pilot, "Keys of this screen")
        await pilot.press("pagedown", "pagedown")
        await until_shown(pilot, "K       Show the keys of this screen.")


async def test_the_console_has_its_own_keys_again_without_settings():
    async with at_gate(approve="G"):
        pass
    async with at_gate() as (app, pilot, _):
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, ApprovalCard))
