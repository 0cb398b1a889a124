"""The log file: private, clean, redacted; libraries stay quiet; the tree is given back."""

from __future__ import annotations

import logging
import os
import stat
import threading
import warnings

import pytest

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.machine import log_file
from emqx_tui.adapters.machine.log_file import LogFile

OURS = logging.getLogger("emqx_tui.session.session")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "emqx-tui.log"


def test_a_line(path):
    log = LogFile(path, "info")
    OURS.info("phase %s", "draining")
    OURS.debug("not asked for")
    log.close()
    (line,) = path.read_text().splitlines()
    assert line.endswith("Z INFO    emqx_tui.session.session: phase draining")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_secrets_and_escapes_are_taken_out(path):
    log = LogFile(path, "debug")
    OURS.debug("Authorization: Bearer %s and \x1b[2J", "hush")
    try:
        raise ValueError("password=hush")
    except ValueError:
        OURS.exception("failed")
    log.close()
    text = path.read_text()
    assert "hush" not in text
    assert "\x1b" not in text
    assert "Traceback" in text
    assert "ValueError: password=••••••" in text


@pytest.mark.parametrize("library", ["httpcore.http11", "httpx", "aiohttp.client", "asyncio", "kubernetes"])
def test_libraries_say_only_warnings(path, library):
    log = LogFile(path, "debug")
    logging.getLogger(library).info("headers")
    logging.getLogger(library).warning("trouble")
    log.close()
    assert [line.rpartition(": ")[2] for line in path.read_text().splitlines()] == ["trouble"]


def test_warnings_of_python_do_not_reach_the_screen(path, capfd):
    log = LogFile(path)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        logging.captureWarnings(True)
        warnings.warn("deprecated thing", DeprecationWarning, stacklevel=1)
    log.close()
    assert "deprecated thing" in path.read_text()
    assert capfd.readouterr() == ("", "")


def test_rotates(path, monkeypatch):
    monkeypatch.setattr(log_file, "FILE_BYTES", 2000)
    monkeypatch.setattr(log_file, "FILES", 3)
    log = LogFile(path)
    for number in range(300):
        OURS.info("line %s", number)
    log.close()
    files = sorted(file.name for file in path.parent.iterdir())
    assert files == ["emqx-tui.log", "emqx-tui.log.1", "emqx-tui.log.2"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in path.parent.iterdir())
    assert all(file.stat().st_size <= 2000 for file in path.parent.iterdir())
    assert "line 299" in path.read_text()


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot write the log file .*; give --log-file PATH"):
        LogFile(tmp_path / "file" / "x.log")


def test_a_disk_that_fills_up_says_nothing_on_the_screen(path, capfd):
    log = LogFile(path)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, log._writer.stream.fileno())
    OURS.info("lost")
    log.close()
    os.close(full)
    assert capfd.readouterr() == ("", "")


def test_gives_the_logging_tree_back(path):
    root = logging.getLogger()
    before = root.level, list(root.handlers), logging.getLogger("emqx_tui").level
    log = LogFile(path, "debug")
    log.close()
    log.close()
    assert (root.level, list(root.handlers), logging.getLogger("emqx_tui").level) == before


def test_a_hung_disk_blocks_nobody(path, monkeypatch):
    log = LogFile(path)
    hung, release = threading.Event(), threading.Event()
    monkeypatch.setattr(log._writer, "emit", lambda record: hung.set() or release.wait(10))
    OURS.info("first")
    assert hung.wait(5)
    for _ in range(5000):
        OURS.info("more")
    log.close(0.05)
    release.set()
