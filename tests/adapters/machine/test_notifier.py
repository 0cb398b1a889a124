"""Calls reach a command and a webhook; whatever these do, nothing waits for them and nothing secret is logged."""

from __future__ import annotations

import http.server
import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.machine import notifier as module
from emqx_tui.adapters.machine.notifier import Notifier
from tests.support.programs import wait_until

# Apprise imports all its services at once, and what some of them import is deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CALL = {"schema": 1, "name": "emqx-ee", "cause": "gate", "what": "node:2", "text": "emqx-ee: waits", "context": None}


class Hook(http.server.BaseHTTPRequestHandler):
    bodies: list[bytes]
    status = 204

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[tuple[str, type[Hook]]]:
    """(its URL, what it has got)."""
    handler = type("OneHook", (Hook,), {"bodies": []})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/services/hunter2", handler
        server.shutdown()
        thread.join()


def test_a_webhook_gets_json(hook: tuple[str, type[Hook]]) -> None:
    url, got = hook
    with Notifier(url) as notifier:
        notifier.tell(CALL)
    assert [json.loads(body) for body in got.bodies] == [CALL]


def test_a_webhook_that_refuses_is_logged_without_its_url(
    hook: tuple[str, type[Hook]], caplog: pytest.LogCaptureFixture
) -> None:
    url, got = hook
    got.status = 403
    caplog.set_level(logging.WARNING, "emqx_tui")
    with Notifier(url) as notifier:
        notifier.tell(CALL)
        notifier.tell(CALL)
    assert len(got.bodies) == 2, "the next one is delivered all the same"
    assert "nobody was called for emqx-ee gate: the webhook answers 403" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_command_gets_the_call_on_standard_input_and_in_its_environment(tmp_path: Path) -> None:
    program = "import os, sys; print(os.environ['EMQX_TUI_CALL_TEXT'], sys.stdin.read(), file=open(sys.argv[1], 'w'))"
    out = tmp_path / "with a blank"
    with Notifier(f"{sys.executable} -c \"{program}\" '{out}'") as notifier:
        notifier.tell(CALL)
        wait_until(lambda: out.exists() and out.read_text().endswith("\n"), "call")
    text, _, body = out.read_text().partition(" {")
    assert text == "emqx-ee: waits"
    assert json.loads("{" + body) == CALL


def test_a_command_that_hangs_is_ended_and_the_next_one_runs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "emqx_tui")
    script = tmp_path / "call"
    script.write_text(f'#!/bin/sh\n[ "$EMQX_TUI_CALL_CAUSE" = gate ] && exec sleep 300\ntouch {tmp_path}/told\n')
    script.chmod(0o700)
    with Notifier(str(script), timeout_s=0.5) as notifier:
        begun = time.monotonic()
        notifier.tell(CALL)
        notifier.tell({**CALL, "cause": "end"})
        assert time.monotonic() - begun < 0.4, "telling waits for nobody"
        wait_until((tmp_path / "told").exists, "second call")
    assert "the command takes longer than 0.5 s" in caplog.text


def test_a_service_of_apprise_gets_a_title_and_the_sentence(hook: tuple[str, type[Hook]]) -> None:
    url, got = hook
    with Notifier(url.replace("http://", "json://")) as notifier:
        notifier.tell({**CALL, "namespace": "mqtt"})
    (body,) = (json.loads(each) for each in got.bodies)
    assert (body["title"], body["message"]) == ("emqx-tui: mqtt/emqx-ee", "emqx-ee: waits")


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("json://127.0.0.1:9/hunter2", "json:// did not take it"),
        ("false hunter2", "the command leaves with 1"),
        ("http://127.0.0.1:9/hunter2", "ConnectError"),
    ],
)
def test_what_fails_is_one_line_in_the_log(where: str, told: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "emqx_tui")
    with Notifier(where) as notifier:
        notifier.tell(CALL)
    assert [record.message for record in caplog.records if record.name == module.__name__] == [
        f"nobody was called for emqx-ee gate: {told}"
    ]
    assert "hunter2" not in caplog.text


def test_more_calls_than_wait_are_dropped() -> None:
    notifier = Notifier("true")
    for _ in range(2 * module.WAITING):
        notifier.tell(CALL)
    assert notifier._calls.qsize() == module.WAITING


def test_blanks_are_no_command() -> None:
    with pytest.raises(ConfigError, match="notify: expected a command or a URL"):
        Notifier("  ")


@pytest.mark.parametrize("line", ["hunter2-page me", "/no/such/hunter2 me", "/etc/passwd me"])
def test_a_command_that_cannot_be_run_is_refused_at_the_start_without_its_words(line: str) -> None:
    with pytest.raises(ConfigError, match="notify: the program of this command is not found") as refused:
        Notifier(line)
    assert "hunter2" not in str(refused.value)


def test_a_program_that_is_gone_by_then_is_one_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "page"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    with Notifier(f"{program} hunter2") as notifier:
        program.unlink()
        notifier.tell(CALL)
    (told,) = (record.message for record in caplog.records if record.name == module.__name__)
    assert told == "nobody was called for emqx-ee gate: No such file or directory"


def test_a_command_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ConfigError, match="notify: No closing quotation"):
        Notifier("page 'me hunter2")


@pytest.mark.parametrize("address", ["slack://hunter2", "nosuch://hunter2"])
def test_an_address_that_apprise_does_not_take_is_refused_without_its_words(address: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Notifier(address)
    assert "Apprise does not take this" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_without_apprise_its_addresses_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError, match=r"slack:// needs Apprise: pip install 'emqx-tui\[apprise\]'"):
        Notifier("slack://hunter2")
