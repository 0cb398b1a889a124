"""Which field a line of YAML is about."""

from __future__ import annotations

import pytest

from emqx_tui.ui.change.cursor_path import path_at

TEXT = """\
# EmqxEnterprise mqtt/emqx-ee
spec:
  blueGreenUpdate:
    initialDelaySeconds: 60

  template:
    spec:
      emqxContainer:
        # a comment
        emqxConfig:
          cluster.discovery: dns
          "log.level": warning
        env:
        - name: A
          valueFrom:
            secretKeyRef:
              key: x
        -
          name: B
        args: [a, b]
        command:
          - sh
          - -c
"""
LINES = TEXT.splitlines()
CONTAINER = ("spec", "template", "spec", "emqxContainer")


def row(words: str) -> int:
    return next(number for number, line in enumerate(LINES) if words in line)


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("spec:", ("spec",)),
        ("initialDelay", ("spec", "blueGreenUpdate", "initialDelaySeconds")),
        ("discovery", (*CONTAINER, "emqxConfig", "cluster.discovery")),
        ("log.level", (*CONTAINER, "emqxConfig", "log.level")),
        ("name: A", (*CONTAINER, "env", "[]", "name")),
        ("key: x", (*CONTAINER, "env", "[]", "valueFrom", "secretKeyRef", "key")),
        ("name: B", (*CONTAINER, "env", "[]", "name")),
        ("args", (*CONTAINER, "args")),
        ("- sh", (*CONTAINER, "command", "[]")),
        ("# a comment", ()),
        ("# EmqxEnterprise", ()),
    ],
)
def test_the_path_of_a_line(words: str, path: tuple[str, ...]):
    assert path_at(LINES, row(words)) == path


def test_a_blank_line_and_one_outside_of_the_text_are_about_nothing_or_the_last():
    assert path_at(LINES, 4) == ()
    assert path_at(LINES, 99) == (*CONTAINER, "command", "[]")
    assert path_at([], 0) == ()


def test_a_text_that_is_not_valid_yet_has_paths_too():
    assert path_at(["spec:", "  template: {", "    spec:", "      x: : y"], 3) == ("spec", "template", "spec", "x")
