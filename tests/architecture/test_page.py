"""The architecture page names places that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "emqx_tui"
PAGE = (PACKAGE / "README.md").read_text("utf-8")
PLACES = sorted(set(re.findall(r"`((?:\w+/)*\w+\.py)(?::(\w+))?`", PAGE)))


def files(name: str) -> list[Path]:
    """The files meant by a name; one of the package may leave out its folder."""
    if name.startswith("tests/"):
        return [path for path in [PACKAGE.parent / name] if path.is_file()]
    return [path for path in PACKAGE.rglob(Path(name).name) if path.as_posix().endswith(f"/{name}")]


def definitions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


@pytest.mark.parametrize(("name", "function"), PLACES)
def test_a_named_place_is_there(name: str, function: str) -> None:
    found = files(name)
    assert found, f"{name} is not in the package"
    assert not function or any(function in definitions(path) for path in found), f"{name} has no {function}"


def test_every_room_is_on_the_page() -> None:
    rooms = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file())
    assert [room for room in rooms if f"{room}/" not in PAGE] == []


def test_the_walks_are_walked() -> None:
    assert len(PLACES) > 30
