"""PURE: a view as JSON and back, and the differences between two, for the flight log and its replay.

Self-describing: a dataclass is a list that begins with its class, and `tables` names the fields of each, so that a
newer console reads what an older one wrote. Only dataclasses and enums of model, rollout and views come back.
Secrets are taken out on the way in: of raw objects by their keys, of texts by what looks like credentials. What is the
same object as in the view before is neither encoded nor compared again.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import zlib
from base64 import b64decode, b64encode, b85decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import takewhile
from typing import Any

from emqx_tui.model.series import PLOTTED, Sample, Series
from emqx_tui.model.wire import Malformed
from emqx_tui.rollout.redaction import redact, redact_text
from emqx_tui.session.views.view import View

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ROOT = "emqx_tui."
_ROOMS = ("model.", "rollout.", "session.views.")
_TUPLE, _LIST, _SET, _INSTANT, _ENUM = "t", "l", "f", "@", "e"


class Encoder:
    """Encodes one view after the other."""

    def __init__(self) -> None:
        self.tables: dict[str, list[str]] = {}
        """Names of the fields, by class, of all that was encoded."""
        self._raw: dict[type, frozenset[str]] = {}
        self._before: dict[int, tuple[Any, Any]] = {}
        self._now: dict[int, tuple[Any, Any]] = {}

    def encode(self, view: Any) -> Any:
        self._before, self._now = self._now, {}
        return self._encode(view)

    def _encode(self, value: Any) -> Any:
        if isinstance(value, Enum):
            return [_ENUM, _name(type(value)), value.name]
        if isinstance(value, str):
            return redact_text(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        known = self._now.get(id(value)) or self._before.get(id(value))
        if known is None or known[0] is not value:
            known = (value, self._encode_anew(value))
        self._now[id(value)] = known
        return known[1]

    def _encode_anew(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return [_INSTANT, (value - _EPOCH) // _MICROSECOND]
        if dataclasses.is_dataclass(value):
            return self._dataclass(value)
        if isinstance(value, Mapping):
            return {str(key): self._encode(entry) for key, entry in value.items()}
        if isinstance(value, tuple | list | frozenset | set):
            mark = _TUPLE if isinstance(value, tuple) else _LIST if isinstance(value, list) else _SET
            return [mark, *map(self._encode, sorted(value) if mark == _SET else value)]
        raise TypeError(f"a view holds a {type(value).__name__}")

    def _dataclass(self, value: Any) -> list[Any]:
        kind = type(value)
        name = _name(kind)
        if kind not in self._raw:
            fields = [f for f in dataclasses.fields(kind) if f.init]
            self.tables[name] = [f.name for f in fields]
            self._raw[kind] = frozenset(f.name for f in fields if "Mapping[str, Any]" in str(f.type))
        raw = self._raw[kind]
        told = [(field, getattr(value, field)) for field in self.tables[name]]
        return [name, *(self._encode(redact(entry) if field in raw else entry) for field, entry in told)]


def _name(kind: type) -> str:
    return f"{kind.__module__.removeprefix(_ROOT)}:{kind.__qualname__}"


class Decoder:
    """Decodes one view after the other; what has not changed is the same object again."""

    def __init__(self) -> None:
        self.tables: dict[str, list[str]] = {}
        self._classes: dict[str, Any] = {}
        self._fields: dict[str, frozenset[str]] = {}
        """Of each class, those that it is made with."""
        self._before: dict[int, tuple[Any, Any]] = {}
        self._now: dict[int, tuple[Any, Any]] = {}

    def decode(self, told: Any) -> Any:
        """Raises Malformed."""
        self._before, self._now = self._now, {}
        try:
            return self._decode(told)
        except (TypeError, ValueError, LookupError, AttributeError, ImportError, OverflowError) as error:
            raise Malformed("view", f"{type(error).__name__}: {error}") from error

    def _decode(self, told: Any) -> Any:
        if not isinstance(told, list | dict):
            return told
        known = self._now.get(id(told)) or self._before.get(id(told))
        if known is None or known[0] is not told:
            known = (told, self._decode_anew(told))
        self._now[id(told)] = known
        return known[1]

    def _decode_anew(self, told: Any) -> Any:
        if isinstance(told, dict):
            return {key: self._decode(entry) for key, entry in told.items()}
        mark, *rest = told
        match mark:
            case "t":
                return tuple(map(self._decode, rest))
            case "l":
                return [*map(self._decode, rest)]
            case "f":
                return frozenset(map(self._decode, rest))
            case "@":
                return _EPOCH + timedelta(microseconds=rest[0])
            case "e":
                return self._class(rest[0])[rest[1]]
            case _:
                kind = self._class(mark)
                known = self._fields[mark]
                fields = zip(self.tables[mark], rest, strict=True)
                return kind(**{field: self._decode(entry) for field, entry in fields if field in known})

    def _class(self, name: str) -> Any:
        if name not in self._classes:
            module, _, qualname = name.partition(":")
            if not f"{module}.".startswith(_ROOMS):
                raise ValueError(f"{name} is no part of a view")
            kind = getattr(importlib.import_module(_ROOT + module), qualname)
            if not isinstance(kind, type) or not (dataclasses.is_dataclass(kind) or issubclass(kind, Enum)):
                raise ValueError(f"{name} is no part of a view")
            self._classes[name] = kind
            if dataclasses.is_dataclass(kind):
                self._fields[name] = frozenset(f.name for f in dataclasses.fields(kind) if f.init)
        return self._classes[name]


# -- differences ----------------------------------------------------------------------------------------------------

_SAME = object()


def difference(before: Any, now: Any) -> Any:
    """What makes `before` into `now`, for `patched`; None when they are the same."""
    found = _difference(before, now)
    return None if found is _SAME else found


def _difference(before: Any, now: Any) -> Any:
    """[value]; of a whole number what is to be added; of a list or an object with the same keys {"u": by index}, of
    others {"s": splice} or {"k": by key, "x": removed}."""
    if before is now:
        return _SAME
    if type(before) is int and type(now) is int:
        return _SAME if before == now else now - before
    if isinstance(before, dict) and isinstance(now, dict):
        if list(before) == list(now):
            return _by_index(list(before.values()), list(now.values()))
        return _of_objects(before, now)
    if isinstance(before, list) and isinstance(now, list) and before and now and before[0] == now[0]:
        if len(before) == len(now):
            return _by_index(before, now)
        return _spliced(before, now)
    return _SAME if type(before) is type(now) and before == now else [now]


def _by_index(before: list[Any], now: list[Any]) -> Any:
    pairs = enumerate(zip(before, now, strict=True))
    told = {str(n): found for n, (old, new) in pairs if (found := _difference(old, new)) is not _SAME}
    return {"u": told} if told else _SAME


def _of_objects(before: dict[str, Any], now: dict[str, Any]) -> Any:
    if [*(key for key in before if key in now), *(key for key in now if key not in before)] != list(now):
        # Keys in another order: an index of the next difference would name another one.
        return [now]
    told: dict[str, Any] = {}
    for key, new in now.items():
        found = _difference(before[key], new) if key in before else [new]
        if found is not _SAME:
            told[key] = found
    removed = [key for key in before if key not in now]
    if not told and not removed:
        return _SAME
    return {"k": told, "x": removed} if removed else {"k": told}


def _spliced(before: list[Any], now: list[Any]) -> Any:
    shortest = min(len(before), len(now))
    head = next((n for n in range(shortest) if before[n] != now[n]), shortest)
    room = shortest - head
    tail = next((n for n in range(room) if before[-1 - n] != now[-1 - n]), room)
    return {"s": [head, len(before) - tail, now[head : len(now) - tail]]}


def patched(before: Any, told: Any) -> Any:
    """`before` with a difference; what it does not touch stays the same object. Raises Malformed."""
    try:
        return before if told is None else _patched(before, told)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise Malformed("view", f"{type(error).__name__}: {error}") from error


def _patched(before: Any, told: Any) -> Any:
    if isinstance(told, int):
        return before + told
    if isinstance(told, list):
        return told[0]
    if "u" in told and isinstance(before, dict):
        return dict(zip(before, _patched([*before.values()], told), strict=True))
    if "u" in told:
        after = list(before)
        for index, each in told["u"].items():
            number = int(index)
            # Most are counts: a call for each would take most of the time of a seek.
            after[number] = after[number] + each if type(each) is int else _patched(after[number], each)
        return after
    if "s" in told:
        begin, end, items = told["s"]
        return [*before[:begin], *items, *before[end:]]
    after = {key: entry for key, entry in before.items() if key not in told.get("x", ())}
    for key, each in told["k"].items():
        after[key] = _patched(before.get(key), each)
    return after


# -- the stream of views in a flight log ------------------------------------------------------------------------------

CHUNK_S = 150.0
"""Cluster time between two views that are written whole: a replay begins at one, and a damaged line ends there."""
EVENT = "view"


class ViewWriter:
    """Turns views into records: differences to the one before, packed together with it until the chunk ends."""

    def __init__(self, name: str) -> None:
        """`name` tells the chunks of this writer from those of another one in the same file."""
        self._name = name
        self._chunks = 0
        self._written = 0
        """Views in this chunk."""
        self._began_at: datetime | None = None
        self._encoder = Encoder()
        self._packer: Any = None
        self._tree: Any = None
        self._tables = 0
        self._series = Series(PLOTTED)
        self._packed_sample: Sample | None = None
        """The last one in this chunk."""

    def begin_anew(self) -> None:
        """The next view is written whole: what was written before may be lost."""
        self._began_at = None

    def record(self, view: View) -> dict[str, Any]:
        """The fields of the record of a view."""
        if self._began_at is None or not 0 <= (view.now - self._began_at).total_seconds() < CHUNK_S:
            self._began_at, self._tree, self._tables = view.now, None, 0
            self._chunks, self._written, self._packer = self._chunks + 1, 0, zlib.compressobj(6)
            self._packed_sample = None
        tree = self._encoder.encode(dataclasses.replace(view, samples=()))
        told: dict[str, Any] = {"v": [tree] if self._tree is None else difference(self._tree, tree)}
        self._tree = tree
        if len(self._encoder.tables) != self._tables:
            told["t"], self._tables = self._encoder.tables, len(self._encoder.tables)
        # The samples stand first, by themselves: whoever counts them alone reads no further.
        parts = (self._samples(view.samples), told)
        raw = "".join(json.dumps(part, separators=(",", ":"), ensure_ascii=False) for part in parts)
        packed = self._packer.compress(raw.encode("utf-8", "replace")) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        self._written += 1
        chunk = f"{self._name}-{self._chunks}"
        return {"at": view.now.isoformat(), "chunk": chunk, "n": self._written, "b": b64encode(packed).decode()}

    def _samples(self, samples: tuple[Sample, ...]) -> dict[str, Any]:
        """The new ones or, where those before are others than were written, all of them."""
        known = self._series.last
        new = list(takewhile(lambda sample: known is None or sample.at > known.at, reversed(samples)))[::-1]
        for sample in new:
            self._series.add(sample)
        kept = self._series.frozen()
        if len(kept) == len(samples) and kept[:1] == samples[:1]:
            return {"s": [self._packed(sample) for sample in new]} if new else {}
        self._series = Series(PLOTTED)
        for sample in samples:
            self._series.add(sample)
        return {"S": [self._packed(sample) for sample in samples]}

    def _packed(self, sample: Sample) -> list[Any]:
        """Counts of nodes as pairs or, of the same nodes as in the sample before, what is to be added to each."""
        before, self._packed_sample = self._packed_sample, sample
        at = (sample.at - _EPOCH) // _MICROSECOND
        counts: list[Any] = [[name, count] for name, count in sample.nodes.items()]
        if before is not None and list(before.nodes) == list(sample.nodes):
            counts = [count - before.nodes[name] for name, count in sample.nodes.items()]
        return [at, sample.blue, sample.green, sample.other, counts]


def unpacked_sample(told: list[Any], before: Sample | None) -> Sample:
    """Raises Malformed."""
    try:
        at, blue, green, other, counts = told
        if counts and before is not None and isinstance(counts[0], int):
            nodes = {name: count + added for (name, count), added in zip(before.nodes.items(), counts, strict=True)}
        else:
            nodes = dict(counts)
        return Sample(_EPOCH + timedelta(microseconds=at), blue, green, nodes, other)
    except (TypeError, ValueError, LookupError, OverflowError) as error:
        raise Malformed("sample", f"{type(error).__name__}: {error}") from error


@dataclasses.dataclass(frozen=True)
class ViewLine:
    """A record of a view as it was read."""

    at: datetime
    chunk: str
    number: int
    """In its chunk, from 1."""
    packed: bytes

    @classmethod
    def from_record(cls, told: Mapping[str, Any]) -> ViewLine:
        """Raises ValueError, TypeError, KeyError."""
        packed = b64decode(told["b"], validate=True) if "b" in told else b85decode(told["z"])
        return cls(_instant(told["at"]), str(told["chunk"]), int(told["n"]), packed)

    @classmethod
    def from_line(cls, line: bytes) -> ViewLine | None:
        """The same, of a line as it is written today: a tenth of the time that reading any JSON takes."""
        found = _LINE.fullmatch(line)
        if found is None:
            return None
        at, chunk, number, packed = found.groups()
        try:
            return cls(_instant(at.decode()), chunk.decode(), int(number), b64decode(packed))
        except ValueError:
            return None


_LINE = re.compile(
    rb'\{"event":"view","at":"([0-9T:.+-]{1,40})","chunk":"([\w-]{1,40})","n":(\d{1,9}),"b":"([A-Za-z0-9+/=]*)"\}\n'
)


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("an instant without a zone")
    return at


class Unpacker:
    """Unpacks the lines of one chunk, in order."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj()

    def samples(self, line: ViewLine) -> dict[str, Any]:
        """The samples of the next line: `s` = new ones, `S` = all. Raises Malformed."""
        return _object(self._text(line))[0]

    def unpack(self, line: ViewLine) -> dict[str, Any]:
        """The view of the next line: `v`, and `t` when there are new tables. Raises Malformed."""
        text = self._text(line)
        first, end = _object(text)
        # Older consoles wrote one object.
        return first if "v" in first else _object(text, end)[0]

    def _text(self, line: ViewLine) -> str:
        try:
            text = self._unpacker.decompress(line.packed, MOST_BYTES).decode("utf-8")
        except (zlib.error, ValueError) as error:
            raise Malformed("view", str(error)) from error
        if self._unpacker.unconsumed_tail:
            raise Malformed("view", "too large")
        return text


def _object(text: str, begin: int = 0) -> tuple[dict[str, Any], int]:
    try:
        told, end = _JSON.raw_decode(text, begin)
    except (ValueError, RecursionError) as error:
        raise Malformed("view", str(error)) from error
    if not isinstance(told, dict):
        raise Malformed("view", "expected an object")
    return told, end


_JSON = json.JSONDecoder()
MOST_BYTES = 64 << 20
"""Of one view, unpacked."""
