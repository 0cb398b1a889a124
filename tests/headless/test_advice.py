"""Every command that a headless run advises is one that the argument parser takes, and that does what it says."""

from __future__ import annotations

import ast
import re
import shlex
from argparse import Namespace
from pathlib import Path

import pytest

from emqx_tui.cli.connected import options_of
from emqx_tui.cli.parsing.arguments import parse
from emqx_tui.config import load_settings
from emqx_tui.headless import advice as headless
from emqx_tui.headless.advice import Cluster, advise, command, list_clusters
from emqx_tui.headless.looking.status import lines
from emqx_tui.headless.release.exit_status import Result
from emqx_tui.headless.release.rollout import how_to_go_on
from emqx_tui.rollout.checks import auto_hold, emqx_alarms, kubernetes_alarms
from emqx_tui.rollout.commands import Scale, Target, in_context
from emqx_tui.rollout.decision import Decision
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.telling.advice import Advice, Verb
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.log import EventLog
from emqx_tui.ui.cards.gate_card import gate_card
from emqx_tui.ui.rollout.advice import advise as screen_advice
from emqx_tui.ui.text.spans import plain
from tests.rollout.checks.test_auto_hold import ALARMS
from tests.support import releases

COMMAND = re.compile(r"emqx-tui [^;,(]+")
KUBECTL = re.compile(r"kubectl .+")
CONTEXT = "prod eu"
PACKAGE = Path(headless.__file__).parent


def parsed(text: str) -> list[Namespace]:
    """The commands in `text`, each read by the real parser."""
    found = [shlex.split(each) for each in COMMAND.findall(text)]
    return [parse(words[1:]) for words in found]


def taken(text: str) -> list[str]:
    """The verbs of the commands in `text`."""
    return [arguments.command for arguments in parsed(text)]


@pytest.mark.parametrize("verb", [Verb.RESUME, Verb.FREEZE, Verb.ABORT, Verb.HOLD])
def test_every_verb_is_a_command_that_the_parser_takes(verb: Verb) -> None:
    said = advise((Advice(verb, "because"),), Cluster("mqtt", "emqx-ee"))
    assert taken(said) == [verb]
    assert said.endswith(" (because)")


def test_what_is_no_command_of_ours_is_said_in_words_or_in_kubectls() -> None:
    fix, look = Advice(Verb.FIX, "scale it to 0"), Advice(Verb.INSPECT_POD, "it is back soon", "emqx-ee-1")
    said = advise((fix, look), Cluster("b", "a"))
    assert said == "scale it to 0; kubectl describe pod emqx-ee-1 -n b (it is back soon)"
    assert advise((), Cluster("b", "a")) == ""


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


@pytest.mark.parametrize(
    "said",
    [
        how_to_go_on(releases.held(context=CONTEXT), Result.HELD).replace(", then ", "; ").replace(", or ", "; "),
        how_to_go_on(releases.at_gate(context=CONTEXT), Result.WAITING).replace(", then ", "; "),
        "\n".join(lines(releases.held(context=CONTEXT, role=Role.IDLE, driver=""))).replace("\n", "; "),
        list_clusters(Cluster(releases.NAMESPACE, "emqx-ee", CONTEXT)),
    ],
    ids=["held", "waiting", "status", "get"],
)
def test_every_command_names_the_context_and_the_namespace(said: str) -> None:
    found = parsed(said)
    assert found
    assert {(each.settings["context"], each.settings["namespace"]) for each in found} == {(CONTEXT, releases.NAMESPACE)}


@pytest.mark.parametrize(
    "said",
    [
        advise((Advice(Verb.INSPECT_POD, target="emqx-ee-1"),), Cluster("mqtt", "emqx-ee", CONTEXT)),
        in_context(Scale(Target("mqtt", "emqx-ee-66f7b"), 3, 2).describe(), CONTEXT),
    ],
    ids=["pod", "sent"],
)
def test_kubectl_is_told_the_context_and_the_namespace(said: str) -> None:
    words = shlex.split(KUBECTL.findall(said)[0])
    assert (words[words.index("--context") + 1], words[words.index("-n") + 1]) == (CONTEXT, "mqtt")


def test_other_programs_have_no_context() -> None:
    assert in_context("curl -u emqx http://emqx-ee-1/api", CONTEXT) == "curl -u emqx http://emqx-ee-1/api"


def test_the_context_that_was_given_is_the_one_that_is_said() -> None:
    assert options_of(load_settings({"context": CONTEXT}, {}), drives=True).context == CONTEXT
    assert options_of(load_settings({}, {}), drives=True).context == ""


def test_the_cards_and_the_log_print_the_context() -> None:
    view = releases.at_gate(context=CONTEXT)
    assert view.decision.gate is not None
    shown = [
        plain(text) for title, rows in gate_card(view.decision.gate, view).rows if title == "Command" for text in rows
    ]
    log = EventLog(CONTEXT)
    log.sent(releases.NOW, Scale(Target("mqtt", "emqx-ee-66f7b"), 3, 2))
    sent = [log.lines()[-1].command, *(text for text in shown if text.startswith("kubectl"))]
    assert [KUBECTL.findall(text)[0].split(" -n ")[0] for text in sent] == ["kubectl --context 'prod eu'"] * len(sent)


def test_status_says_how_to_drive_a_release_that_nobody_drives() -> None:
    told = lines(releases.at_gate(role=Role.IDLE, driver=""))
    (driver,) = [line for line in told if line.startswith("driver")]
    assert taken(driver) == ["rollout"]


def test_commands_are_made_in_one_place() -> None:
    """A command spelt elsewhere is one that no test runs."""
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, ast.Module)}
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        spelt = [text for text in texts if re.search(r"emqx-tui (approve|resume|abort|freeze|hold|rollout)\b", text)]
        assert [text for text in spelt if text not in docs and "`emqx-tui" not in text] == [], path.name


@pytest.mark.parametrize("scene", ALARMS)
def test_what_each_detector_advises_is_worded_for_both_readers(scene: str) -> None:
    found, _ = ALARMS[scene]
    for alarm in found.decide().alarms:
        commands = advise(alarm.advice, Cluster("mqtt", "emqx-ee"))
        assert len(taken(commands)) == sum(each.verb not in (Verb.FIX, Verb.INSPECT_POD) for each in alarm.advice)
        keys = screen_advice(alarm.advice)
        assert "emqx-tui" not in keys
        assert not re.search(r"(^|· )[xfrh] ", commands), "a key says nothing to a reader of lines"


def test_detectors_speak_of_no_key_and_no_command() -> None:
    modules = (auto_hold, emqx_alarms, kubernetes_alarms)
    nodes = [node for each in modules for node in ast.walk(ast.parse(Path(each.__file__).read_text()))]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert [text for text in texts if "emqx-tui" in text or re.search(r"(^|[ ;:,])[b-z] [a-z]+s\b", text)] == []


def test_an_abort_names_the_cluster_twice() -> None:
    assert command("abort", Cluster("b", "a")) == "emqx-tui abort a -n b --confirm a"
