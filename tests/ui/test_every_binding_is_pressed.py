"""Every binding of every screen and widget is pressed by some test of its room: one without a test fails here."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.app import App
from textual.binding import Binding
from textual.widget import Widget

import emqx_tui.ui

HERE = Path(__file__).parent
PRESSING = {"press", "key", "keys", "type"}
"""Functions that tests hand keys to."""


def bindings() -> Iterator[tuple[str, str, frozenset[str]]]:
    """(room, `Class.action`, keys): one action may have several keys, of which one is enough."""
    for module in pkgutil.walk_packages(emqx_tui.ui.__path__, "emqx_tui.ui."):
        for cls in vars(importlib.import_module(module.name)).values():
            is_ours = isinstance(cls, type) and issubclass(cls, Widget | App) and cls.__module__ == module.name
            if not is_ours:
                continue
            actions: dict[str, set[str]] = {}
            for binding in cls.__dict__.get("BINDINGS", ()):
                assert isinstance(binding, Binding)
                actions.setdefault(binding.action, set()).update(binding.key.split(","))
            for action, keys in actions.items():
                yield module.name.split(".")[2], f"{cls.__name__}.{action}", frozenset(keys)


def pressed(room: str) -> frozenset[str]:
    """The keys that the tests of a room press."""
    files = [*(HERE / room).rglob("*.py"), *HERE.glob("*.py")]
    return frozenset(key for file in files for key in keys_in(ast.parse(file.read_text("utf-8"))))


def keys_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in PRESSING:
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value


ALL = list(bindings())


def test_all_screens_are_looked_at():
    names = {name.partition(".")[0] for _, name, _ in ALL}
    assert {"ConsoleApp", "ClustersScreen", "RolloutScreen", "ChangeScreen", "ObjectsScreen", "LogScreen"} <= names


@pytest.mark.parametrize(("room", "name", "keys"), ALL, ids=[name for _, name, _ in ALL])
def test_some_test_presses_it(room: str, name: str, keys: frozenset[str]):
    assert keys & pressed(room), f"no test in tests/ui/{room} presses {' or '.join(sorted(keys))}"
