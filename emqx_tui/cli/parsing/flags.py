"""What all commands' flags are made of: the parser, and readers of their values."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from emqx_tui.config import duration_s
from emqx_tui.rollout.gate_id import START, GateId

if TYPE_CHECKING:
    from emqx_tui.sandbox.fault_spec import Fault


LIST_FORMS = ("table", "wide", "json", "yaml", "name")


class UsageError(Exception):
    """A command line that is wrong; the message is one line."""


class Parser(argparse.ArgumentParser):
    """Says one line about a mistake, and leaves exiting to the caller."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **kwargs)

    def format_help(self) -> str:
        """An epilog may be a function: what it says is not loaded for every command."""
        if callable(self.epilog):
            self.epilog = self.epilog()
        return super().format_help()

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Of two dozen commands the one that is meant is named, not all."""
        choices = [str(choice) for choice in action.choices or ()]
        if close := difflib.get_close_matches(str(value), choices, 1) if value not in choices else []:
            raise argparse.ArgumentError(action, f"invalid choice: {value!r} (did you mean {close[0]}?)")
        super()._check_value(action, value)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}; see {self.prog} --help")


def whole(least: int, most: int) -> Callable[[str], int]:
    """Reads a whole number of a range."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}, found {text!r}")
        return int(text)

    return read


def number(least: float, most: float) -> Callable[[str], float]:
    """Reads a number of a range."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"expected a number from {least:g} to {most:g}, found {text!r}")
        return value

    return read


def duration(text: str) -> float:
    """Reads a duration as kubectl's flags take them; seconds."""
    try:
        return duration_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def moment(text: str) -> datetime:
    """Reads `04:30`, or a date with a time; without a zone it is this machine's. A bare time has the year 1."""
    try:
        if re.fullmatch(r"\d{1,2}:\d{2}", text):
            return datetime.strptime(text, "%H:%M").replace(year=1)
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected HH:MM or YYYY-MM-DDTHH:MM, found {text!r}") from None


class Like(NamedTuple):
    """A cluster to take the shape of."""

    context: str
    """Empty: the one of the settings."""
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


def like(text: str) -> Like:
    """Reads `CONTEXT/NAMESPACE/NAME` or `NAMESPACE/NAME`; the name of a context may have slashes itself."""
    *context, namespace, name = ["", *text.split("/")]
    if not context or not namespace or not name:
        raise argparse.ArgumentTypeError(f"expected CONTEXT/NAMESPACE/NAME or NAMESPACE/NAME, found {text!r}")
    return Like("/".join(context).removeprefix("/"), namespace, name)


def faults(text: str) -> tuple[Fault, ...]:
    """Reads the faults of a rehearsal."""
    from emqx_tui.sandbox.fault_spec import InvalidFault, parse

    try:
        return parse(text)
    except InvalidFault as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from wrong


def gate(text: str) -> GateId:
    """Reads a gate as people name it: a node by its ordinal alone."""
    try:
        found = GateId.from_text(f"node:{text}" if text.isdigit() else text)
    except ValueError:
        found = START
    if found == START:
        raise argparse.ArgumentTypeError(f"expected cut-over or a node's ordinal, found {text!r}")
    return found


def list_form(text: str) -> str:
    """Reads a form of `get`; a template is understood, and complained about, here."""
    if text.startswith("jsonpath="):
        from emqx_tui.headless.looking.jsonpath import InvalidTemplate, Template

        try:
            Template.parse(text.removeprefix("jsonpath="))
        except InvalidTemplate as error:
            raise argparse.ArgumentTypeError(f"not a JSONPath template: {error}") from error
    elif text not in LIST_FORMS:
        raise argparse.ArgumentTypeError(f"expected {', '.join(LIST_FORMS)} or jsonpath=TEMPLATE, found {text!r}")
    return text


def acceptable_check(text: str) -> str:
    """Reads the name of a pre-flight check that a person may accept."""
    from emqx_tui.rollout.checks.preflight import PREFLIGHT

    names = [check.name for check in PREFLIGHT if check.can_override]
    if text not in names:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(names)}, found {text!r}")
    return text
