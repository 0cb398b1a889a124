"""Settings: who wins, where a value came from, and one clear line for what is wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path

import jsonschema
import pytest

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.config import OPTIONS, duration_s, json_schema, load_settings
from emqx_tui.rollout.policy import Approval


@pytest.fixture
def load(tmp_path):
    """Load with a file, an environment and flags, and nothing of this machine's."""

    def loading(file: str = "", environment: dict | None = None, **flags):
        folder = tmp_path / "conf" / "emqx-tui"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(file)
        home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "conf")}
        return load_settings(flags, {**home, **(environment or {})})

    return loading


def test_defaults(load, tmp_path):
    settings = load()
    assert settings.emqx_access == "port-forward"
    assert settings.clock_rate == 1
    assert settings.approval is Approval.EVERY_NODE
    assert settings.request_timeout_s is None
    assert settings.log_file == tmp_path / ".local/state/emqx-tui/emqx-tui.log"
    assert settings.flight_log_dir == tmp_path / ".local/state/emqx-tui"
    assert all(settings.source(name) == "default" for name in OPTIONS)


VALUES = [
    ("kubeconfig", '"f"', "e", "g"),
    ("context", '"f"', "e", "g"),
    ("cluster", '"f"', "e", "g"),
    ("user", '"f"', "e", "g"),
    ("namespace", '"f"', "e", "g"),
    ("as_user", '"f"', "e", "g"),
    ("as_groups", '["f", "h"]', "e,i", ["g"]),
    ("request_timeout_s", '"1m"', "30s", "15"),
    ("emqx_access", '"direct"', "http://e", "https://g/{pod}"),
    ("clock_rate", "10", "20", "60"),
    ("read_only", "true", "false", True),
    ("all_namespaces", "true", "no", True),
    ("ascii", "true", "0", True),
    ("low_bandwidth", "true", "0", True),
    ("log_level", '"DEBUG"', "warning", "error"),
    ("log_file", '"/f"', "/e", "/g"),
    ("flight_log_dir", '"/f"', "/e", "/g"),
    ("approval", '"auto"', "cut-over", "every-node"),
    ("production_contexts", '["f"]', "e", "g"),
    ("theme", '"light"', "MONO", "tritanopia"),
    ("colour", '"red"', "CYAN", "purple"),
    ("runbook", '"/f"', "/e", "/g"),
    ("metrics", '"f:1"', "e:1", "g:1"),
    ("notify", '"f"', "e", "g"),
]


def test_every_setting_is_in_the_table():
    assert {name for name, *_ in VALUES} == set(OPTIONS)


@pytest.mark.parametrize(("name", "in_file", "in_environment", "as_flag"), VALUES)
def test_precedence(load, tmp_path, name, in_file, in_environment, as_flag):
    option = OPTIONS[name]
    file, environment = f"{name} = {in_file}", {option.variable: in_environment}
    by_file = load(file)
    by_environment = load(file, environment)
    by_flag = load(file, environment, **{name: as_flag})
    assert by_file.source(name) == f"{tmp_path}/conf/emqx-tui/config.toml: {name}"
    assert by_environment.source(name) == option.variable
    assert by_flag.source(name) == option.flag
    values = [getattr(settings, name) for settings in (by_file, by_environment, by_flag)]
    assert values[0] != values[1]
    assert values[1] != values[2]
    assert load(file, environment, **{name: None}) == by_environment, "a flag that was not given"


def test_values_are_read(load):
    settings = load('request_timeout_s = "1m30s"\nas_groups = ["a", "b"]', {"EMQX_TUI_LOG_FILE": "~/x.log"})
    assert settings.request_timeout_s == 90
    assert settings.as_groups == ("a", "b")
    assert settings.log_file == Path("~/x.log").expanduser()
    request = load(context="c", as_user="u", all_namespaces=True).access_request()
    assert (request.context, request.as_user, request.all_namespaces) == ("c", "u", True)


@pytest.mark.parametrize(
    ("file", "flags", "everywhere"),
    [
        ("all_namespaces = true", {}, True),
        ("all_namespaces = true", {"namespace": "n"}, False),
        ('all_namespaces = true\nnamespace = "n"', {}, True),
        ('namespace = "n"', {"all_namespaces": True}, True),
        ("", {"namespace": "n", "all_namespaces": True}, True),
    ],
)
def test_one_namespace_said_closer_wins_over_all(load, file, flags, everywhere):
    assert load(file, **flags).all_namespaces is everywhere


def test_kubectls_own_variable_wins_over_the_file_only(load):
    variable = {"KUBECONFIG": "/a:/b"}
    from_variable = load('kubeconfig = "/f"', variable)
    assert (from_variable.kubeconfig, from_variable.source("kubeconfig")) == ("", "KUBECONFIG")
    assert load('kubeconfig = "/f"', {**variable, "EMQX_TUI_KUBECONFIG": "/e"}).kubeconfig == "/e"
    assert load('kubeconfig = "/f"', variable, kubeconfig="/g").kubeconfig == "/g"


@pytest.mark.parametrize(
    ("file", "environment", "flags", "words"),
    [
        ("contxt = 'x'", {}, {}, "unknown setting 'contxt'; did you mean context?"),
        ("zzz = 1", {}, {}, "unknown setting 'zzz'"),
        ("context = ", {}, {}, "is not valid TOML"),
        ("context = 7", {}, {}, "config.toml: context: expected a string"),
        ("read_only = 'maybe'", {}, {}, "read_only: expected true or false"),
        ("", {"EMQX_TUI_LOG_LEVEL": "loud"}, {}, "EMQX_TUI_LOG_LEVEL: expected one of debug, info, warning, error"),
        ("", {"EMQX_TUI_CONFIG": "/nonexistent"}, {}, "cannot read /nonexistent: No such file"),
        ("", {}, {"request_timeout_s": "soon"}, "--request-timeout: expected a duration such as 30s or 1m"),
        ("", {}, {"clock_rate": "0"}, "--clock-rate: expected a number from 1 to 600"),
        ("", {}, {"clock_rate": "nan"}, "--clock-rate: expected a number from 1 to 600"),
        ("", {}, {"approval": "all"}, "--approve: expected one of every-node, cut-over, auto"),
        ("", {}, {"emqx_access": "ftp://x"}, "--emqx-access: expected port-forward, direct or a URL"),
    ],
)
def test_what_is_wrong_is_one_line(load, file, environment, flags, words):
    with pytest.raises(ConfigError) as told:
        load(file, environment, **flags)
    assert words in told.value.message
    assert "\n" not in told.value.message
    assert told.value.message.count("expected") <= 1


SECRET = "hunter2pass"


def refusal(call) -> str:
    """Why settings are not taken, empty when they are."""
    try:
        call()
    except ConfigError as wrong:
        return wrong.message
    return ""


@pytest.mark.parametrize("name", [name for name, *_ in VALUES])
@pytest.mark.parametrize("spelled", [f"'{SECRET}'", f'["{SECRET}", 7]', f'{{{SECRET} = "{SECRET}"}}', f"'{SECRET}"])
def test_no_message_quotes_a_value(load, name, spelled):
    assert SECRET not in refusal(lambda: load(f"{name} = {spelled}"))
    assert SECRET not in refusal(lambda: load(environment={OPTIONS[name].variable: SECRET}))


@pytest.mark.parametrize(
    "text", [SECRET, f"a = {SECRET}", f'a = "{SECRET}\n', f"a.b = 1\na = '{SECRET}'", f"[{SECRET}"]
)
def test_what_is_no_toml_is_not_quoted(load, text):
    with pytest.raises(ConfigError, match=r"config.toml is not valid TOML at (line \d+, column \d+|end of document)$"):
        load(text)


def test_unknown_variables_are_told(load):
    settings = load(environment={"EMQX_TUI_CONTEX": "x", "EMQX_TUI_SERVICE_HOST": "10.0.0.1", "EMQX_TUI_PORT": "tcp"})
    assert settings.warnings == ("unknown variable EMQX_TUI_CONTEX; did you mean EMQX_TUI_CONTEXT?",)


def test_an_unknown_variable_that_is_like_no_setting_is_told_alone(load):
    assert load(environment={"EMQX_TUI_FOO": "x"}).warnings == ("unknown variable EMQX_TUI_FOO",)


def test_what_our_own_tests_are_told_by_is_no_unknown_variable(load):
    assert (
        load(environment={"EMQX_TUI_CLUSTER_CACHE": "x", "EMQX_TUI_BED": "x", "EMQX_TUI_KEEP_BED": "x"}).warnings == ()
    )


def test_a_named_file(load, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('context = "mine"')
    assert load(environment={"EMQX_TUI_CONFIG": str(file)}).context == "mine"
    assert load_settings({}, {"HOME": "/nonexistent"}, config_file=str(file)).context == "mine"


def test_lines_for_people_tell_the_source_and_no_secret(load):
    settings = load(environment={"EMQX_TUI_EMQX_ACCESS": "http://admin:hush@emqx:8081"}, context="prod")
    text = "\n".join(settings.lines())
    assert len(settings.lines()) == len(OPTIONS)
    assert "hush" not in text
    assert [line for line in settings.lines() if line.startswith("context = prod ") and line.endswith("# --context")]


@pytest.mark.parametrize("name", ["prod", "PROD", "prod-eu", "eu-prod", "eu_prod_1", "my-production"])
def test_production_contexts(load, name):
    assert load().is_production(name)


@pytest.mark.parametrize("name", ["dev", "reproduce", "product-dev", ""])
def test_other_contexts(load, name):
    assert not load().is_production(name)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("5", 5), ("1.5s", 1.5), ("500ms", 0.5), ("1m30s", 90), ("2h", 7200), (7, 7)]
)
def test_durations(text, seconds):
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "5x", "-1", "1s 2s", "1e3", True, None, "100h"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="expected"):
        duration_s(text)


SECTIONS = """
approval = "cut-over"
[contexts."prod-*"]
approval = "every-node"
read_only = true
[contexts."*-eu"]
read_only = false
log_level = "debug"
"""


@pytest.mark.parametrize(
    ("context", "approval", "read_only", "log_level"),
    [
        ("", "cut-over", False, "info"),
        ("staging", "cut-over", False, "info"),
        ("prod-us", "every-node", True, "info"),
        ("PROD-US", "every-node", True, "info"),
        ("prod-eu", "every-node", False, "debug"),
    ],
)
def test_what_the_file_says_of_a_context(load, tmp_path, context, approval, read_only, log_level):
    settings = load(SECTIONS, context=context or None)
    assert (str(settings.approval), settings.read_only, settings.log_level) == (approval, read_only, log_level)
    if context == "prod-eu":
        file = f"{tmp_path}/conf/emqx-tui/config.toml"
        assert settings.source("approval") == f"{file}: contexts.prod-*.approval"
        assert settings.source("read_only") == f"{file}: contexts.*-eu.read_only"


def test_environment_and_flags_win_over_a_context(load):
    environment = {"EMQX_TUI_READ_ONLY": "false"}
    settings = load(SECTIONS, environment, context="prod-us", approval="auto")
    assert settings.read_only is False
    assert settings.approval is Approval.AUTO


def test_the_context_of_the_kubeconfig_counts(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(SECTIONS)
    settings = load_settings({}, {"HOME": str(tmp_path)}, config_file=str(file), context_of=lambda _: "prod-us")
    assert settings.read_only is True


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ('contexts = "hunter2"', 'contexts: expected tables such as [contexts."prod-*"]'),
        ("[contexts]\nprod = 1", 'contexts: expected tables such as [contexts."prod-*"]'),
        ("[contexts.prod]\nreadonly = true", "contexts.prod: unknown setting 'readonly'; did you mean read_only?"),
        ('[contexts.prod]\ncontext = "x"', "contexts.prod.context: it chooses the context"),
        ('[contexts.prod]\nread_only = "hunter2"', "contexts.prod.read_only: expected true or false"),
    ],
)
def test_a_wrong_table_is_one_line_whatever_the_context(load, file, told):
    with pytest.raises(ConfigError) as wrong:
        load(file)
    assert told in wrong.value.message
    assert "hunter2" not in wrong.value.message


def test_the_schema_takes_what_the_file_may_say_and_no_more():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    checks = jsonschema.Draft202012Validator(schema)
    for name, in_file, *_ in VALUES:
        if name != "log_level":  # read in any case, written in small letters
            checks.validate(tomllib.loads(f"{name} = {in_file}"))
    checks.validate(tomllib.loads(SECTIONS))
    checks.validate(tomllib.loads('[keys]\napprove = "A"\n"log.wrap" = "b"'))
    for wrong in ("[keys]\napprove = 7", '[keys]\nback = "b"'):
        assert not checks.is_valid(tomllib.loads(wrong)), wrong
    for wrong in ("nonsense = 1", "clock_rate = 0", 'read_only = "true"', '[contexts.prod]\ncontext = "x"'):
        assert not checks.is_valid(tomllib.loads(wrong)), wrong


def test_how_a_person_is_called_is_never_shown(load):
    settings = load('notify = "https://hooks.example.com/services/hunter2"')
    assert settings.notify.endswith("hunter2")
    assert "hunter2" not in "".join(settings.lines())


def test_keys_are_read_from_the_file_and_shown(load):
    settings = load('[keys]\napprove = "A"\n"log.wrap" = "b"\n[contexts.prod]\nread_only = true', context="prod")
    assert settings.keys == {"approve": "A", "log.wrap": "b"}
    assert ("keys", "approve=A, log.wrap=b", "the file") in settings.shown()
    assert load("").keys == {}


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ('[keys]\naprove = "A"', "keys.aprove: no such action; did you mean approve?"),
        ('[keys]\napprove = "enter"', "keys.rollout.approve: enter cannot be the key of what sends something"),
        ('[keys]\napprove = "h"', "keys.rollout.approve: h is the key of rollout.hold"),
        ("[keys]\napprove = 7", "keys.approve: expected a string"),
        ('[keys]\nlog.wrap = "hunter2"', 'keys.log.wrap: a name with a dot needs quotes, "log.wrap" = ..., else TOML'),
        ('[keys]\nrollout.log = "hunter2"', 'keys.rollout.log: a name with a dot needs quotes, "rollout.log" = '),
        ('keys = "hunter2"', 'keys: expected a table such as [keys] with approve = "A"'),
        ('[keys]\napprove = "hunter2"', "keys.approve: expected a letter"),
        ('[keys]\n"a\\u001b[2J" = "x"', "keys.a�[2J: no such action"),
        ('[contexts.prod.keys]\napprove = "A"', "contexts.prod: unknown setting 'keys'"),
    ],
)
def test_a_wrong_key_is_one_line_at_the_start(load, file, told):
    with pytest.raises(ConfigError) as wrong:
        load(file)
    assert told in wrong.value.message
    assert "hunter2" not in wrong.value.message
    assert "\n" not in wrong.value.message
