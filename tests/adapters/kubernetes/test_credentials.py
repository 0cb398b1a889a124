"""Tokens that are renewed, and plugins that misbehave in every way that plugins do."""

from __future__ import annotations

import asyncio
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emqx_tui.adapters.kubernetes.access import Access, BasicLogin, ExecLogin, TokenFileLogin
from emqx_tui.adapters.kubernetes.credentials import Credential, TokenFileCredentials, credentials_for
from emqx_tui.adapters.kubernetes.exec_plugin import ExecCredentials
from emqx_tui.model.errors import Unauthorized
from emqx_tui.rollout.requests import KubeRequest

API = "client.authentication.k8s.io/v1"


class Plugin:
    """A shell script that counts its runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "plugin.sh"
        self.runs_file = folder / "runs"

    def write(self, body: str) -> ExecLogin:
        self.file.write_text(f"#!/bin/sh\necho run >> {self.runs_file}\nn=$(wc -l < {self.runs_file})\n{body}\n")
        self.file.chmod(0o700)
        return ExecLogin(str(self.file), API)

    def answering(self, status: str) -> ExecLogin:
        return self.write(f'cat <<EOF\n{{"apiVersion": "{API}", "kind": "ExecCredential", "status": {status}}}\nEOF')

    @property
    def runs(self) -> int:
        return len(self.runs_file.read_text().splitlines()) if self.runs_file.exists() else 0


@pytest.fixture
def plugin(tmp_path):
    return Plugin(tmp_path)


def instant(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_a_token_is_kept_until_a_minute_before_its_end(plugin):
    now = 1_000_000.0
    login = plugin.answering(f'{{"token": "t$n", "expirationTimestamp": "{instant(now + 600)}"}}')
    credentials = ExecCredentials(login, wall=lambda: now)
    assert (await credentials.present()).authorization == "Bearer t1"
    now += 539
    assert (await credentials.present()).authorization == "Bearer t1"
    assert plugin.runs == 1
    now += 1
    assert (await credentials.present()).authorization == "Bearer t2"
    assert plugin.runs == 2


async def test_a_short_token_is_not_renewed_with_every_request(plugin):
    now = 1_000_000.0
    login = plugin.answering(f'{{"token": "t$n", "expirationTimestamp": "{instant(now + 10)}"}}')
    credentials = ExecCredentials(login, wall=lambda: now)
    await credentials.present()
    now += 7.9
    await credentials.present()
    assert plugin.runs == 1
    now += 0.2
    await credentials.present()
    assert plugin.runs == 2


async def test_a_token_without_an_end_is_kept(plugin):
    credentials = ExecCredentials(plugin.answering('{"token": "t$n"}'))
    for _ in range(3):
        assert (await credentials.present()).authorization == "Bearer t1"


async def test_a_renewal_that_fails_leaves_the_old_token_while_it_lasts(plugin):
    now = 1_000_000.0
    good = f'{{"token": "t", "expirationTimestamp": "{instant(now + 600)}"}}'
    credentials = ExecCredentials(plugin.answering(good), wall=lambda: now)
    await credentials.present()
    plugin.write("echo 'no network' >&2; exit 1")
    now += 550
    assert (await credentials.present()).authorization == "Bearer t"
    now += 51
    with pytest.raises(Unauthorized, match="no network"):
        await credentials.present()


async def test_many_askers_run_the_plugin_once(plugin):
    credentials = ExecCredentials(plugin.answering('{"token": "t$n"}'))
    answers = await asyncio.gather(*(credentials.present() for _ in range(9)))
    assert plugin.runs == 1
    assert len(set(answers)) == 1


async def test_a_refused_token_is_renewed_once_for_all_who_used_it(plugin):
    credentials = ExecCredentials(plugin.answering('{"token": "t$n"}'))
    refused = await credentials.present()
    assert await asyncio.gather(*(credentials.renew(refused) for _ in range(5))) == [True] * 5
    assert plugin.runs == 2


async def test_a_plugin_that_has_no_other_token_is_not_believed_twice(plugin):
    credentials = ExecCredentials(plugin.answering('{"token": "same"}'))
    assert not await credentials.renew(await credentials.present())


async def test_client_certificates(plugin):
    status = '{"clientCertificateData": "CERT", "clientKeyData": "KEY"}'
    credential = await ExecCredentials(plugin.answering(status)).present()
    assert credential.authorization == ""
    assert credential.certificate is not None
    assert (credential.certificate.certificate, credential.certificate.key) == (b"CERT", b"KEY")
    assert "KEY" not in repr(credential)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo 'please log in: token=abc123' >&2; exit 3", "exit code 3: please log in: token=••••••"),
        ("printf 'a\\033[31mb\\nc' >&2; exit 1", "exit code 1: a�[31mb c"),
        ("exit 1", "exit code 1: it said nothing"),
        ("echo secret-in-plain", "its answer is not JSON"),
        ("echo []", "its answer is not an ExecCredential: $: expected an object"),
        ('echo \'{"apiVersion": "v9"}\'', f"its answer is not of {API}"),
        (f'echo \'{{"apiVersion": "{API}"}}\'', "neither a token nor a client certificate"),
        (
            f'echo \'{{"apiVersion": "{API}", "status": {{"clientKeyData": "x"}}}}\'',
            "only one of clientCertificateData",
        ),
        (f'echo \'{{"apiVersion": "{API}", "status": {{"token": "a\\\\nb"}}}}\'', "holds characters that no token has"),
        (f'echo \'{{"apiVersion": "{API}", "status": {{"token": "t", "expirationTimestamp": "x"}}}}\'', "RFC 3339"),
        ("head -c 3000000 /dev/zero", "its answer is longer than 1 MiB"),
    ],
)
async def test_failures_are_told_in_one_line(plugin, body, words):
    with pytest.raises(Unauthorized) as told:
        await ExecCredentials(plugin.write(body)).present()
    assert words in told.value.message
    assert told.value.message.startswith("credential plugin plugin.sh: ")
    assert "secret-in-plain" not in told.value.message
    assert "\n" not in told.value.message


async def test_a_flood_on_standard_error_neither_blocks_nor_floods(plugin):
    body = (
        "i=0; while [ $i -lt 40 ]; do head -c 50000 /dev/zero | tr '\\0' x >&2; i=$((i+1)); done; echo last >&2; exit 1"
    )
    with pytest.raises(Unauthorized) as told:
        await ExecCredentials(plugin.write(body), timeout_s=20).present()
    assert len(told.value.message) < 600


async def test_a_flood_of_words_before_success_does_no_harm(plugin):
    answer = f'{{"apiVersion": "{API}", "status": {{"token": "t"}}}}'
    login = plugin.write(f"head -c 2000000 /dev/zero >&2; echo '{answer}'")
    assert (await ExecCredentials(login, timeout_s=20).present()).authorization == "Bearer t"


async def test_a_slow_plugin_is_ended_with_its_children(plugin, until):
    pid = plugin.folder / "pid"
    login = plugin.write(f"sleep 60 & echo $! > {pid}; wait")
    began = time.monotonic()
    with pytest.raises(Unauthorized, match=r"no answer within 0.5 s; does it wait for a login\?"):
        await ExecCredentials(login, timeout_s=0.5).present()
    assert time.monotonic() - began < 5
    child = int(pid.read_text())
    await until(lambda: not is_running(child))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def test_a_plugin_gets_neither_input_nor_a_terminal(plugin):
    """It reads an end of file at once, has no controlling terminal, and is told not to ask."""
    body = """
    read answer && exit 9
    (exec < /dev/tty) 2>/dev/null && exit 8
    case "$KUBERNETES_EXEC_INFO" in *'"interactive": false'*) ;; *) exit 7;; esac
    """
    answer = f'echo \'{{"apiVersion": "{API}", "status": {{"token": "t"}}}}\''
    assert (await ExecCredentials(plugin.write(body + answer)).present()).authorization == "Bearer t"


async def test_a_plugin_that_needs_a_terminal_is_refused_unrun(plugin):
    plugin.answering('{"token": "t"}')
    login = ExecLogin(str(plugin.file), API, needs_terminal=True)
    with pytest.raises(Unauthorized, match="interactiveMode: Always"):
        await ExecCredentials(login).present()
    assert plugin.runs == 0


async def test_a_plugin_that_is_not_installed_shows_its_hint():
    login = ExecLogin("no-such-plugin", API, install_hint="brew install\n no-such-plugin")
    with pytest.raises(Unauthorized) as told:
        await ExecCredentials(login).present()
    assert told.value.message == (
        "credential plugin no-such-plugin: cannot be started: No such file or directory; brew install no-such-plugin"
    )


async def test_arguments_environment_and_cluster_reach_the_plugin(plugin):
    plugin.write(f'echo "$1 $X" > {plugin.folder}/seen; echo "$KUBERNETES_EXEC_INFO" > {plugin.folder}/info; exit 1')
    login = ExecLogin(str(plugin.file), API, ("arg",), (("X", "env"),), cluster_info={"server": "https://a"})
    with pytest.raises(Unauthorized):
        await ExecCredentials(login).present()
    assert (plugin.folder / "seen").read_text() == "arg env\n"
    info = json.loads((plugin.folder / "info").read_text())
    assert info["spec"] == {"interactive": False, "cluster": {"server": "https://a"}}
    assert (info["apiVersion"], info["kind"]) == (API, "ExecCredential")


async def test_a_failure_is_remembered_for_a_few_seconds(plugin):
    now = 0.0
    credentials = ExecCredentials(plugin.write("exit 1"), monotonic=lambda: now)
    for _ in range(4):
        with pytest.raises(Unauthorized):
            await credentials.present()
    assert plugin.runs == 1
    now = 6.0
    with pytest.raises(Unauthorized):
        await credentials.present()
    assert plugin.runs == 2


async def test_a_cancelled_run_ends_the_plugin(plugin, until):
    login = plugin.write(f"echo $$ > {plugin.folder}/pid; exec sleep 60")
    task = asyncio.create_task(ExecCredentials(login).present())
    pid = plugin.folder / "pid"
    await until(lambda: pid.exists() and pid.read_text().strip())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_running(int(pid.read_text()))


class TestTokenFile:
    async def test_is_read_again_after_a_while(self, tmp_path):
        now = 0.0
        file = tmp_path / "token"
        file.write_text("one\n")
        credentials = TokenFileCredentials(TokenFileLogin(str(file)), monotonic=lambda: now)
        assert await credentials.present() == Credential("Bearer one")
        file.write_text("two")
        assert await credentials.present() == Credential("Bearer one")
        now = 10.0
        assert await credentials.present() == Credential("Bearer two")
        file.unlink()
        now = 20.0
        assert await credentials.present() == Credential("Bearer two"), "the last good one"

    async def test_is_read_at_once_after_a_refusal(self, tmp_path):
        file = tmp_path / "token"
        file.write_text("one")
        credentials = TokenFileCredentials(TokenFileLogin(str(file)))
        refused = await credentials.present()
        assert not await credentials.renew(refused)
        file.write_text("two")
        assert await credentials.renew(refused)

    @pytest.mark.parametrize(("content", "words"), [(None, "cannot read the token file"), ("", "is empty")])
    async def test_tells_what_is_wrong(self, tmp_path, content, words):
        file = tmp_path / "token"
        if content is not None:
            file.write_text(content)
        with pytest.raises(Unauthorized, match=words):
            await TokenFileCredentials(TokenFileLogin(str(file))).present()


async def test_basic_login():
    credential = await credentials_for(Access("http://a", login=BasicLogin("n", "p:w"))).present()
    assert credential.authorization == "Basic bjpwOnc="


async def test_the_server_refuses_a_token_and_takes_the_renewed_one(api, client_of, plugin):
    api.token = "t2"
    kube = client_of(api, access=Access(api.url, login=plugin.answering('{"token": "t$n"}')))
    assert await kube.request(KubeRequest("GET", "/api/v1/pods", query={"limit": "1"}))
    assert [request.headers["Authorization"] for request in api.requests] == ["Bearer t1", "Bearer t2"]

    api.token = "nobody has this"
    with pytest.raises(Unauthorized, match=r"does not accept these credentials \(401\)"):
        await kube.request(KubeRequest("GET", "/api/v1/pods", query={"limit": "1"}))
    assert len(api.requests) == 4, "one more try, not more"
    assert os.environ.get("KUBERNETES_EXEC_INFO") is None
