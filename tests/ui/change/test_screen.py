"""The change screen: both panes in step, answers only for what they were asked for, and the way to a release."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from emqx_tui.model.object_schema import ObjectSchema
from emqx_tui.model.wire import Unreadable
from emqx_tui.rollout.change import Draft, Verdict, assess
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.rollout.intents import Start
from emqx_tui.rollout.policy import Approval
from emqx_tui.sandbox.schema.catalog import custom_definition
from emqx_tui.session.inspection.questions import Answer, ReadSchema
from emqx_tui.ui.app import ConsoleApp
from emqx_tui.ui.cards import typing_guard
from emqx_tui.ui.cards.approval import ApprovalCard
from emqx_tui.ui.change.accept_row import AcceptRow
from emqx_tui.ui.change.form import ChoiceField
from emqx_tui.ui.change.save_card import SaveCard
from emqx_tui.ui.change.screen import ChangeScreen
from emqx_tui.ui.change.template_editor import TemplateEditor
from emqx_tui.ui.clusters.screen import ClustersScreen
from emqx_tui.ui.rollout.screen import RolloutScreen
from emqx_tui.ui.shell.messages import ChangeWanted
from tests.support.screen_text import lines, text, until, until_said, until_shown
from tests.support.scripted import ScriptedBackend, figures, fleet, row, view

FINE = CheckResult("emqx-version", Outcome.PASS, "EMQX 4.4.14 can evacuate")
ROOM = CheckResult("capacity", Outcome.FAIL, "no room was seen for 3 more pods", "look at the nodes", can_override=True)
FATAL = CheckResult("no-release-running", Outcome.FAIL, "a release is running", "wait for it")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(ChangeScreen, "ASK_AFTER_S", 0.001)
    monkeypatch.setattr(ChangeScreen, "READ_AFTER_S", 0.001)


def backend_of(**fields) -> ScriptedBackend:
    return ScriptedBackend(fleet(row("emqx-ee", "mqtt", **fields), row("other", "stg", version="4.4.24")))


@contextlib.asynccontextmanager
async def change_screen(backend: ScriptedBackend, size=(80, 24), **fields):
    app = ConsoleApp(backend, **fields)
    async with app.run_test(size=size) as pilot:
        await until_shown(pilot, "emqx-ee")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ChangeScreen))
        await until_shown(pilot, "nothing changed")
        yield app, pilot


def field(app: ConsoleApp, name: str) -> Input:
    return app.screen.query_one(f"#field-{name}", Input)


def editor(app: ConsoleApp) -> TemplateEditor:
    return app.screen.query_one(TemplateEditor)


async def type_version(pilot: Pilot, backend: ScriptedBackend, version: str = "4.4.15") -> None:
    await pilot.press(*version)
    await until(pilot, lambda: backend.asked and shown_version(backend) == version)


def shown_version(backend: ScriptedBackend) -> str:
    return backend.asked[-1].draft.template["spec"]["emqxContainer"]["image"]["version"]


async def test_a_typed_version_shows_in_the_template_and_is_judged():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend)
        assert "version: 4.4.15\n" in editor(app).text
        await until_shown(pilot, "▶ starts a release", "4.4.14 → 4.4.15", "◌ asking…", "unsaved · 1 change")
        backend.publish(edit_preview=backend.asked[-1].answer(FINE, forecast=figures()))
        await until_shown(
            pilot, "✔ dry-run accepted", "≈ 11 min 51 s ± 9 %", "100,000 disconnects", "✔ EMQX 4.4.14 can evacuate"
        )


async def test_a_typed_template_shows_in_the_form():
    backend = backend_of()
    async with change_screen(backend, (140, 40)) as (app, pilot):
        area = editor(app)
        await pilot.press("t")
        area.go_to(8, 22)
        await pilot.press("end", "backspace", "backspace", "5")
        await until(pilot, lambda: field(app, "conn_evict_rate_per_s").value == "25")
        await until_shown(pilot, "used by the next release", "200 → 25")
        await pilot.press("escape")
        await until(pilot, lambda: app.focused is field(app, "version"))
        await pilot.press("ctrl+z")
        assert area.text.count("connEvictRate: 25") == 1, "a key of the form reached the editor"


async def test_what_stands_beside_the_fields_is_not_cut_at_120_columns():
    async with change_screen(backend_of(), (120, 40)) as (app, pilot):
        notes = list(app.screen.query(".form-note").results(Static))
        assert notes
        for approval in Approval:
            await until_shown(pilot, str(approval))
            assert not [note.content for note in notes if len(str(note.content)) > note.content_size.width]
            app.screen.query_one("#field-approval", ChoiceField).action_turn(1)
            app.screen.query_one("#field-late_removal", ChoiceField).action_turn(1)


async def test_news_between_two_keys_undoes_none_of_them():
    """A fast cluster tells something at every moment, also before a key has become an edit."""
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        typed = field(app, "version")
        for letter in "4.4.15":
            typed.replace(letter, *typed.selection)
            app.screen.take(app.published)
        assert typed.value == "4.4.15"
        await until(pilot, lambda: backend.asked and shown_version(backend) == "4.4.15")
        assert (typed.value, typed.cursor_position) == ("4.4.15", 6)


async def test_news_while_the_template_is_typed_undoes_none_of_it():
    backend = backend_of()
    async with change_screen(backend, (140, 40)) as (app, pilot):
        area = editor(app)
        area.insert("# mine\n", (0, 0))
        app.screen.take(app.published)
        assert area.text.startswith("# mine\n")
        await until(pilot, lambda: app.screen._edit.text.startswith("# mine\n"))


async def test_an_edit_of_the_form_keeps_comments_cursor_and_undo_of_the_editor():
    backend = backend_of()
    async with change_screen(backend, (140, 40)) as (app, pilot):
        area = editor(app)
        await pilot.press("t")
        area.go_to(1)
        await pilot.press("home", *"# mine", "enter", "escape")
        await type_version(pilot, backend)
        assert area.text.startswith("# mine\n")
        assert "version: 4.4.15" in area.text
        await pilot.press("t")
        area.undo()
        assert "version: 4.4.15" not in area.text
        assert area.text.startswith("# mine\n")


async def test_a_template_that_cannot_be_read_says_where_and_the_form_waits():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await pilot.press("t")
        editor(app).go_to(3)
        await pilot.press("end", *" x: y")
        await until_shown(pilot, "✘ line 3, column 8")
        await pilot.press("escape")
        await until_shown(pilot, "the template cannot be read")
        assert field(app, "version").disabled
        assert field(app, "version").value == "4.4.14"
        await pilot.press("w")
        await until_said(pilot, "Not yet: the template cannot be read: line 3")
        assert backend.asked == []


@pytest.mark.parametrize("mends", ["u", "x"])
async def test_the_form_takes_keys_again_once_the_template_can_be_read(mends: str):
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await pilot.press("t")
        editor(app).go_to(3)
        await pilot.press("end", *" x: y")
        await until_shown(pilot, "✘ line 3, column 8")
        await pilot.press("escape")
        await until_shown(pilot, "the template cannot be read")
        await pilot.press(mends)
        await until(pilot, lambda: field(app, "version").has_focus)
        await type_version(pilot, backend)


async def test_an_answer_to_a_key_covers_nothing_of_the_verdict():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend)
        backend.publish(edit_preview=backend.asked[-1].answer(FINE, FATAL, forecast=figures()))
        await until_shown(pilot, "≈ 11 min 51 s ± 9 %", "offline at once", "✔ EMQX 4.4.14 can evacuate")
        assert "3 × up to" in text(app), "the longest drain, as on the start card"
        before = lines(app)
        await pilot.press("w")
        await until_shown(pilot, "Not yet: a check fails: a release is running")
        after = lines(app)
        assert after[:18] == before[:18]
        at = next(number for number, row in enumerate(after) if "Not yet:" in row)
        assert at == 22, "the answer has the row above the keys, across the whole screen"


async def test_an_older_answer_is_never_shown_for_a_newer_draft():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend, "4.4.15")
        old = backend.asked[-1]
        await pilot.press("backspace", "6")
        await until(pilot, lambda: shown_version(backend) == "4.4.16")
        backend.publish(edit_preview=old.answer(FINE, dry_run_ok=False, dry_run="old news"))
        await pilot.pause()
        await until_shown(pilot, "◌ asking…")
        assert "old news" not in text(app)
        backend.publish(edit_preview=backend.asked[-1].answer(FINE, dry_run_ok=False, dry_run="denied by webhook"))
        await until_shown(pilot, "✘ refused: denied by webhook")
        await pilot.press("w")
        await until_said(pilot, "Not yet: the server refused it")
        assert isinstance(app.screen, ChangeScreen)


async def test_numbers_go_on_counting_on_the_next_screen():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend)
        first = backend.asked[-1].number
        await pilot.press("x", "escape")
        await until(pilot, lambda: isinstance(app.screen, ClustersScreen))
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ChangeScreen))
        await type_version(pilot, backend, "4.4.16")
        assert backend.asked[-1].number > first


async def test_letters_are_keys_until_a_text_is_edited():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await pilot.press("d")
        await until_shown(pilot, "[d diff]", "Nothing is changed.")
        await pilot.press("p", "up")
        assert app.focused is field(app, "repository")
        await pilot.press("x")
        assert field(app, "repository").value == "emqx/emqx-ee"
        await pilot.press("enter", "end", *"-x", "enter")
        assert field(app, "repository").value == "emqx/emqx-ee-x"
        await pilot.press("enter", "y", "escape")
        assert field(app, "repository").value == "emqx/emqx-ee-x"
        await pilot.press("d")
        await until_shown(pilot, "- emqx/emqx-ee", "+ emqx/emqx-ee-x")


@pytest.mark.parametrize(
    ("name", "typed"), [("version", "4.4.15"), ("initial_delay_s", "90"), ("conn_evict_rate_per_s", "300")]
)
async def test_enter_ends_what_was_typed_and_the_next_letter_is_a_key(name: str, typed: str):
    async with change_screen(backend_of()) as (app, pilot):
        field(app, name).focus()
        await pilot.press(*typed)
        await until_shown(pilot, "enter done")
        await pilot.press("enter", "d")
        await until_shown(pilot, "[d diff]", f"+ {typed}")
        assert field(app, name).value == typed


async def test_enter_on_a_text_that_nobody_has_just_typed_edits_it():
    async with change_screen(backend_of()) as (app, pilot):
        version = field(app, "version")
        assert app.focused is version
        await until_shown(pilot, "enter edit text")
        await pilot.press(*"4.4.15", "enter")
        await until_shown(pilot, "enter edit text")
        await pilot.press("enter", "end", *"-rc1", "enter", "d")
        await until_shown(pilot, "[d diff]", "+ 4.4.15-rc1")
        await pilot.press("p", "enter", *"w1", "escape")
        assert version.value == "4.4.15-rc1"


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_arrows_stay_in_the_form(size: tuple[int, int]):
    async with change_screen(backend_of(), size) as (app, pilot):
        await pilot.press(*["up"] * 4)
        assert app.focused is field(app, "repository")
        await pilot.press(*["down"] * 20)
        last = app.focused
        assert last is not None
        assert app.screen.query_one("#form-pane") in last.ancestors
        await pilot.press("down")
        assert app.focused is last


async def test_number_fields_take_digits_only():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await pilot.press("down", "down", "down")
        rate = field(app, "conn_evict_rate_per_s")
        assert app.focused is rate
        await pilot.press("3", "z", "-", "0", "0")
        assert rate.value == "300"
        await until_shown(pilot, "was 200")


async def test_a_value_that_is_longer_than_its_field_shows_its_end_and_a_closed_delay_is_whole():
    backend = backend_of(
        blue_green={**_parameters(200), "initialDelaySeconds": 1_000_000_007}, version="4.4.15-rebuilt-for-arm64"
    )
    async with ConsoleApp(backend).run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "emqx-ee")
        await pilot.press("e")
        await until_shown(pilot, "for-arm64", "1000000007  s")
        await pilot.press("down", "down")
        await until_shown(pilot, "for-arm64", "1000000007  s")


async def test_options_go_into_the_question():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend)
        for name, key in (("approval", "space"), ("late_removal", "right"), ("parallel_drains", "right")):
            app.screen.query_one(f"#field-{name}").focus()
            await pilot.press(key)
        await until(pilot, lambda: backend.asked[-1].options.parallel_drains == 2)
        asked = backend.asked[-1]
        assert (asked.options.approval, asked.options.late_removal) == (Approval.CUT_OVER, True)
        await until_shown(pilot, "400/s in all")
        await pilot.press("left")
        await until(pilot, lambda: backend.asked[-1].options.parallel_drains == 1)


async def test_starting_goes_over_the_card_and_to_the_rollout(monkeypatch):
    for name, value in (("SETTLE_S", 0.0), ("BURST_S", -1.0), ("REPEAT_S", -1.0)):
        monkeypatch.setattr(typing_guard, name, value)
    backend = backend_of()
    backend.shown_view = view()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend)
        await pilot.press("w")
        await until_said(pilot, "Not yet: the server has not answered yet; the card opens when it has")
        await until_shown(pilot, "◌ asking… the card opens when it has answered")
        backend.publish(edit_preview=backend.asked[-1].answer(FINE, forecast=figures()))
        await until(pilot, lambda: isinstance(app.screen, ApprovalCard))
        await pilot.press("enter")
        assert backend.intents == []
        await pilot.press(*"4.4.15", "enter")
        await until(pilot, lambda: isinstance(app.screen, RolloutScreen))
        (intent,) = backend.intents
        assert isinstance(intent, Start)
        assert (intent.plan.from_version, intent.plan.to_version) == ("4.4.14", "4.4.15")
        assert intent.by == "ann@bastion"
        assert backend.opened[-1] == ("mqtt", "emqx-ee")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ClustersScreen))


async def test_an_answer_that_was_on_its_way_leaves_the_card_open():
    """The operator writes the status every few seconds, and each time the server is asked anew."""
    backend = backend_of()
    backend.shown_view = view()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend)
        backend.publish(edit_preview=backend.asked[-1].answer(FINE, forecast=figures()))
        await until_shown(pilot, "✔ dry-run accepted")
        backend.publish(fleet=fleet(row("emqx-ee", "mqtt", resource_version="1002")))
        await until(pilot, lambda: backend.asked[-1].draft.original.meta.resource_version == "1002")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, ApprovalCard))
        backend.publish(edit_preview=backend.asked[-1].answer(FINE, forecast=figures()))
        await pilot.pause()
        card = app.screen
        assert isinstance(card, ApprovalCard)
        assert (card.is_stale, card.blocked) == (False, "")
        backend.publish(edit_preview=backend.asked[-1].answer(FINE, FATAL, forecast=figures()))
        await until(pilot, lambda: "a check does not pass" in card.blocked)


async def test_a_start_that_waits_for_the_server_is_given_up_by_the_next_edit():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend)
        await pilot.press("w")
        await until_shown(pilot, "the card opens when it has answered")
        asked = len(backend.asked)
        await pilot.press("backspace", "6")
        await until(pilot, lambda: len(backend.asked) > asked and shown_version(backend) == "4.4.16")
        backend.publish(edit_preview=backend.asked[-1].answer(FINE, forecast=figures()))
        await until_shown(pilot, "✔ dry-run accepted")
        assert isinstance(app.screen, ChangeScreen)


async def test_what_is_typed_stands_instead_of_the_value_whatever_put_it_there():
    """After undo, and in a cluster that was read only after the screen had opened."""
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend)
        await pilot.press("u")
        await until_shown(pilot, "nothing changed")
        assert field(app, "version").value == "4.4.14"
        await type_version(pilot, backend, "4.4.16")
        backend.publish(fleet=fleet(row("emqx-ee", "mqtt", version="4.4.17", resource_version="1002")))
        await until_shown(pilot, "changed by others too")
        assert field(app, "version").value == "4.4.16"
    late = ScriptedBackend(fleet(is_synced=False))
    app = ConsoleApp(late)
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(ChangeWanted(("mqtt", "emqx-ee")))
        await until_shown(pilot, "Reading the cluster")
        late.publish(fleet=backend_of().shown_fleet)
        await until_shown(pilot, "nothing changed")
        await type_version(pilot, late)


async def test_undo_and_redo_go_through_the_edits_of_form_and_template():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend)
        await pilot.press("t")
        editor(app).go_to(1)
        await pilot.press("home", *"# mine", "enter", "escape")
        await until(pilot, lambda: app.screen._edit.text.startswith("# mine\n"))
        await pilot.press("u")
        assert not editor(app).text.startswith("# mine"), "the newest step is the template's"
        assert field(app, "version").value == "4.4.15"
        await pilot.press("u")
        await until_shown(pilot, "nothing changed", "no changes")
        assert field(app, "version").value == "4.4.14", "a word that is typed at once is one step"
        await pilot.press("r")
        await until_shown(pilot, "unsaved · 1 change", "starts a release")
        await pilot.press("r", "r")
        assert editor(app).text.startswith("# mine\n")
        await pilot.press("x")
        await until_shown(pilot, "no changes")
        await pilot.press("u")
        assert field(app, "version").value == "4.4.15", "what was dropped at once comes back at once"


async def test_a_control_character_that_came_with_a_paste_is_placed():
    async with change_screen(backend_of()) as (app, pilot):
        await pilot.press("t")
        editor(app).insert("a: \x1b[31m\n", (0, 0))
        await until_shown(pilot, "✘ line 1, column 4", "control characters are not allowed")
        assert "None" not in text(app)


async def test_the_head_names_no_keys_of_panes_where_they_type_letters():
    async with change_screen(backend_of()) as (app, pilot):
        assert lines(app)[1].startswith(" [p plan]  t template   d diff ")
        await pilot.press("t")
        await until(pilot, lambda: lines(app)[1].startswith("  plan    [template]    diff  "))
        await pilot.press("escape")
        await until(pilot, lambda: lines(app)[1].startswith(" [p plan]  t template   d diff "))


async def test_undo_is_not_told_where_its_key_types_a_letter():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend)
        await until_shown(pilot, "u undo")
        await pilot.press("t")
        await until(pilot, lambda: "u undo" not in text(app))
        await pilot.press("escape")
        await until_shown(pilot, "u undo")
        field(app, "version").focus()
        await pilot.press("enter")
        await until(pilot, lambda: "u undo" not in text(app))
        assert "unsaved · 1 change" in text(app)
        await pilot.press("enter")
        await until_shown(pilot, "u undo")


async def test_undo_and_redo_are_on_offer_only_where_there_is_something_to_go_to():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        assert not app.screen.can("undo")
        await type_version(pilot, backend)
        assert (app.screen.can("undo"), app.screen.can("redo")) == (True, False)
        await pilot.press("u")
        assert (app.screen.can("undo"), app.screen.can("redo")) == (False, True)
        await pilot.press("r", "u", "down", *"90")
        await until(pilot, lambda: field(app, "initial_delay_s").value == "90")
        assert not app.screen.can("redo"), "another edit after an undo leaves nothing to redo"


IMAGE = {"f:spec": {"f:template": {"f:spec": {"f:emqxContainer": {"f:image": {"f:version": {}}}}}}}
RATES = {"f:spec": {"f:blueGreenUpdate": {"f:evacuationStrategy": {"f:connEvictRate": {}}}}}
MANAGED = (
    {"manager": "argocd-controller", "operation": "Apply", "fieldsV1": IMAGE},
    {"manager": "helm", "operation": "Update", "fieldsV1": RATES},
    {"manager": "[bold]x\x1b[2J", "operation": "Update", "fieldsV1": IMAGE},
)


SCHEMA = ObjectSchema.from_definition(custom_definition("EmqxEnterprise"), "v1beta4")


async def answer_help(app: ConsoleApp, pilot: Pilot, backend: ScriptedBackend, **fields) -> None:
    """The engine's answer to the question that the screen asks when it opens."""
    number, question = backend.questions[-1]
    assert isinstance(question, ReadSchema)
    backend.given_answer = given = Answer(number, is_complete=True, **fields)
    backend.publish()
    await until(pilot, lambda: app.published.answer is given)


async def test_the_field_under_the_cursor_is_explained_in_form_and_template():
    backend = backend_of(managed_fields=MANAGED)
    async with change_screen(backend) as (app, pilot):
        await answer_help(app, pilot, backend, schema=SCHEMA)
        await until_shown(pilot, "EMQX version, for instance 4.4.15", "▲ owner: Argo CD; it puts its own")
        await pilot.press("down")
        await until_shown(pilot, "initialDelaySeconds  Seconds from all new nodes being ready")
        assert "owner" not in text(app)
        await pilot.press("t")
        editor(app).go_to(8)
        await until_shown(pilot, "connEvictRate (owner: Helm)  Clients disconnected per second")
        await pilot.press("d")
        await until(pilot, lambda: "connEvictRate (owner" not in text(app))


async def test_help_that_cannot_be_read_is_one_line():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        assert "no help" not in text(app)
        await answer_help(app, pilot, backend, problem="not allowed: [red]\x1b[2J no right to get")
        await until_shown(pilot, "no help for fields: not allowed: [red]�[2J no right to get")


async def test_versions_of_the_fleet_complete_what_is_typed():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await pilot.press(*"4.4.2")
        await until_shown(pilot, "right takes 4.4.24")
        await until(pilot, lambda: field(app, "version")._suggestion == "4.4.24")
        await pilot.press("right")
        await until(pilot, lambda: "version: 4.4.24\n" in editor(app).text)
        assert "right takes" not in text(app)
        await pilot.press("t")
        editor(app).go_to(next(n for n, row in enumerate(editor(app).text.splitlines(), 1) if "version:" in row))
        await pilot.press("end", "backspace", "backspace", "2")
        assert editor(app).suggestion == "4"
        await pilot.press("right")
        assert "version: 4.4.24\n" in editor(app).text
        editor(app).go_to(8)
        await pilot.press("end")
        assert editor(app).suggestion == "", "only an image is completed"


async def test_who_owns_a_changed_field_is_told_on_the_screen_and_on_the_card():
    backend = backend_of(managed_fields=MANAGED)
    backend.shown_view = view()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend)
        await until_shown(pilot, "▲ image.version: Argo CD; it puts its own value back by itself")
        assert "image.version: [bold]x�[2J" in text(app)
        backend.publish(edit_preview=backend.asked[-1].answer(FINE, forecast=figures()))
        await until_shown(pilot, "✔ dry-run accepted")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, ApprovalCard))
        await until_shown(pilot, "Owner", "image.version: Argo CD; it puts its own value")


async def test_the_card_of_a_saved_edit_names_the_owners_too():
    backend = backend_of(managed_fields=MANAGED)
    async with change_screen(backend) as (app, pilot):
        await pilot.press("down", "down", "down", *"100")
        await until_shown(pilot, "▲ connEvictRate: Helm; its next run puts its own value back")
        await until(pilot, lambda: backend.asked)
        backend.publish(edit_preview=backend.asked[-1].answer())
        await until_shown(pilot, "✔ dry-run accepted")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, SaveCard))
        await until_shown(pilot, "Save this edit?", "Helm; its next run puts")


async def test_a_failed_check_has_to_be_marked_by_name():
    backend = backend_of()
    backend.shown_view = view()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend)
        backend.publish(edit_preview=backend.asked[-1].answer(FINE, ROOM, forecast=figures()))
        await until_shown(pilot, "[ ] ▲ capacity: no room was seen")
        await pilot.press("w")
        await until_said(pilot, "accept it with space")
        app.screen.query_one(AcceptRow).focus()
        await pilot.press("space")
        await until_shown(pilot, "[x] ▲ capacity")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, ApprovalCard))


async def test_a_check_that_fails_for_good_stops_the_start():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend)
        backend.publish(edit_preview=backend.asked[-1].answer(FINE, FATAL))
        await until_shown(pilot, "▲ a release is running  wait for it")
        await pilot.press("w")
        await until_said(pilot, "Not yet: a check fails: a release is running")
        assert list(app.screen.query(AcceptRow)) == []


async def test_rates_alone_are_saved_after_a_look_at_the_differences():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await pilot.press("down", "down", "down", *"100")
        await until(pilot, lambda: backend.asked)
        await until(pilot, lambda: backend.asked[-1].draft.blue_green.conn_evict_rate_per_s == 100)
        backend.publish(edit_preview=backend.asked[-1].answer())
        await until_shown(pilot, "✔ dry-run accepted")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, SaveCard))
        await until_shown(pilot, "spec.blueGreenUpdate.evacuationStrategy.connEvictRate", "+ 100")
        await pilot.press("enter")
        assert backend.saved == []
        await pilot.press("w")
        await until(pilot, lambda: backend.saved)
        saved = backend.saved[0]
        assert isinstance(saved, Draft)
        assert assess(saved).verdict is Verdict.NEXT_RELEASE
        rows = backend.shown_fleet.rows
        newer = row("emqx-ee", "mqtt", resource_version="1002", blue_green=_parameters(100))
        backend.publish(fleet=replace(backend.shown_fleet, rows=(newer, *rows[1:])))
        await until_shown(pilot, "no changes")


def _parameters(rate: int):
    return {
        "initialDelaySeconds": 60,
        "evacuationStrategy": {"waitTakeover": 5, "connEvictRate": rate, "sessEvictRate": 200},
    }


async def test_somebody_elses_change_is_told_and_a_status_write_is_not():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend)
        backend.publish(edit_preview=backend.asked[-1].answer(FINE))
        await until_shown(pilot, "✔ dry-run accepted")
        others = backend.shown_fleet.rows[1:]
        status = row("emqx-ee", "mqtt", resource_version="1002", ready=2)
        backend.publish(fleet=replace(backend.shown_fleet, rows=(status, *others)))
        await until(pilot, lambda: backend.asked[-1].draft.original.meta.resource_version == "1002")
        assert "✔ dry-run accepted" in text(app), "the answer to the same content went away"
        assert "others" not in text(app)
        theirs = row("emqx-ee", "mqtt", resource_version="1003", blue_green=_parameters(50))
        backend.publish(fleet=replace(backend.shown_fleet, rows=(theirs, *others)))
        await until_shown(pilot, "▲ changed by others too", "50 → 200")
        await pilot.press("x")
        await until_shown(pilot, "no changes", "nothing changed")
        assert field(app, "conn_evict_rate_per_s").value == "50"


async def test_an_untouched_form_follows_the_cluster():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        theirs = row("emqx-ee", "mqtt", resource_version="1003", version="4.4.19")
        backend.publish(fleet=replace(backend.shown_fleet, rows=(theirs,)))
        await until(pilot, lambda: field(app, "version").value == "4.4.19")
        assert "others" not in text(app)


async def test_a_delay_that_a_release_has_left_closed_can_be_set():
    held = {**_parameters(200), "initialDelaySeconds": 1_000_000_007}
    backend = backend_of(blue_green=held)
    left = [replace(each, is_left=True) for each in backend.shown_fleet.rows]
    backend.shown_fleet = replace(backend.shown_fleet, rows=tuple(left))
    app = ConsoleApp(backend)
    async with app.run_test(size=(100, 30)) as pilot:
        await until_shown(pilot, "emqx-ee")
        await pilot.press("e")
        await until_shown(pilot, "1000000007 is a value that holds the operator")
        assert "a release is under way" not in text(app)
        field(app, "initial_delay_s").focus()
        await pilot.press("6", "0")
        await until_shown(pilot, "used by the next release")


async def test_during_a_release_the_screen_says_why_nothing_can_be_sent():
    held = {**_parameters(200), "initialDelaySeconds": 1_000_000_007}
    backend = backend_of(blue_green=held, version="4.4.15", status_version="4.4.14", releasing=True)
    app = ConsoleApp(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "emqx-ee")
        await pilot.press("e")
        await until_shown(pilot, "a release is under way", "held; yours comes back")
        assert "refused" not in text(app)
        await pilot.press("t")
        editor(app).go_to(7)
        await pilot.press("end", "5", "escape")
        await until_shown(pilot, "was 5")
        await pilot.press("w")
        await until_said(pilot, "a release is under way: an edit can be sent when it has ended")
        assert backend.saved == []


async def test_a_cluster_that_goes_away_is_told():
    backend = backend_of()
    async with change_screen(backend) as (_app, pilot):
        backend.publish(fleet=replace(backend.shown_fleet, rows=()))
        await until_shown(pilot, "This cluster no longer exists")


async def test_a_cluster_that_cannot_be_read_is_told_and_not_edited():
    found = replace(
        row("emqx-ee", "mqtt", problem="cannot be read: spec.replicas: no"),
        unreadable=Unreadable("spec.replicas", "no"),
    )
    backend = ScriptedBackend(fleet(found))
    app = ConsoleApp(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        app.post_message(ChangeWanted(("mqtt", "emqx-ee")))
        await until_shown(pilot, "✘ cannot be read: spec.replicas: no")
        await pilot.press(*"4.4.15", "w")
        assert backend.asked == []


async def test_unsaved_edits_are_left_only_with_a_second_escape():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend)
        await pilot.press("escape")
        await until_said(pilot, "press esc again to drop them")
        assert isinstance(app.screen, ChangeScreen)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ClustersScreen))
        assert app.notice is None, "it would be false there"


async def test_an_edit_takes_back_that_one_more_escape_would_drop_all():
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await type_version(pilot, backend)
        await pilot.press("escape")
        await until_said(pilot, "press esc again to drop them")
        await pilot.press("down", "9")
        assert app.notice is None
        await pilot.press("escape")
        await until_said(pilot, "press esc again to drop them")


async def test_read_only_greys_the_start_and_says_why():
    backend = backend_of()
    backend.is_read_only = True
    async with change_screen(backend) as (_app, pilot):
        await type_version(pilot, backend)
        backend.publish(edit_preview=backend.asked[-1].answer(FINE))
        await until_shown(pilot, "✔ dry-run accepted", "grey: read-only", "READ-ONLY")
        await pilot.press("w")
        await until_said(pilot, "Nothing was sent: started with --read-only")


# --- $EDITOR -----------------------------------------------------------------------------------------------------


@pytest.fixture
def outside(monkeypatch, tmp_path):
    """Runs a small program as $EDITOR, and writes down what it saw."""
    monkeypatch.setattr(ConsoleApp, "suspend", lambda self: contextlib.nullcontext())
    seen = tmp_path / "seen"

    def use(body: str) -> Path:
        script = tmp_path / "editor.py"
        script.write_text(
            "import os, sys\n"
            f"open({str(seen)!r}, 'w').write(sys.argv[-1] + ' ' + str(os.stat(sys.argv[-1]).st_mode))\n"
            "path = sys.argv[-1]\ntext = open(path).read()\n" + body
        )
        monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")
        return seen

    return use


def is_gone(path: str) -> bool:
    return not os.path.exists(path) and not os.path.exists(os.path.dirname(path))


async def test_the_editor_gets_a_private_file_that_is_gone_afterwards(outside):
    seen = outside("open(path, 'w').write(text.replace('4.4.14', '4.4.24'))")
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await pilot.press("o")
        await until(pilot, lambda: field(app, "version").value == "4.4.24")
    path, mode = seen.read_text().split()
    assert stat.S_IMODE(int(mode)) == 0o600
    assert is_gone(path)


async def test_a_text_from_the_editor_that_cannot_be_read_is_kept(outside):
    outside("open(path, 'w').write(text.replace('version: 4.4.14', 'version: [4'))")
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        await pilot.press("o")
        await until_said(pilot, "The text was kept but is not valid: line 19")
        assert "version: [4" in editor(app).text
        assert "[template]" in lines(app)[1]


@pytest.mark.parametrize(
    ("body", "told"),
    [("sys.exit(3)", "exit code 3"), ("open(path, 'wb').write(bytes([255]))", "what the editor left cannot be read")],
)
async def test_an_editor_that_fails_changes_nothing(outside, body, told):
    outside(body)
    backend = backend_of()
    async with change_screen(backend) as (app, pilot):
        before = editor(app).text
        await pilot.press("o")
        await until_said(pilot, told)
        assert editor(app).text == before


async def test_a_terminal_that_cannot_be_lent_is_told():
    backend = backend_of()
    async with change_screen(backend) as (_app, pilot):
        await pilot.press("o")
        await until_said(pilot, "cannot be handed to an editor")
