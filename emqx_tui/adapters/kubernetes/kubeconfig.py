"""Kubeconfig files, read and merged as kubectl does.

Owns which files are read, how several are merged (the first to name an entry wins, whole) and what relative paths are
relative to. Follows client-go's loading rules. The Python client's own loader is no substitute: after a merge it
resolves paths against the wrong file, lets the last `current-context` win, and takes YAML that kubectl reads otherwise.
Anything wrong is one ConfigError that says what, where and what to do, and quotes no value. Never writes a kubeconfig.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.model.wire import Unparsable
from emqx_tui.model.yaml_values import read_yaml

_LISTS = {"clusters": "cluster", "contexts": "context", "users": "user"}


@dataclass(frozen=True)
class Entry:
    """A named cluster, context or user and the file it was read from."""

    name: str
    body: Mapping[str, Any] = field(repr=False)
    file: Path
    where: str

    def text(self, key: str) -> str:
        """The string under `key`, empty when absent. Raises ConfigError for another type."""
        value = self.body.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise ConfigError(f"{self.where}.{key} in {self.file}: expected a string; put the value in quotes")
        return value

    def flag(self, key: str) -> bool:
        value = self.body.get(key, False)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise ConfigError(f"{self.where}.{key} in {self.file}: expected true or false")
        return value

    def path(self, key: str) -> str:
        """The file named under `key`, made absolute; empty when absent."""
        return absolute(self.text(key), self.file)

    def items(self, key: str) -> list[Any]:
        """The list under `key`, empty when absent. Raises ConfigError for another type."""
        value = self.body.get(key)
        if value is not None and not isinstance(value, list):
            raise ConfigError(f"{self.where}.{key} in {self.file}: expected a list")
        return value or []

    def mapping(self, key: str) -> Mapping[str, Any] | None:
        value = self.body.get(key)
        if value is not None and not isinstance(value, Mapping):
            raise ConfigError(f"{self.where}.{key} in {self.file}: expected a mapping")
        return value


def absolute(name: str, file: Path) -> str:
    """`name` as seen from the folder of `file`."""
    return str(file.parent / name) if name else ""


@dataclass(frozen=True)
class KubeConfig:
    """Everything that was read, merged."""

    files: tuple[Path, ...]
    current_context: str = ""
    clusters: Mapping[str, Entry] = field(default_factory=dict)
    contexts: Mapping[str, Entry] = field(default_factory=dict)
    users: Mapping[str, Entry] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return os.pathsep.join(str(file) for file in self.files)

    @property
    def is_empty(self) -> bool:
        return not (self.clusters or self.contexts or self.users or self.current_context)


def read_config(explicit: str, environment: Mapping[str, str]) -> KubeConfig:
    """Read and merge the files that these settings name. Raises ConfigError."""
    if explicit:
        file = Path(os.path.expanduser(explicit))
        if not file.exists():
            raise ConfigError(f"--kubeconfig {file}: no such file")
        files = [file]
    elif listed := [name for name in environment.get("KUBECONFIG", "").split(os.pathsep) if name]:
        files = [Path(name) for name in dict.fromkeys(listed)]
    else:
        files = [_default_file(environment)]
    return _merge([(file.absolute(), _read(file)) for file in files if file.exists()])


def _default_file(environment: Mapping[str, str]) -> Path:
    home = environment.get("HOME") or os.path.expanduser("~")
    return Path(home) / ".kube" / "config"


def _read(file: Path) -> Mapping[str, Any]:
    try:
        value = read_yaml(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read kubeconfig {file}: {error.strerror}") from error
    except Unparsable as error:
        raise ConfigError(f"kubeconfig {file} is not valid YAML: {error}") from error
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"kubeconfig {file}: expected a mapping with clusters, contexts and users")
    return value


def _merge(read: list[tuple[Path, Mapping[str, Any]]]) -> KubeConfig:
    merged: dict[str, dict[str, Entry]] = {plural: {} for plural in _LISTS}
    current = ""
    for file, value in read:
        for plural, singular in _LISTS.items():
            for name, entry in _entries(file, value, plural, singular).items():
                merged[plural].setdefault(name, entry)
        current = current or _current(file, value)
    return KubeConfig(tuple(file for file, _ in read), current, **merged)


def _current(file: Path, value: Mapping[str, Any]) -> str:
    current = value.get("current-context") or ""
    if not isinstance(current, str):
        raise ConfigError(f"current-context in {file}: expected a string; put the value in quotes")
    return current


def _entries(file: Path, value: Mapping[str, Any], plural: str, singular: str) -> dict[str, Entry]:
    listed = value.get(plural) or []
    if not isinstance(listed, list):
        raise ConfigError(f"{plural} in {file}: expected a list")
    found: dict[str, Entry] = {}
    for index, item in enumerate(listed):
        where = f"{plural}[{index}]"
        item = {} if item is None else item
        if not isinstance(item, Mapping) or not isinstance(name := item.get("name") or "", str):
            raise ConfigError(f"{where} in {file}: expected a mapping with a name")
        body = item.get(singular) or {}
        if not isinstance(body, Mapping):
            raise ConfigError(f"{where}.{singular} in {file}: expected a mapping")
        if name in found:
            raise ConfigError(f"{where} in {file}: a second {singular} named {name!r}; remove one of them")
        found[name] = Entry(name, body, file, f"{where}.{singular}")
    return found


def nothing_found(config: KubeConfig, environment: Mapping[str, str]) -> str:
    """Why there is no cluster to talk to, and what to do."""
    if config.files:
        return f"kubeconfig {config.origin} names no cluster; add one or point --kubeconfig at another file"
    named = environment.get("KUBECONFIG") or str(_default_file(environment))
    return f"no kubeconfig: {named} does not exist; set KUBECONFIG or give --kubeconfig FILE"
