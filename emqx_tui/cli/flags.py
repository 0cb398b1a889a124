"""What all commands' flags are made of: the parser, and readers of their values."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from emqx_tui.config import duration_s


class UsageError(Exception):
    """A command line that is wrong; the message is one line."""


class Parser(argparse.ArgumentParser):
    """Says one line about a mistake, and leaves exiting to the caller."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **kwargs)

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
