"""PURE: the lines of a body that comes in pieces. A line that does not end is cut, so that memory is bounded."""

from __future__ import annotations

from emqx_tui.session.ports import LineSink

LONGEST_LINE = 65_536
"""Bytes of one line; the rest of it is left out."""


class LineSplitter:
    """Feed it bytes; it hands over whole lines, bytes that are not UTF-8 replaced."""

    def __init__(self, sink: LineSink) -> None:
        self._sink = sink
        self._rest = b""
        self._is_cut = False
        """The end of a line that was too long is still to come."""

    def feed(self, chunk: bytes) -> None:
        *whole, rest = (self._rest + chunk).split(b"\n")
        self._rest = rest
        for line in whole:
            self._tell(line)
        if len(self._rest) > LONGEST_LINE:
            self._tell(self._rest)
            self._rest, self._is_cut = b"", True

    def end(self) -> None:
        """The body has ended: what is left is a line, too."""
        if self._rest:
            self._tell(self._rest)
            self._rest = b""

    def _tell(self, line: bytes) -> None:
        if self._is_cut:
            self._is_cut = False
            return
        self._sink(line[:LONGEST_LINE].decode(errors="replace").removesuffix("\r"))
