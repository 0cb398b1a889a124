"""Which cluster we talk to: the merge table, precedences, and one clear line for everything that is wrong."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, ClassVar

import pytest

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.kubernetes.access import (
    AccessRequest,
    BasicLogin,
    ExecLogin,
    NoLogin,
    TokenFileLogin,
    TokenLogin,
)
from emqx_tui.adapters.kubernetes.kubeconfig_access import load_access


def config(*, current: str = "", **entries) -> dict:
    """A kubeconfig of one cluster, context and user each, by name."""
    value: dict = {"apiVersion": "v1", "kind": "Config"}
    if current:
        value["current-context"] = current
    for plural, singular in (("clusters", "cluster"), ("contexts", "context"), ("users", "user")):
        value[plural] = [{"name": name, singular: body} for name, body in entries.get(plural, {}).items()]
    return value


def simple(server: str = "https://a:6443", user: dict | None = None, cluster: dict | None = None) -> dict:
    return config(
        current="c",
        clusters={"k": {"server": server, **(cluster or {})}},
        contexts={"c": {"cluster": "k", "user": "u", "namespace": "mqtt"}},
        users={"u": {"token": "t"} if user is None else user},
    )


@pytest.fixture
def written(tmp_path):
    def write(value, name: str = "config") -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(value if isinstance(value, str) else json.dumps(value))
        return file

    return write


def load(*files: Path, **wanted):
    environment = {"KUBECONFIG": os.pathsep.join(map(str, files)), "HOME": "/nonexistent"}
    return load_access(AccessRequest(**wanted), environment, service_account=Path("/nonexistent"))


def test_one_file(written):
    access = load(written(simple()))
    assert (access.server, access.namespace, access.context, access.user) == ("https://a:6443", "mqtt", "c", "u")
    assert access.login == TokenLogin("t")
    assert access.scope == "mqtt"


def test_flags_win_over_the_context(written):
    value = simple()
    value["clusters"].append({"name": "k2", "cluster": {"server": "https://b"}})
    value["users"].append({"name": "u2", "user": {}})
    access = load(
        written(value),
        namespace="other",
        cluster="k2",
        user="u2",
        as_user="ann",
        as_groups=("ops", "dev"),
        request_timeout_s=7.0,
        all_namespaces=True,
    )
    assert (access.server, access.namespace, access.user) == ("https://b", "other", "u2")
    assert (access.as_user, access.as_groups, access.request_timeout_s) == ("ann", ("ops", "dev"), 7.0)
    assert access.login == NoLogin()
    assert access.scope is None


@pytest.mark.parametrize("where", ["flag", "file"])
def test_a_group_alone_impersonates_nobody(written, where):
    user = {"as-groups": ["ops"]} if where == "file" else None
    with pytest.raises(ConfigError, match=r"^groups to impersonate are given, and no user: give --as USER"):
        load(written(simple(user=user)), as_groups=("ops",) if where == "flag" else ())
    assert load(written(simple(user=user)), as_user="ann", as_groups=("ops",)).as_groups == ("ops",)


def test_the_first_file_to_name_an_entry_wins_whole(written):
    first = config(
        clusters={"k": {"server": "https://first"}},
        users={"u": {"username": "first", "password": "p"}},
        contexts={"c": {"cluster": "k", "user": "u"}},
    )
    second = simple("https://second")
    second["contexts"].append({"name": "d", "context": {"cluster": "k2", "user": "u2"}})
    second["clusters"].append({"name": "k2", "cluster": {"server": "https://second-only"}})
    second["users"].append({"name": "u2", "user": {"token": "t2"}})
    files = written(first, "1"), written(second, "2")

    access = load(*files)
    assert access.context == "c", "the first file that sets a current-context"
    assert access.server == "https://first"
    assert access.login == BasicLogin("first", "p"), "nothing of the second file's user of that name"
    assert access.namespace == "default", "nothing of the second file's context of that name"
    assert load(*files, context="d").server == "https://second-only"


def test_missing_files_in_the_list_are_skipped(written):
    assert load(Path("/nonexistent/x"), written(simple())).server == "https://a:6443"


def test_the_flag_names_one_file_and_hides_the_variable(written):
    other = written(simple("https://other"), "other")
    assert load(written(simple()), kubeconfig=str(other)).server == "https://other"
    with pytest.raises(ConfigError, match="--kubeconfig /nonexistent/x: no such file"):
        load(other, kubeconfig="/nonexistent/x")


def test_the_default_file_under_home(written, tmp_path):
    written(simple(), ".kube/config")
    assert load_access(AccessRequest(), {"HOME": str(tmp_path)}).server == "https://a:6443"


def test_relative_paths_start_at_their_own_file(written, authority):
    certificate, key = authority.issue("ann")
    written(certificate.decode(), "one/client.crt")
    written(key.decode(), "one/client.key")
    written(authority.pem, "two/ca.crt")
    one = config(users={"u": {"client-certificate": "client.crt", "client-key": "client.key", "tokenFile": "tok"}})
    two = config(
        current="c",
        clusters={"k": {"server": "https://a", "certificate-authority": "ca.crt"}},
        contexts={"c": {"cluster": "k", "user": "u"}},
    )
    access = load(written(one, "one/config"), file := written(two, "two/config"))
    assert access.tls.ca_pem == authority.pem
    assert access.certificate is not None
    assert access.certificate.certificate == certificate
    assert access.login == TokenFileLogin(str(file.parent.parent / "one" / "tok"))


def test_an_authority_in_a_file_with_comments(written, tmp_path, authority):
    (tmp_path / "ca.crt").write_bytes("# Kovács Gateway Root\n".encode("latin-1") + authority.pem.encode())
    assert load(written(simple(cluster={"certificate-authority": "ca.crt"}))).tls.ca_pem == authority.pem


def test_data_wins_over_the_file(written, authority):
    def data(text):
        return base64.b64encode(text.encode()).decode()

    user = {"client-certificate-data": data("cert"), "client-certificate": "/x", "client-key-data": data("key")}
    cluster = {"certificate-authority-data": data(authority.pem), "certificate-authority": "/x"}
    access = load(written(simple(user=user, cluster=cluster)))
    assert access.tls.ca_pem == authority.pem
    assert access.certificate is not None
    assert (access.certificate.certificate, access.certificate.key) == (b"cert", b"key")


EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "command": "bin/plugin", "interactiveMode": "Never"}


@pytest.mark.parametrize(
    ("user", "login"),
    [
        ({}, NoLogin()),
        ({"token": "t\n"}, TokenLogin("t")),
        ({"token": "t", "tokenFile": "/f"}, TokenFileLogin("/f", "t")),
        ({"username": "n", "password": "p"}, BasicLogin("n", "p")),
        ({"token": "t", "exec": EXEC}, TokenLogin("t")),
    ],
)
def test_logins(written, user, login):
    assert load(written(simple(user=user))).login == login


def test_a_plugin_with_everything(written, tmp_path):
    plugin = {
        **EXEC,
        "args": ["a", "b"],
        "env": [{"name": "X", "value": "1"}],
        "installHint": "brew install it",
        "provideClusterInfo": True,
        "interactiveMode": "Always",
    }
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    cluster = {"tls-server-name": "api", "insecure-skip-tls-verify": True, "extensions": [extension]}
    login = load(written(simple(user={"exec": plugin}, cluster=cluster))).login
    assert isinstance(login, ExecLogin)
    assert login.command == str(tmp_path / "bin/plugin"), "a path is relative to its file"
    assert (login.arguments, login.environment) == (("a", "b"), (("X", "1"),))
    assert (login.install_hint, login.needs_terminal) == ("brew install it", True)
    assert login.cluster_info == {
        "server": "https://a:6443",
        "tls-server-name": "api",
        "insecure-skip-tls-verify": True,
        "config": {"audience": "x"},
    }


def test_a_plugin_on_the_path_keeps_its_name(written):
    login = load(written(simple(user={"exec": {**EXEC, "command": "kubelogin"}}))).login
    assert isinstance(login, ExecLogin)
    assert login.command == "kubelogin"


@pytest.mark.parametrize(
    ("server", "cluster", "spelled"),
    [
        ("https://a:6443/", {}, "https://a:6443"),
        ("https://a/k8s/clusters/c-1/", {}, "https://a/k8s/clusters/c-1"),
        ("a:6443", {}, "http://a:6443"),
        ("a:6443", {"insecure-skip-tls-verify": True}, "https://a:6443"),
    ],
)
def test_servers(written, server, cluster, spelled):
    assert load(written(simple(server, cluster=cluster))).server == spelled


@pytest.mark.parametrize(
    ("value", "wanted", "words"),
    [
        ("a: {\n", {}, "is not valid YAML: line 2, column 1: did not find expected node content"),
        ("- a", {}, "expected a mapping with clusters"),
        ("a: \x00", {}, "is not valid YAML"),
        ({}, {}, "names no cluster"),
        (simple(), {"context": "x"}, "no context named 'x' in {file} (known: c)"),
        (simple(), {"cluster": "x"}, "no cluster named 'x' in {file} (known: k)"),
        (simple(), {"user": "x"}, "no user named 'x' in {file} (known: u)"),
        ({**simple(), "current-context": ""}, {}, "{file} sets no current-context; give --context (known: c)"),
        ({**simple(), "clusters": {}}, {}, "no cluster named 'k' in {file} (none is known)"),
        ({**simple(), "clusters": "x"}, {}, "clusters in {file}: expected a list"),
        ({**simple(), "users": [1]}, {}, "users[0] in {file}: expected a mapping with a name"),
        ({**simple(), "users": simple()["users"] * 2}, {}, "users[1] in {file}: a second user named 'u'; remove one"),
        (simple(""), {}, "clusters[0].cluster.server in {file}: missing"),
        (simple("ftp://a"), {}, "clusters[0].cluster.server in {file}: expected https://HOST:PORT"),
        (simple("https://a:x"), {}, "clusters[0].cluster.server in {file}: "),
        (simple(user={"token": 7}), {}, "users[0].user.token in {file}: expected a string; put the value in quotes"),
        (simple(user={"token": "t", "username": "n"}), {}, "users[0].user in {file}: both a token and a user name"),
        (simple(user={"client-key-data": "eA=="}), {}, "client-certificate (or client-certificate-data) is missing"),
        (simple(user={"client-certificate": "no", "client-key": "no"}), {}, "No such file or directory"),
        (
            simple(user={"client-certificate-data": "%"}),
            {},
            "users[0].user.client-certificate-data in {file}: not base64",
        ),
        (simple(user={"auth-provider": {"name": "gcp"}}), {}, "auth-provider is not supported; use an exec plugin"),
        (simple(user={"exec": {}}), {}, "users[0].user.exec.command in {file}: missing"),
        (
            simple(user={"exec": {**EXEC, "apiVersion": "v1alpha1"}}),
            {},
            "exec.apiVersion in {file}: not supported; expected",
        ),
        (simple(user={"exec": {**EXEC, "args": [1]}}), {}, "exec.args in {file}: expected a list of strings"),
        (
            simple(cluster={"certificate-authority-data": "eA==", "insecure-skip-tls-verify": True}),
            {},
            "a certificate authority and insecure-skip-tls-verify exclude each other",
        ),
        (simple(cluster={"proxy-url": "socks5://p"}), {}, "proxy-url in {file}: socks5 is not supported; use an http"),
        (
            simple(cluster={"certificate-authority-data": "eA=="}),
            {},
            "clusters[0].cluster.certificate-authority in {file}: no PEM certificate in it",
        ),
        (
            simple(cluster={"extensions": 7}, user={"exec": {**EXEC, "provideClusterInfo": True}}),
            {},
            "clusters[0].cluster.extensions in {file}: expected a list",
        ),
        (simple(user={"exec": {**EXEC, "env": "x"}}), {}, "users[0].user.exec.env in {file}: expected a list"),
        (simple(user={"exec": {**EXEC, "env": [{"name": "n", "value": 7}]}}), {}, "env[0].value in {file}: expected"),
    ],
)
def test_what_is_wrong_is_one_line(written, value, wanted, words):
    file = written(value)
    with pytest.raises(ConfigError) as told:
        load(file, **wanted)
    assert words.replace("{file}", str(file)) in told.value.message
    assert "\n" not in told.value.message


def test_no_kubeconfig_at_all():
    with pytest.raises(ConfigError, match=r"no kubeconfig: /nonexistent/.kube/config does not exist; set KUBECONFIG"):
        load_access(AccessRequest(), {"HOME": "/nonexistent"}, service_account=Path("/nonexistent"))


def test_secrets_stay_out_of_repr_and_messages(written):
    secret = "c3VwZXJzZWNyZXQ="
    user = {"token": secret, "client-certificate-data": secret, "client-key-data": secret}
    assert secret not in repr(load(written(simple(user=user))))
    assert "supersecret" not in repr(load(written(simple(user=user))))
    with pytest.raises(ConfigError) as told:
        load(written("users:\n- user: {token: supersecret\n  x: ["))
    assert "supersecret" not in told.value.message


class TestInCluster:
    ENVIRONMENT: ClassVar = {
        "KUBERNETES_SERVICE_HOST": "fd00::1",
        "KUBERNETES_SERVICE_PORT": "443",
        "HOME": "/nonexistent",
    }

    @pytest.fixture
    def account(self, tmp_path, authority):
        for name, text in (("token", "tok"), ("ca.crt", authority.pem), ("namespace", "mqtt\n")):
            (tmp_path / name).write_text(text)
        return tmp_path

    def test_the_service_account(self, account, authority):
        access = load_access(AccessRequest(), self.ENVIRONMENT, service_account=account)
        assert (access.server, access.namespace, access.origin) == ("https://[fd00::1]:443", "mqtt", "in-cluster")
        assert access.login == TokenFileLogin(str(account / "token"))
        assert access.tls.ca_pem == authority.pem

    def test_a_kubeconfig_comes_first(self, account, written):
        environment = {**self.ENVIRONMENT, "KUBECONFIG": str(written(simple()))}
        assert load_access(AccessRequest(), environment, service_account=account).server == "https://a:6443"

    def test_the_flag_wins(self, account):
        access = load_access(AccessRequest(namespace="x"), self.ENVIRONMENT, service_account=account)
        assert access.namespace == "x"


SECRET = "hunter2pass"
NAMES = {"current-context", "cluster", "user"}
PATHS = {"tokenFile", "client-certificate", "client-key", "certificate-authority"}
PLACES = {
    "clusters[0].cluster": "server tls-server-name proxy-url certificate-authority certificate-authority-data"
    " insecure-skip-tls-verify extensions",
    "contexts[0].context": "cluster user namespace",
    "users[0].user": "token tokenFile username password client-certificate client-certificate-data client-key"
    " client-key-data as as-groups exec auth-provider",
    "users[0].user.exec": "command apiVersion args env installHint interactiveMode provideClusterInfo",
}
EVERYWHERE = [f"{above}.{key}" for above, keys in PLACES.items() for key in keys.split()]
EVERYWHERE += ["current-context", "clusters", "users[0]", "users[0].user"]


def refusal(file: Path) -> str:
    """Why a file is not taken, empty when it is."""
    try:
        load(file)
    except ConfigError as wrong:
        return wrong.message
    return ""


@pytest.mark.parametrize("value", [SECRET, [SECRET], {SECRET: SECRET}, [{"name": "n", "value": [SECRET]}]], ids=repr)
@pytest.mark.parametrize("place", EVERYWHERE)
def test_no_message_quotes_a_secret_in_the_wrong_place(written, place, value):
    """But for names and paths, which are what a person looks for."""
    whole = simple(user={"exec": {**EXEC, "provideClusterInfo": True}} if "exec" in place else None)
    at: Any = whole
    *above, last = [int(step) if step.isdigit() else step for step in place.replace("[0]", ".0").split(".")]
    for step in above:
        at = at[step]
    at[last] = value
    if last not in NAMES | PATHS or value != SECRET:
        assert SECRET not in refusal(written(whole))


CASES = Path(__file__).parent / "kubeconfigs"
"""Files after public reports, and their brothers; `SERVER` and `AUTHORITY` are filled in."""


@pytest.fixture
def case(written, authority):
    def fill(name: str) -> Path:
        text = (CASES / name).read_text("utf-8")
        data = base64.b64encode(("# Kovács root\n" + authority.pem).encode("latin-1")).decode()
        return written(text.replace("AUTHORITY", data))

    return fill


@pytest.mark.parametrize("name", sorted(file.name for file in CASES.iterdir()))
def test_loaded_as_kubectl_loads_it(case, name):
    file = case(name)
    access = load(file)
    assert access.server == "https://127.0.0.1:6443"
    assert access.tls.is_unverified is (name == "yaml11-yes.yaml")
    assert bool(access.tls.ca_pem) is (name != "yaml11-yes.yaml")
    if name == "exec-env-null.yaml":
        assert isinstance(access.login, ExecLogin)
        assert access.login.environment == (("AWS_PROFILE", ""), ("TELEPORT_HOME", ""))
        assert access.login.arguments == ("kube", "", "login")
    else:
        assert access.login == TokenLogin("the-token")


def kubectl() -> str | None:
    beside = Path(os.path.realpath("/usr/bin/kubectl")).parent if Path("/usr/bin/kubectl").exists() else None
    names = [shutil.which("kubectl.1.32"), beside and shutil.which("kubectl.1.32", path=str(beside)), "kubectl"]
    return next((found for name in names if name and (found := shutil.which(name))), None)


def kubectl_view(file: Path) -> tuple[dict, dict]:
    """The cluster and the user that kubectl makes of a file."""
    words = [str(kubectl()), "config", "view", "--raw", "--minify", "-o", "json", "--kubeconfig", str(file)]
    told = json.loads(subprocess.run(words, check=True, capture_output=True, timeout=60).stdout)
    return told["clusters"][0]["cluster"], told["users"][0]["user"]


@pytest.mark.skipif(kubectl() is None, reason="kubectl is missing: the cases are not compared with the real one")
@pytest.mark.parametrize("name", sorted(file.name for file in CASES.iterdir()))
def test_real_kubectl_loads_the_cases_the_same_way(case, name):
    file = case(name)
    access = load(file)
    cluster, user = kubectl_view(file)
    assert access.server == cluster["server"].replace("HTTPS:", "https:")
    assert access.tls.is_unverified == cluster.get("insecure-skip-tls-verify", False)
    assert access.tls.server_name == cluster.get("tls-server-name", "")
    assert bool(access.tls.ca_pem) == ("certificate-authority-data" in cluster)
    if isinstance(access.login, ExecLogin):
        assert [{"name": name, "value": value} for name, value in access.login.environment] == user["exec"]["env"]
        assert list(access.login.arguments) == user["exec"]["args"]
    else:
        assert access.login == TokenLogin(user["token"])


@pytest.mark.skipif(kubectl() is None, reason="kubectl is missing: the merge is not compared with the real one")
@pytest.mark.parametrize("context", ["", "a", "b", "c"])
@pytest.mark.parametrize("order", ["12", "21", "123", "321"])
def test_real_kubectl_merges_the_same_way(written, context, order):
    """Three overlapping files in several orders: the same server, namespace and token as `kubectl config view`."""
    file = {
        "1": config(
            clusters={"k": {"server": "https://one"}, "k1": {"server": "https://one-only"}},
            contexts={"a": {"cluster": "k", "user": "u"}, "b": {"cluster": "k1", "user": "u", "namespace": "one"}},
            users={"u": {"token": "one"}},
        ),
        "2": config(
            current="b",
            clusters={"k": {"server": "https://two", "tls-server-name": "two"}},
            contexts={"b": {"cluster": "k", "user": "v"}, "c": {"cluster": "k", "user": "u", "namespace": "two"}},
            users={"u": {"username": "two", "password": "p"}, "v": {"token": "two"}},
        ),
        "3": config(current="c", contexts={"c": {"cluster": "k", "user": "v", "namespace": "three"}}),
    }
    files = [written(file[digit], digit) for digit in order]
    words = [str(kubectl()), "config", "view", "--raw", "--minify", "-o", "json"]
    words += ["--context", context] if context else []
    environment = {**os.environ, "KUBECONFIG": os.pathsep.join(map(str, files))}
    told = json.loads(subprocess.run(words, env=environment, check=True, capture_output=True, timeout=60).stdout)

    access = load(*files, context=context)
    cluster, user = told["clusters"][0]["cluster"], told["users"][0]["user"]
    assert access.context == told["current-context"]
    assert access.server == cluster["server"]
    assert access.tls.server_name == cluster.get("tls-server-name", "")
    assert access.namespace == told["contexts"][0]["context"].get("namespace", "default")
    expected = TokenLogin(user["token"]) if "token" in user else BasicLogin(user["username"], user["password"])
    assert access.login == expected
