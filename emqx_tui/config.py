"""Settings, by precedence: defaults < file < environment < flags.

Owns the names, types and meanings of all settings, and where each value came from. Values are checked here; a wrong one
is a ConfigError that names its place. Credentials stay in the kubeconfig; the one
value that can hold a secret, `notify`, is never shown.
"""

from __future__ import annotations

import difflib
import fnmatch
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from emqx_tui.adapters.emqx import DIRECT, PORT_FORWARD
from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.kubernetes.access import AccessRequest
from emqx_tui.adapters.machine.log_file import LEVELS
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.redaction import redact_text
from emqx_tui.ui.text.themes import COLOURS, DARK, THEMES

PREFIX = "EMQX_TUI_"
CONTEXTS = "contexts"
"""The table of the file whose tables apply to contexts of one pattern only."""
KEYS = "keys"
"""The table of the file that gives actions of the console other keys."""
CHOOSE_THE_CONTEXT = frozenset({"kubeconfig", "context", "cluster", "user", "production_contexts"})
_NOT_SETTINGS = {"CONFIG", "BENCH_PASSWORD"}
_INJECTED = re.compile(r"(SERVICE_(HOST|PORT.*)|PORT(_.*)?)$")
"""What Kubernetes puts into the environment of pods beside a Service named `emqx-tui`."""
_OF_TESTS = re.compile(r"CLUSTER_[A-Z]+|(KEEP_)?BED|BED_[A-Z]+")
"""What the project's own tests on a control plane are told by."""


@dataclass(frozen=True)
class Settings:
    """Everything that can be set. Build it with `load_settings`."""

    kubeconfig: str = ""
    context: str = ""
    cluster: str = ""
    user: str = ""
    namespace: str = ""
    all_namespaces: bool = False
    as_user: str = ""
    as_groups: tuple[str, ...] = ()
    request_timeout_s: float | None = None
    """None or 0: each request's own time-out."""
    emqx_access: str = PORT_FORWARD
    """`port-forward`, `direct`, or a URL; `{pod}` and `{namespace}` in it are replaced."""
    clock_rate: float = 1.0
    """How much faster than real time the cluster runs: the speed of a sandbox, else 1."""
    read_only: bool = False
    log_file: Path = Path()
    log_level: str = "info"
    flight_log_dir: Path = Path()
    approval: Approval = Approval.EVERY_NODE
    ascii: bool = False
    """Draw with ASCII characters only."""
    low_bandwidth: bool = False
    """Draw news four times a second at most, instead of ten."""
    production_contexts: tuple[str, ...] = ("prod", "prod[-_.]*", "*[-_.]prod", "*[-_.]prod[-_.]*", "*production*")
    """Patterns of context names that get a PROD mark."""

    theme: str = DARK.name
    """One of THEMES."""
    colour: str = ""
    """One of COLOURS, behind the top line of the console; empty = the usual one."""
    runbook: Path | None = None
    """What cards say that a person is to do at a gate; None: the words of the program."""
    metrics: str = ""
    """HOST:PORT to serve OpenMetrics on; empty = nowhere."""
    notify: str = ""
    """A command, the URL of a webhook, or an address for Apprise, that calls a person; empty = nobody."""

    keys: Mapping[str, str] = field(default_factory=dict)
    """Keys by name of action, in place of those of the console; from the file only, for all contexts."""
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Where each value came from; what is not in here is a default."""
    warnings: tuple[str, ...] = field(default=(), compare=False)

    def access_request(self) -> AccessRequest:
        """What the kubeconfig is searched for."""
        return AccessRequest(
            kubeconfig=self.kubeconfig,
            context=self.context,
            cluster=self.cluster,
            user=self.user,
            namespace=self.namespace,
            all_namespaces=self.all_namespaces,
            as_user=self.as_user,
            as_groups=self.as_groups,
            request_timeout_s=self.request_timeout_s,
        )

    def is_production(self, context: str) -> bool:
        """True for a context whose name matches one of the patterns, in either case."""
        return any(fnmatch.fnmatchcase(context.lower(), pattern.lower()) for pattern in self.production_contexts)

    def source(self, name: str) -> str:
        return self.sources.get(name, "default")

    def shown(self) -> list[tuple[str, str, str]]:
        """(setting, value, where it came from), nothing secret in it."""
        keys = ", ".join(f"{name}={key}" for name, key in self.keys.items())
        own = [(KEYS, keys, "the file")] if keys else []
        return [*((name, _shown(name, getattr(self, name)), self.source(name)) for name in OPTIONS), *own]

    def lines(self) -> list[str]:
        """The same for people."""
        shown = self.shown()
        width = max(len(f"{name} = {value}") for name, value, _ in shown if len(value) < 60)
        return [f"{f'{name} = {value}':<{width}}  # {source}" for name, value, source in shown]


@dataclass(frozen=True)
class Option:
    """How one setting is spelled and read."""

    name: str
    flag: str
    read: Callable[[Any], Any]
    """From a text (environment, flag) or a TOML value; raises ValueError with what was expected."""
    means: str
    """One sentence, in Markdown."""

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


def load_settings(
    flags: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    *,
    config_file: str = "",
    context_of: Callable[[Settings], str] = lambda settings: settings.context,
) -> Settings:
    """Put all sources together. `flags` holds what was given, by setting name; None = not given. Raises ConfigError.

    `context_of` says which context the settings lead to: what the file says for it applies on top.
    """
    environment = os.environ if environment is None else environment
    file = settings_file(config_file, environment)
    is_named = bool(config_file or environment.get(PREFIX + "CONFIG"))
    in_file, sections, keys = _read_file(file) if is_named or file.exists() else ({}, {}, {})
    places = _places(flags, environment, file, in_file)
    settings = replace(_put_together(places, environment), keys=keys)
    if not sections:
        return settings
    context = context_of(settings).lower()
    for_context = [
        _section(file, name, told) for name, told in sections.items() if fnmatch.fnmatchcase(context, name.lower())
    ]
    return replace(_put_together([places[0], *for_context, *places[1:]], environment), keys=keys)


def _section(file: Path, pattern: str, told: Mapping[str, Any]) -> Place:
    return lambda option: f"{file}: contexts.{pattern}.{option.name}", told


def _put_together(places: Sequence[Place], environment: Mapping[str, str]) -> Settings:
    """What the sources say, weakest first."""
    values: dict[str, Any] = default_paths(environment)
    sources: dict[str, str] = {}
    rank: dict[str, int] = {}
    for number, (place, given) in enumerate(places):
        for name, value in given.items():
            label = place(OPTIONS[name])
            values[name] = _read(OPTIONS[name], value, label)
            sources[name], rank[name] = label, number
    if rank.get("namespace", -1) > rank.get("all_namespaces", -1):
        # One namespace, given by a source of higher precedence than the one that asks for all of them.
        values.pop("all_namespaces", None)
        sources.pop("all_namespaces", None)
    if rank.get("kubeconfig") == 0 and environment.get("KUBECONFIG"):
        # kubectl's own variable is closer than our file; it can name several files, so kubectl's rules read it.
        values.pop("kubeconfig")
        sources["kubeconfig"] = "KUBECONFIG"
    return Settings(**values, sources=MappingProxyType(sources), warnings=_unknown_variables(environment))


def default_paths(environment: Mapping[str, str]) -> dict[str, Path]:
    """Where logs go unless told otherwise, by the XDG base directories."""
    state = _xdg(environment, "XDG_STATE_HOME", ".local/state")
    return {"log_file": state / "emqx-tui.log", "flight_log_dir": state}


def settings_file(named: str, environment: Mapping[str, str]) -> Path:
    """The configuration file: the one that the flag or the variable names, else that of the XDG base directories."""
    if named := named or environment.get(PREFIX + "CONFIG", ""):
        return Path(named).expanduser()
    return _xdg(environment, "XDG_CONFIG_HOME", ".config") / "config.toml"


Place = tuple[Callable[[Option], str], Mapping[str, Any]]


def _places(
    flags: Mapping[str, Any], environment: Mapping[str, str], file: Path, in_file: Mapping[str, Any]
) -> list[Place]:
    """The sources, weakest first, each with what it says."""
    in_environment = {
        name: environment[option.variable] for name, option in OPTIONS.items() if environment.get(option.variable)
    }
    in_flags = {name: value for name, value in flags.items() if value is not None}
    return [
        (lambda option: f"{file}: {option.name}", in_file),
        (lambda option: option.variable, in_environment),
        (lambda option: option.flag, in_flags),
    ]


def _read_file(file: Path) -> tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]], Mapping[str, str]]:
    """(settings, settings by pattern of contexts, keys)."""
    # Most consoles have no file, and need not wait for what reads one.
    import tomllib

    try:
        value = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise ConfigError(f"cannot read {file}: {reason}") from error
    except tomllib.TOMLDecodeError as error:
        # Only the place: the words can quote what stands there.
        place = re.search(r"\(at (.*)\)\Z", str(error))
        raise ConfigError(f"{file} is not valid TOML" + (f" at {place[1]}" if place else "")) from error
    sections, keys = value.pop(CONTEXTS, {}), value.pop(KEYS, {})
    _check_keys(keys, file)
    _check_names(value, list(OPTIONS), str(file))
    if not isinstance(sections, dict) or not all(isinstance(section, dict) for section in sections.values()):
        raise ConfigError(f'{file}: {CONTEXTS}: expected tables such as [{CONTEXTS}."prod-*"]')
    for pattern, section in sections.items():
        place = f"{file}: {CONTEXTS}.{pattern}"
        if choosing := sorted(CHOOSE_THE_CONTEXT & section.keys()):
            raise ConfigError(f"{place}.{choosing[0]}: it chooses the context, so it cannot depend on it")
        _check_names(section, sorted(OPTIONS.keys() - CHOOSE_THE_CONTEXT), place)
        for name, told in section.items():
            _read(OPTIONS[name], told, f"{place}.{name}")
    return value, sections, keys


def _check_keys(keys: Any, file: Path) -> None:
    if not keys:
        return
    from emqx_tui.ui.shell.own_keys import with_own

    if not isinstance(keys, dict):
        raise ConfigError(f'{file}: {KEYS}: expected a table such as [{KEYS}] with approve = "A"')
    try:
        with_own(keys)
    except ValueError as error:
        raise ConfigError(f"{file}: {KEYS}.{error}") from error


def _check_names(given: Mapping[str, Any], known: list[str], place: str) -> None:
    for key in given:
        if key not in known:
            raise ConfigError(f"{place}: unknown setting {key!r}{_did_you_mean(key, known)}")


def _read(option: Option, value: Any, place: str) -> Any:
    try:
        return option.read(value)
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from error


def _unknown_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    known = [option.variable for option in OPTIONS.values()] + [PREFIX + name for name in _NOT_SETTINGS]
    others = [name for name in sorted(environment) if name.startswith(PREFIX) and name not in known]
    foreign = (_INJECTED, _OF_TESTS)
    unknown = [name for name in others if not any(each.fullmatch(name.removeprefix(PREFIX)) for each in foreign)]
    # Their common beginning makes all of them alike.
    own = [name.removeprefix(PREFIX) for name in known]
    return tuple(f"unknown variable {name}{_did_you_mean(name.removeprefix(PREFIX), own, PREFIX)}" for name in unknown)


def _did_you_mean(word: str, known: list[str], prefix: str = "") -> str:
    close = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {prefix}{close[0]}?" if close else ""


def _xdg(environment: Mapping[str, str], variable: str, fallback: str) -> Path:
    """The program's folder in a base directory; the specification ignores relative ones."""
    base = environment.get(variable, "")
    home = environment.get("HOME") or os.path.expanduser("~")
    return (Path(base) if os.path.isabs(base) else Path(home) / fallback) / "emqx-tui"


def _shown(name: str, value: Any) -> str:
    if name == "notify" and value:
        # Webhooks carry their secret in the path, commands in their arguments.
        return "set, not shown"
    match value:
        case bool():
            return "true" if value else "false"
        case None | "" | ():
            return "-"
        case tuple():
            return ", ".join(value)
        case float():
            return f"{value:g}"
        case _:
            return redact_text(str(value))


def duration_s(value: Any) -> float:
    """Seconds, from `30s`, `1m30s`, `500ms`, `2h`, or a plain number of them, as kubectl's flags take them."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:f}"
    text = value if isinstance(value, str) else ""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        seconds = float(text)
    elif re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h))+", text):
        units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
        seconds = sum(float(n) * units[unit] for n, _, unit in re.findall(r"(\d+(\.\d+)?)(ms|s|m|h)", text))
    else:
        raise ValueError("expected a duration such as 30s or 1m")
    if not 0 <= seconds < 86400:
        raise ValueError("expected at most a day")
    return seconds


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a string")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    """A list, or a text with commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise ValueError("expected a list of strings")


def _yes_or_no(value: Any) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise ValueError("expected true or false")


def _rate(value: Any) -> float:
    try:
        rate = float(value)
    except (TypeError, ValueError) as error:
        raise ValueError("expected a number from 1 to 600") from error
    if isinstance(value, bool) or not 1 <= rate <= 600:
        raise ValueError("expected a number from 1 to 600")
    return rate


def _path(value: Any) -> Path:
    return Path(_text(value)).expanduser() if not isinstance(value, Path) else value


def _one_of(words: Collection[str]) -> Callable[[Any], str]:
    """Reads one of these words, in either case."""

    def read(value: Any) -> str:
        word = _text(value).lower()
        if word not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return word

    return read


_level, _colour, _theme = _one_of(LEVELS), _one_of(COLOURS), _one_of(THEMES)


def _approval(value: Any) -> Approval:
    try:
        return Approval(value)
    except ValueError as error:
        raise ValueError(f"expected one of {', '.join(Approval)}") from error


def _way_to_emqx(value: Any) -> str:
    if value not in (PORT_FORWARD, DIRECT) and not _text(value).startswith(("http://", "https://")):
        raise ValueError("expected port-forward, direct or a URL such as http://{pod}.emqx:8081")
    return value


OPTIONS: Mapping[str, Option] = {
    option.name: option
    for option in (
        Option("kubeconfig", "--kubeconfig", _text, "One kubeconfig file."),
        Option("context", "--context", _text, "A context of the kubeconfig."),
        Option("cluster", "--cluster", _text, "A cluster of the kubeconfig instead of the context's."),
        Option("user", "--user", _text, "A user of the kubeconfig instead of the context's."),
        Option("namespace", "--namespace", _text, "The namespace to look at."),
        Option("all_namespaces", "--all-namespaces", _yes_or_no, "All of them."),
        Option("as_user", "--as", _text, "Impersonation."),
        Option("as_groups", "--as-group", _texts, "Groups of the impersonated user."),
        Option("request_timeout_s", "--request-timeout", duration_s, "Of each request: `30s`, `1m`; 0 for its own."),
        Option("emqx_access", "--emqx-access", _way_to_emqx, "`port-forward`, `direct`, or a URL."),
        Option(
            "clock_rate",
            "--clock-rate",
            _rate,
            "Speed of the cluster's time: a sandbox's `--speed`, else 1.",
        ),
        Option("read_only", "--read-only", _yes_or_no, "Send nothing."),
        Option(
            "log_file",
            "--log-file",
            _path,
            "Where the program's log goes.",
        ),
        Option("log_level", "--log-level", _level, "`debug`, `info`, `warning`, `error`."),
        Option("flight_log_dir", "--flight-log-dir", _path, "Where recordings go."),
        Option("approval", "--approve", _approval, "The policy when none is given: `every-node`, `cut-over`, `auto`."),
        Option("ascii", "--ascii", _yes_or_no, "Draw with ASCII characters only."),
        Option("low_bandwidth", "--low-bandwidth", _yes_or_no, "Draw four times a second at most, instead of ten."),
        Option("production_contexts", "--production-contexts", _texts, "Patterns of contexts that get a PROD mark."),
        Option("theme", "--theme", _theme, f"Colours: {', '.join(f'`{each}`' for each in THEMES)}."),
        Option("colour", "--colour", _colour, f"Of the top line: {', '.join(f'`{each}`' for each in COLOURS)}."),
        Option("runbook", "--runbook", _path, "A Markdown file: what a person is to do at each gate."),
        Option("metrics", "--metrics", _text, "HOST:PORT that serves OpenMetrics while the console or `rollout` runs."),
        Option("notify", "--notify", _text, "A command, URL or Apprise address that calls a person when it is time."),
    )
}
assert list(OPTIONS) == [f.name for f in fields(Settings) if f.name not in ("keys", "sources", "warnings")]

_STRING = {"type": "string"}
_STRINGS = {"anyOf": [_STRING, {"type": "array", "items": _STRING}]}
_SCHEMAS: Mapping[Callable[[Any], Any], Mapping[str, Any]] = {
    _text: _STRING,
    _path: _STRING,
    _texts: _STRINGS,
    _yes_or_no: {"type": "boolean"},
    _rate: {"type": "number", "minimum": 1, "maximum": 600},
    _level: {"enum": list(LEVELS)},
    _theme: {"enum": list(THEMES)},
    _colour: {"enum": list(COLOURS)},
    _approval: {"enum": [str(policy) for policy in Approval]},
    _way_to_emqx: {"type": "string", "pattern": "^(port-forward|direct|https?://.*)$"},
    duration_s: {"anyOf": [_STRING, {"type": "number", "minimum": 0, "exclusiveMaximum": 86400}]},
}
"""What each reader takes from the file."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the file, for editors and for checks before it is rolled out."""

    def properties(names: Iterable[str]) -> dict[str, Any]:
        return {name: {**_SCHEMAS[OPTIONS[name].read], "description": OPTIONS[name].means} for name in names}

    of_context = {
        "type": "object",
        "additionalProperties": False,
        "properties": properties(name for name in OPTIONS if name not in CHOOSE_THE_CONTEXT),
    }
    contexts = {"type": "object", "description": "Settings by pattern of contexts.", "additionalProperties": of_context}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "config.toml of emqx-tui",
        "type": "object",
        "additionalProperties": False,
        "properties": {**properties(OPTIONS), CONTEXTS: contexts, KEYS: _keys_schema()},
    }


def _keys_schema() -> dict[str, Any]:
    from emqx_tui.ui.shell.own_keys import names

    return {
        "type": "object",
        "description": "Keys by name of action; a name alone is the action on every screen that has it.",
        "additionalProperties": False,
        "properties": {name: {"type": "string", "description": sentence} for name, sentence in names().items()},
    }
