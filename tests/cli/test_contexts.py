"""`:ctx NAME`: the console begins anew with the settings that the file has for that context."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from emqx_tui.cli.commands import console
from emqx_tui.cli.parsing.arguments import parse
from emqx_tui.config import Settings, load_settings

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: lab
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts:
- {name: lab, context: {cluster: c, user: u, namespace: one}}
- {name: prod-eu, context: {cluster: c, user: u, namespace: two}}
- {name: broken, context: {cluster: gone, user: u}}
"""
CONFIG = """
[contexts."prod-*"]
read_only = true
"""


class Played:
    """A person who asks for these contexts, one after the other, then quits."""

    def __init__(self, *wanted: str) -> None:
        self.wanted = [*wanted, ""]
        self.shown: list[tuple[str, str | None, bool, str]] = []

    def show(self, settings: Settings, access: Any, host: Any, connected: Any, **told: Any) -> console.Shown:
        self.shown.append((access.context, access.scope, settings.read_only, told["first_words"]))
        return console.Shown(0, self.wanted.pop(0))


@pytest.fixture
def begun(tmp_path: Path) -> tuple[Namespace, Settings]:
    kubeconfig, config = tmp_path / "kubeconfig", tmp_path / "config.toml"
    kubeconfig.write_text(KUBECONFIG)
    config.write_text(CONFIG)
    arguments = parse(["--kubeconfig", str(kubeconfig), "--config", str(config), "-n", "mine"])
    return arguments, load_settings(arguments.settings, {}, config_file=arguments.config_file)


def played(monkeypatch: pytest.MonkeyPatch, begun: tuple[Namespace, Settings], *wanted: str) -> Played:
    person = Played(*wanted)
    monkeypatch.setattr(console, "show", person.show)
    monkeypatch.setattr(console, "has_terminal", lambda: True)
    assert console.run(*begun) == 0
    return person


def test_another_context_has_its_own_settings_and_namespace(monkeypatch, begun) -> None:
    person = played(monkeypatch, begun, "prod-eu", "lab")
    assert person.shown == [("lab", "mine", False, ""), ("prod-eu", "two", True, ""), ("lab", "one", False, "")]


def test_a_context_that_leads_nowhere_is_told_and_the_console_stays(monkeypatch, begun) -> None:
    person = played(monkeypatch, begun, "broken")
    assert [context for context, *_ in person.shown] == ["lab", "lab"]
    assert "no cluster named 'gone'" in person.shown[1][3]
