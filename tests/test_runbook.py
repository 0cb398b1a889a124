"""The words for a person at each gate: those of the page, of a file, and what a file may not do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from emqx_tui.runbook import MOST_BYTES, Gate, load, read

PAGE = load(None)


def test_the_page_has_words_for_every_gate():
    assert set(PAGE.texts) == set(Gate)
    assert not PAGE.problem


def test_a_file_takes_the_place_of_the_words_and_leaves_those_of_gates_that_it_does_not_name(tmp_path: Path):
    file = tmp_path / "runbook.md"
    file.write_text("# Ours\n\n## Cut over\nCall the desk,\nthen go on.\n\n1. look\n2. wait\n### Numbers\n- 7\n")
    found = load(file)
    assert found.texts[Gate.CUT_OVER] == ("Call the desk, then go on.", "1. look", "2. wait", "Numbers", "- 7")
    assert found.texts[Gate.DRAIN] == PAGE.texts[Gate.DRAIN]
    assert not found.problem


def test_what_a_terminal_would_obey_is_taken_out():
    assert read("## drain\na\x1b[2Jb\u202e [bold]c[/bold]") == {Gate.DRAIN: ("a�[2Jb� [bold]c[/bold]",)}


def written(name: str, content: bytes):
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda folder: folder / "none.md", "No such file or directory"),
        (lambda folder: folder, "not a file"),
        (pipe, "not a file"),
        (written("a", b"\xff\xfe## drain"), "not UTF-8"),
        (written("b", b"x" * (MOST_BYTES + 1)), "more than 65,536 bytes"),
        (written("c", b"# Ours\n\n## Drains\nx"), "no heading is one of start, cut-over, drain"),
        (written("d", b"## drain\n\n"), "no heading is one of"),
    ],
    ids=["not there", "a folder", "a pipe", "not text", "too long", "no gate", "nothing below it"],
)
def test_a_file_that_cannot_be_used_is_told_in_one_line_and_the_page_stays(tmp_path: Path, make, reason: str):
    file = make(tmp_path)
    found = load(file)
    assert found.problem.startswith(f"{file} is not used: ")
    assert reason in found.problem
    assert "\n" not in found.problem
    assert found.texts == PAGE.texts
