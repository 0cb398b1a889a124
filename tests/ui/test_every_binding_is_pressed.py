"""Every binding of every screen and widget is pressed by some test that is about it: one without a test fails here.

A test file is about a screen when it imports from the screen's module, or lies in a room that has one screen only:
three screens share the room of objects, and `w` pressed on one of them says nothing of the others.
"""

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
SHARED = {"objects", "shell"}
"""Rooms of several screens."""
USED_BY = {"emqx_tui.ui.objects.find_input": "emqx_tui.ui.objects.document_screen"}
"""Parts that have no tests of their own."""
PRESSING = {"press", "key", "keys", "type"}
"""Functions that tests hand keys to."""


def bindings() -> Iterator[tuple[str, str, frozenset[str]]]:
    """(module, `Class.action`, keys): one action may have several keys, of which one is enough."""
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
                yield module.name, f"{cls.__name__}.{action}", frozenset(keys)


def pressed(module: str) -> frozenset[str]:
    """The keys that the tests about a module press."""
    room = module.split(".")[2]
    texts = {file: file.read_text("utf-8") for file in HERE.rglob("*.py")}
    about = [
        text
        for file, text in texts.items()
        if USED_BY.get(module, module) in text or (room not in SHARED and (HERE / room) in file.parents)
    ]
    return frozenset(key for text in about for key in keys_in(ast.parse(text)))


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


@pytest.mark.parametrize(("module", "name", "keys"), ALL, ids=[name for _, name, _ in ALL])
def test_some_test_presses_it(module: str, name: str, keys: frozenset[str]):
    assert keys & pressed(module), f"no test about {module} presses {' or '.join(sorted(keys))}"
