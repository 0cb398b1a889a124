"""`emqx-tui bench conn`: its flags, what it refuses, and what it never prints."""

from __future__ import annotations

import pytest

from emqx_tui.cli import main
from emqx_tui.cli.commands.bench import options_of
from emqx_tui.cli.parsing.arguments import parse
from emqx_tui.config import load_settings
from emqx_tui.mqtt_bench.options import BenchOptions, Will


def test_without_flags_it_does_what_mqttx_does() -> None:
    assert options_of(parse(["bench", "conn"])) == BenchOptions()


def test_the_flags_of_the_release_document() -> None:
    words = "bench conn -h 127.0.0.1 -p 1883 -c 3000 -i 10 -V 3.1.1 -k 60 --no-clean --reconnect-period 500"
    assert options_of(parse(words.split())) == BenchOptions(
        host="127.0.0.1",
        port=1883,
        count=3000,
        version=4,
        keep_alive_s=60,
        clean=False,
        reconnect_period_ms=500,
    )


def test_the_other_flags() -> None:
    words = "bench conn -u me -P word -I d%i -se 60 -rp 0 --maximum-reconnect-times 3 --give-up-when-refused"
    words += " -Wt gone -Wm bye -Wq 1 -Wr -Wd 5 --duration 1m"
    assert options_of(parse(words.split())) == BenchOptions(
        username="me",
        password="word",
        client_id="d%i",
        session_expiry_s=60,
        reconnect_period_ms=0,
        max_reconnects=3,
        give_up_when_refused=True,
        will=Will(topic="gone", message="bye", qos=1, retain=True, delay_s=5),
        duration_s=60.0,
    )


@pytest.mark.parametrize(("words", "password"), [([], "from outside"), (["-P", "given"], "given"), (["-P", ""], "")])
def test_the_password_may_come_from_the_environment(
    words: list[str], password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMQX_TUI_BENCH_PASSWORD", "from outside")
    assert options_of(parse(["bench", "conn", *words])).password == password
    assert load_settings({}).warnings == ()


SECRET = "hunter2"


@pytest.mark.parametrize(
    "words",
    [
        ["-P", SECRET, "--colour"],
        [f"--pasword={SECRET}"],
        ["--pasword", SECRET],
        ["-P", SECRET, SECRET],
        ["-P", SECRET, "-c", "none"],
        ["-P", SECRET, "-h", "192.0.2.1"],
        ["-P", SECRET, "-h", "no such host.invalid"],
        ["-P", SECRET, "-c", "1000000"],
    ],
)
def test_a_password_is_in_no_message(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "conn", *words]) in (1, 2)
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert SECRET not in said.err + said.out


@pytest.mark.parametrize("confirm", [[], ["--confirm", "192.0.2.2"]])
def test_another_machine_has_to_be_named_twice(confirm: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "conn", "-h", "192.0.2.1", *confirm]) == 2
    assert "192.0.2.1 is not this machine" in capsys.readouterr().err


def test_a_kind_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench"]) == 2
    assert main(["bench", "pub"]) == 2
    assert main(["bench", "conn", "--help"]) == 0
    assert "-h HOST" in capsys.readouterr().out
