"""Every command that a headless run advises is one that the argument parser takes, and that does what it says."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from emqx_tui.cli.arguments import parse
from emqx_tui.headless import advice as headless
from emqx_tui.headless.advice import advise, command
from emqx_tui.headless.exit_status import Result
from emqx_tui.headless.rollout import how_to_go_on
from emqx_tui.headless.status import lines
from emqx_tui.rollout.advice import Advice, Verb
from emqx_tui.rollout.checks import auto_hold
from emqx_tui.rollout.decision import Decision
from emqx_tui.rollout.phases import Phase
from emqx_tui.session.view import Role
from emqx_tui.ui.rollout.advice import advise as screen_advice
from tests.rollout.checks.test_auto_hold import ALARMS
from tests.support import releases

COMMAND = re.compile(r"emqx-tui [^;,(]+")
PACKAGE = Path(headless.__file__).parent


def taken(text: str) -> list[str]:
    """The verbs of the commands in `text`, each read by the real parser."""
    found = [shlex.split(each) for each in COMMAND.findall(text)]
    return [parse(words[1:]).command for words in found]


@pytest.mark.parametrize("verb", [Verb.RESUME, Verb.FREEZE, Verb.ABORT, Verb.HOLD])
def test_every_verb_is_a_command_that_the_parser_takes(verb: Verb) -> None:
    said = advise((Advice(verb, "because"),), "mqtt", "emqx-ee")
    assert taken(said) == [verb]
    assert said.endswith(" (because)")


def test_what_is_no_command_of_ours_is_said_in_words_or_in_kubectls() -> None:
    fix, look = Advice(Verb.FIX, "scale it to 0"), Advice(Verb.INSPECT_POD, "it is back soon", "emqx-ee-1")
    assert advise((fix, look), "b", "a") == "scale it to 0; kubectl describe pod emqx-ee-1 -n b (it is back soon)"
    assert advise((), "b", "a") == ""


@pytest.mark.parametrize(
    ("view", "result", "verbs"),
    [
        (releases.at_gate(), Result.WAITING, ["approve", "rollout"]),
        (releases.before_cut_over(), Result.WAITING, ["approve", "rollout"]),
        (releases.held(), Result.HELD, ["resume", "rollout", "abort"]),
        (releases.held(decision=Decision(Phase.FINISHING)), Result.HELD, ["resume", "rollout"]),
    ],
)
def test_how_to_go_on_is_said_in_commands_that_work(view, result, verbs) -> None:
    said = how_to_go_on(view, result)
    assert taken(said.replace(", then ", "; ").replace(", or ", "; ")) == verbs


def test_status_says_how_to_drive_a_release_that_nobody_drives() -> None:
    told = lines(releases.at_gate(role=Role.IDLE, driver=""))
    (driver,) = [line for line in told if line.startswith("driver")]
    assert taken(driver) == ["rollout"]


def test_commands_are_made_in_one_place() -> None:
    """A command spelt elsewhere is one that no test runs."""
    for path in PACKAGE.glob("*.py"):
        tree = ast.parse(path.read_text())
        docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, ast.Module)}
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        spelt = [text for text in texts if re.search(r"emqx-tui (approve|resume|abort|freeze|hold|rollout)\b", text)]
        assert [text for text in spelt if text not in docs and "`emqx-tui" not in text] == [], path.name


@pytest.mark.parametrize("scene", ALARMS)
def test_what_each_detector_advises_is_worded_for_both_readers(scene: str) -> None:
    found, _ = ALARMS[scene]
    for alarm in found.decide().alarms:
        commands = advise(alarm.advice, "mqtt", "emqx-ee")
        assert len(taken(commands)) == sum(each.verb not in (Verb.FIX, Verb.INSPECT_POD) for each in alarm.advice)
        keys = screen_advice(alarm.advice)
        assert "emqx-tui" not in keys
        assert not re.search(r"(^|· )[xfrh] ", commands), "a key says nothing to a reader of lines"


def test_detectors_speak_of_no_key_and_no_command() -> None:
    tree = ast.parse(Path(auto_hold.__file__).read_text())
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert [text for text in texts if "emqx-tui" in text or re.search(r"(^|[ ;:,])[b-z] [a-z]+s\b", text)] == []


def test_an_abort_names_the_cluster_twice() -> None:
    assert command("abort", "b", "a") == "emqx-tui abort a -n b --confirm a"
