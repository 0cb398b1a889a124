"""The table of phases as Markdown. `python -m tests.support.phase_table` writes it into `emqx_tui/README.md`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from emqx_tui.rollout.phases import DRIVEN, FORWARD, LIFE, Phase, Row

PAGE = Path(__file__).parents[2] / "emqx_tui" / "README.md"
BEGIN, END = "<!-- phases: begin -->", "<!-- phases: end -->"
_GROUPS = {
    DRIVEN: f"`{FORWARD[0]}` to `{FORWARD[-1]}`, and `{Phase.ABORTING}`",
    FORWARD: f"`{FORWARD[0]}` to `{FORWARD[-1]}`",
    tuple(phase for phase in Phase if phase is not Phase.IDLE): f"every phase but `{Phase.IDLE}`",
}


def markdown() -> str:
    """One line for the rows of LIFE that differ in nothing but where they begin."""
    return "\n".join(["| at | when | then |", "|---|---|---|", *_lines()])


def _lines() -> Iterator[str]:
    for (when, then), rows in groupby(LIFE, key=lambda row: (row.when, row.then)):
        yield f"| {_names(tuple(rows))} | {when} | `{then}` |"


def _names(rows: tuple[Row, ...]) -> str:
    phases = tuple(row.at for row in rows)
    if phases in _GROUPS:
        return _GROUPS[phases]
    return ", ".join(f"`{phase}`" for phase in phases)


def on_page(page: str) -> str:
    """The table that stands in the page."""
    return page.partition(BEGIN)[2].partition(END)[0].strip()


def written(page: str) -> str:
    """The page with the table as it is."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{markdown()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
