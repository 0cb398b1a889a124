"""`constraints.txt`: one exact version a line, no host, and every dependency of the project within its range."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def constraints() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def wanted() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    optional = [each for extra in project["optional-dependencies"].values() for each in extra]
    return [Requirement(each) for each in [*project["dependencies"], *optional]]


def exact_versions() -> dict[str, str]:
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in constraints()}


def test_each_line_is_one_exact_version() -> None:
    for each in constraints():
        (only,) = each.specifier
        assert only.operator == "=="
        assert "*" not in only.version
        assert each.url is None
    assert len(exact_versions()) == len(constraints())


def test_every_dependency_has_one_within_its_range() -> None:
    exact = exact_versions()
    found = {each.name: exact.get(canonicalize_name(each.name)) for each in wanted()}
    assert None not in found.values(), found
    outside = [
        f"{each} is {found[each.name]}" for each in wanted() if not each.specifier.contains(found[each.name] or "")
    ]
    assert outside == []


def test_the_first_line_says_how_to_use_it() -> None:
    first = (ROOT / "constraints.txt").read_text("utf-8").splitlines()[0]
    assert "pip install -c constraints.txt -e '.[test]'" in first
