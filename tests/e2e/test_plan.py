"""`emqx-tui plan` on a sandbox: figures, the rate for a wish, and nothing that was changed by asking."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import run
from tests.support.served import NAME, Served

CHANGE = ("--set", "image.version=4.4.15")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served(speed=1.0) as served:
        yield served


def test_the_forecast_is_printed_and_nothing_is_changed(served: Served, tmp_path: Path) -> None:
    before = served.find("emqxenterprises", NAME)
    done = run(["plan", NAME, *CHANGE, "-o", "json", *served.flags], tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["from"], told["to"], told["gates_included"]) == ("4.4.14", "4.4.15", False)
    assert sum(node["clients"] for node in told["nodes"]) == told["clients"] > 500
    assert told["is_boot_known"] is True
    assert served.find("emqxenterprises", NAME) == before
    assert served.journal() is None
    assert not served.renewed_at()


def test_a_limit_of_reconnects_becomes_a_rate_to_start_with(served: Served, tmp_path: Path) -> None:
    done = run(["plan", NAME, *CHANGE, "--max-reconnects", "90", "--parallel-drains", "3", *served.flags], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith(
        f"emqx-tui rollout {NAME} {' '.join(CHANGE)} --set connEvictRate=30 --parallel-drains 3 -n default"
    )


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        ((NAME,), 1, "say what to change, such as --set image.version=4.4.15\n"),
        ((NAME, "--set", "connEvictRate=300"), 1, "(used by the next release): add what does, such as --set image."),
        ((NAME, "--set", "image.version=4.4.14"), 1, "nothing would change: the object asks for this already"),
        ((NAME, "--set", "image.version=4.4.1"), 2, "out of range"),
        (("other", *CHANGE), 1, "no EmqxEnterprise 'other'"),
        ((NAME, *CHANGE, "--finish-by", "soon"), 2, "expected HH:MM"),
    ],
)
def test_what_cannot_be_planned_is_one_line(
    served: Served, tmp_path: Path, argv: tuple[str, ...], code: int, words: str
) -> None:
    done = run(["plan", *argv, *served.flags], tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1)
    assert words in done.stderr
