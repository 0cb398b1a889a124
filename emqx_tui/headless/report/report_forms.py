"""PURE: a report as Markdown or as one HTML file without anything from elsewhere.

Whatever a recording holds is text here: nothing of it becomes markup. The HTML asks browsers to load nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from html import escape

from emqx_tui.headless.report.report_page import Page, Section, Table
from emqx_tui.model import units
from emqx_tui.model.series import Sample

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~!&])")


def markdown(page: Page) -> str:
    """For a ticket that shows Markdown."""
    lines = [f"# {_md(page.title)}", ""]
    for section in page.sections:
        lines += [f"## {_md(section.title)}", ""]
        for table in section.tables:
            lines += [*_md_table(table), ""]
        lines += [f"- {_md(line)}" for line in section.lines]
        lines += [""] if section.lines else []
    return "\n".join(lines).rstrip()


def _md(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)


def _md_table(table: Table) -> Iterator[str]:
    header = table.header or ("", "")
    for row in (header, ("---",) * len(header)):
        yield f"| {' | '.join(row)} |"
    for row in table.rows:
        yield f"| {' | '.join(map(_md, row))} |"


# -- HTML ------------------------------------------------------------------------------------------------------------

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; background: #fff; max-width: 70em; margin: 2em auto;
  padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin: 1.8em 0 .5em; border-bottom: 1px solid #d1d9e0 }
table { border-collapse: collapse; margin: .5em 0 } th, td { text-align: left; vertical-align: top;
  padding: .2em .8em .2em 0; border-bottom: 1px solid #eaeef2 } th { font-weight: 600; white-space: nowrap }
td { font-variant-numeric: tabular-nums; min-width: 6em; overflow-wrap: anywhere }
td:first-child { white-space: nowrap; min-width: 2em }
svg { width: 100%; height: auto } text { font: 12px system-ui, sans-serif; fill: #59636e }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def html(page: Page) -> str:
    """For a browser, or to print."""
    body = "\n".join(_section(section) for section in page.sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(page.title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(page.title)}</h1>
{body}
</body>
</html>"""


def _section(section: Section) -> str:
    plot = [svg(section.samples)] if len(section.samples) > 1 else []
    tables = [_table(table) for table in section.tables]
    lines = [f"<p>{escape(line)}</p>" for line in section.lines]
    return "\n".join([f"<h2>{escape(section.title)}</h2>", *plot, *tables, *lines])


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.header)
    rows = [f"<tr>{head}</tr>"] if table.header else []
    for first, *rest in table.rows:
        name = f"<td>{escape(first)}</td>" if table.header else f"<th>{escape(first)}</th>"
        rows.append(f"<tr>{name}{''.join(f'<td>{escape(cell)}</td>' for cell in rest)}</tr>")
    return "<table>\n" + "\n".join(rows) + "\n</table>"


# -- the plot --------------------------------------------------------------------------------------------------------

_WIDTH, _HEIGHT = 960, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 10, 30, 30
_TICKS = 4
_CURVES: tuple[tuple[str, str, Callable[[Sample], int | None]], ...] = (
    ("sum", "#57606a", lambda sample: sample.sum),
    ("blue", "#0969da", lambda sample: sample.blue),
    ("green", "#1a7f37", lambda sample: sample.green),
)


def svg(samples: Sequence[Sample]) -> str:
    """Connections of blue, green and both over time; where nobody counted, the curve has a gap."""
    begin, end = samples[0].at, samples[-1].at
    length_s = (end - begin).total_seconds() or 1.0
    top = max((value(s) or 0 for s in samples for _, _, value in _CURVES), default=0) or 1
    across, down = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(sample: Sample, value: int) -> str:
        x = _LEFT + across * (sample.at - begin).total_seconds() / length_s
        return f"{x:.1f},{_TOP + down * (1 - value / top):.1f}"

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="connections over time">']
    for tick in range(_TICKS + 1):
        y, x = _TOP + down * (1 - tick / _TICKS), _LEFT + across * tick / _TICKS
        at = begin + timedelta(seconds=length_s * tick / _TICKS)
        anchor = "end" if tick == _TICKS else "start" if tick == 0 else "middle"
        parts += [
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d1d9e0"/>',
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{units.short_count(top * tick / _TICKS)}</text>',
            f'<text x="{x:.1f}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{units.clock(at)}Z</text>',
        ]
    for number, (name, colour, value) in enumerate(_CURVES):
        x = _LEFT + 90 * number
        parts += [
            f'<rect x="{x}" y="8" width="14" height="4" fill="{colour}"/><text x="{x + 20}" y="14">{name}</text>',
            *(_curve(run, colour) for run in _runs(samples, value, place)),
        ]
    return "\n".join([*parts, "</svg>"])


def _runs(
    samples: Sequence[Sample], value: Callable[[Sample], int | None], place: Callable[[Sample, int], str]
) -> Iterator[list[str]]:
    """The points of each stretch in which everything was counted."""
    run: list[str] = []
    for sample in samples:
        known = value(sample)
        if known is not None:
            run.append(place(sample, known))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _curve(run: list[str], colour: str) -> str:
    points = run if len(run) > 1 else run * 2
    return (
        f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2" stroke-linecap="round"/>'
    )
