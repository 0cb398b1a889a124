"""The tree of objects: Textual's own, with columns. Nodes are updated by key; the cursor stays on its object."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from emqx_tui.ui.objects.rows import Row
from emqx_tui.ui.rollout.names import tail
from emqx_tui.ui.text import paint
from emqx_tui.ui.text.marks import clean, fit_middle
from emqx_tui.ui.text.spans import Line, Tone, columns, line

_COLUMNS = (("STATE", 16), ("READY", 5), ("CLIENTS", 9), ("RESTARTS", 8), ("AGE", 6))
_WIDE_COLUMNS = (*_COLUMNS[:3], ("SESSIONS", 9), *_COLUMNS[3:], ("INFO", 26))
_FEW_COLUMNS = _COLUMNS[:3]
_LEAST_NAME, _MOST_NAME = 30, 52
"""Cells of a name with its branches."""
_BRANCH = 2


def layout(width: int) -> tuple[int, tuple[str, ...], tuple[int, ...]]:
    """Cells of the name with its branches, titles and widths of the columns behind it: a wide screen has more."""
    spare = width - sum(size + 1 for _, size in _WIDE_COLUMNS) - _LEAST_NAME
    is_narrow = width - sum(size + 1 for _, size in _COLUMNS) < _LEAST_NAME - _BRANCH
    few = _FEW_COLUMNS if is_narrow else _COLUMNS
    titles, widths = zip(*(few if spare < 0 else _WIDE_COLUMNS), strict=True)
    if spare < 0:
        return width - sum(widths) - len(widths), titles, widths
    name = min(spare, _MOST_NAME - _LEAST_NAME) // 2
    return _LEAST_NAME + name, titles, (*widths[:-1], widths[-1] + spare - name)


def header(width: int) -> Line:
    """The titles above the tree."""
    name, titles, widths = layout(width)
    cells = [line(("NAME", Tone.DIM)), *(line((title, Tone.DIM)) for title in titles)]
    return columns(cells, (name, *widths), _aligns(titles))


def row_line(row: Row, width: int, indent: int) -> Line:
    """One row behind `indent` cells of branches."""
    name_width, titles, widths = layout(width)
    cells = {
        "STATE": line(row.mark.span),
        "READY": line(row.ready),
        "CLIENTS": line((row.clients, Tone.STRONG)),
        "SESSIONS": line((row.sessions, Tone.DIM)),
        "RESTARTS": line((row.restarts, Tone.PLAIN if row.restarts in ("", "0") else Tone.WARN)),
        "AGE": line((row.age, Tone.DIM)),
        "INFO": row.info,
    }
    room = max(1, name_width - indent)
    name = clean(row.name)
    short = name if len(name) <= room else fit_middle(tail(name) if row.key.startswith("pod ") else name, room)
    return columns([line(short), *(cells[title] for title in titles)], (room, *widths), _aligns(titles))


def _aligns(titles: tuple[str, ...]) -> str:
    return "<" + "".join("<" if title in ("STATE", "INFO") else ">" for title in titles)


class ObjectTree(Tree[Row], inherit_bindings=False):
    """Shows a tree of rows; says when another row is under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "cursor_down", show=False),
        Binding("up,k", "cursor_up", show=False),
        Binding("left", "close", show=False),
        Binding("right", "unfold", show=False),
        Binding("home", "scroll_home", show=False),
        Binding("end", "scroll_end", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
    ]

    class Moved(Message):
        """Another row is under the cursor, or its row has changed."""

    def __init__(self) -> None:
        super().__init__("", id="tree")
        self.guide_depth = _BRANCH
        self.auto_expand = False
        self.show_root = False

    @property
    def selected(self) -> Row | None:
        """The row under the cursor."""
        return self.cursor_node.data if self.cursor_node else None

    def show(self, row: Row) -> None:
        """Make the tree show exactly this row and what is below it."""
        is_first = not self.root.children
        self.root.expand()
        self._sync_children(self.root, (row,))
        if is_first:
            self.call_after_refresh(self.move_cursor, self.root.children[0])
        self.post_message(self.Moved())

    def _sync(self, node: TreeNode[Row], row: Row) -> None:
        if node.data != row:
            node.data = row
            node.set_label(row.name)
        node.allow_expand = bool(row.children)
        self._sync_children(node, row.children)

    def _sync_children(self, node: TreeNode[Row], rows: tuple[Row, ...]) -> None:
        wanted = {row.key for row in rows}
        for child in [child for child in node.children if child.data is None or child.data.key not in wanted]:
            child.remove()
        known = {child.data.key: child for child in node.children if child.data}
        for place, row in enumerate(rows):
            child = known.get(row.key)
            if child is None:
                before = place if place < len(node.children) else None
                child = node.add(row.name, row, before=before, expand=True, allow_expand=bool(row.children))
            self._sync(child, row)

    def render_label(self, node: TreeNode[Row], base_style: Style, style: Style) -> Text:
        row = node.data
        if row is None:
            return Text("")
        depth = 0
        above = node.parent
        while above is not None and above is not self.root:
            depth, above = depth + 1, above.parent
        sign = ("▾ " if node.is_expanded else "▸ ") if node.allow_expand else "  "
        indent = len(sign) + _BRANCH * depth
        label = paint.cell(row_line(row, self.row_width, indent), self.app.theme_variables)
        label.stylize_before(style)
        return Text.assemble((sign, base_style), label)

    def get_label_width(self, node: TreeNode[Row]) -> int:
        return 1

    @property
    def row_width(self) -> int:
        """Cells of a row: the place of the scroll bar is none of them."""
        return self.scrollable_content_region.width

    def action_fold(self) -> None:
        """Hide or show what is below the row."""
        if self.cursor_node and self.cursor_node.allow_expand:
            self.cursor_node.toggle()

    def action_close(self) -> None:
        """Hide what is below the row or, where nothing is, go to the row above."""
        node = self.cursor_node
        if node is None:
            return
        if node.allow_expand and node.is_expanded:
            node.collapse()
        elif node.parent is not None and node.parent is not self.root:
            self.move_cursor(node.parent)

    def action_unfold(self) -> None:
        if self.cursor_node and self.cursor_node.allow_expand:
            self.cursor_node.expand()
