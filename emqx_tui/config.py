"""Settings, by precedence: defaults < file < environment < flags.

Owns the names, types and meanings of all settings, and where each value came from. Values are checked here; a wrong one
is a ConfigError that names its place. Nothing secret is a setting: credentials stay in the kubeconfig.
"""

from __future__ import annotations

import difflib
import fnmatch
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from emqx_tui.adapters.emqx import DIRECT, PORT_FORWARD
from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.kubernetes.access import AccessRequest
from emqx_tui.adapters.machine.log_file import LEVELS
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.redaction import redact_text

PREFIX = "EMQX_TUI_"
_NOT_SETTINGS = {"CONFIG"}
_INJECTED = re.compile(r"(SERVICE_(HOST|PORT.*)|PORT(_.*)?)$")
"""What Kubernetes puts into the environment of pods beside a Service named `emqx-tui`."""


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
    production_contexts: tuple[str, ...] = ("prod", "prod[-_.]*", "*[-_.]prod", "*[-_.]prod[-_.]*", "*production*")
    """Patterns of context names that get a PROD mark."""

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
        return [(name, _shown(getattr(self, name)), self.source(name)) for name in OPTIONS]

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

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


def load_settings(
    flags: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    *,
    config_file: str = "",
) -> Settings:
    """Put all sources together. `flags` holds what was given, by setting name; None = not given. Raises ConfigError."""
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = default_paths(environment)
    sources: dict[str, str] = {}
    rank: dict[str, int] = {}
    for number, (place, given) in enumerate(_places(flags, environment, config_file)):
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


def _places(flags: Mapping[str, Any], environment: Mapping[str, str], config_file: str) -> list[Place]:
    """The sources, weakest first, each with what it says."""
    file = settings_file(config_file, environment)
    is_named = bool(config_file or environment.get(PREFIX + "CONFIG"))
    in_file = _read_file(file) if is_named or file.exists() else {}
    in_environment = {
        name: environment[option.variable] for name, option in OPTIONS.items() if environment.get(option.variable)
    }
    in_flags = {name: value for name, value in flags.items() if value is not None}
    return [
        (lambda option: f"{file}: {option.name}", in_file),
        (lambda option: option.variable, in_environment),
        (lambda option: option.flag, in_flags),
    ]


def _read_file(file: Path) -> Mapping[str, Any]:
    try:
        value = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise ConfigError(f"cannot read {file}: {reason}") from error
    except tomllib.TOMLDecodeError as error:
        # Only the place: the words can quote what stands there.
        place = re.search(r"\(at (.*)\)\Z", str(error))
        raise ConfigError(f"{file} is not valid TOML" + (f" at {place[1]}" if place else "")) from error
    for key in value:
        if key not in OPTIONS:
            raise ConfigError(f"{file}: unknown setting {key!r}{_did_you_mean(key, list(OPTIONS))}")
    return value


def _read(option: Option, value: Any, place: str) -> Any:
    try:
        return option.read(value)
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from error


def _unknown_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    known = [option.variable for option in OPTIONS.values()] + [PREFIX + name for name in _NOT_SETTINGS]
    unknown = [
        name
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known and not _INJECTED.fullmatch(name.removeprefix(PREFIX))
    ]
    return tuple(f"unknown variable {name}{_did_you_mean(name, known)}" for name in unknown)


def _did_you_mean(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {close[0]}?" if close else ""


def _xdg(environment: Mapping[str, str], variable: str, fallback: str) -> Path:
    """The program's folder in a base directory; the specification ignores relative ones."""
    base = environment.get(variable, "")
    home = environment.get("HOME") or os.path.expanduser("~")
    return (Path(base) if os.path.isabs(base) else Path(home) / fallback) / "emqx-tui"


def _shown(value: Any) -> str:
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


def _level(value: Any) -> str:
    word = _text(value).lower()
    if word not in LEVELS:
        raise ValueError(f"expected one of {', '.join(LEVELS)}")
    return word


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
        Option("kubeconfig", "--kubeconfig", _text),
        Option("context", "--context", _text),
        Option("cluster", "--cluster", _text),
        Option("user", "--user", _text),
        Option("namespace", "--namespace", _text),
        Option("all_namespaces", "--all-namespaces", _yes_or_no),
        Option("as_user", "--as", _text),
        Option("as_groups", "--as-group", _texts),
        Option("request_timeout_s", "--request-timeout", duration_s),
        Option("emqx_access", "--emqx-access", _way_to_emqx),
        Option("clock_rate", "--clock-rate", _rate),
        Option("read_only", "--read-only", _yes_or_no),
        Option("log_file", "--log-file", _path),
        Option("log_level", "--log-level", _level),
        Option("flight_log_dir", "--flight-log-dir", _path),
        Option("approval", "--approve", _approval),
        Option("ascii", "--ascii", _yes_or_no),
        Option("production_contexts", "--production-contexts", _texts),
    )
}
assert list(OPTIONS) == [f.name for f in fields(Settings) if f.name not in ("sources", "warnings")]
