"""The objects of one cluster as a tree: EmqxEnterprise, StatefulSets, pods, EMQX nodes, and what is left over.

Sends nothing that changes the cluster. Its keys are none of those that approve, hold, freeze, resume or abort on the
rollout screen: a key pressed on the wrong screen does no harm.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from emqx_tui.model.kinds import Kind
from emqx_tui.session.inspection.questions import (
    ALL_RIGHTS,
    LIST_EVENTS,
    READ_LOGS,
    Inventory,
    Question,
    ReadEvents,
    ReadObject,
    Right,
    Target,
    right_to_get,
)
from emqx_tui.session.views.published import Published
from emqx_tui.session.views.view import View
from emqx_tui.ui.objects.document_screen import DocumentScreen, Shape
from emqx_tui.ui.objects.log_screen import LogScreen
from emqx_tui.ui.objects.rows import Row, tree
from emqx_tui.ui.objects.tree import ObjectTree, header
from emqx_tui.ui.rollout.names import tail
from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.help_screen import MissingRight
from emqx_tui.ui.shell.identity import Identity, IdentityBar, view_live
from emqx_tui.ui.shell.key_line import KeyLine
from emqx_tui.ui.shell.keymap import Area
from emqx_tui.ui.shell.messages import InventoryWanted
from emqx_tui.ui.shell.screen import WIDE, ConsoleScreen
from emqx_tui.ui.text.line_box import LineBox
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import Tone, line, wrap

INVENTORY_EVERY_S = 15.0


class ObjectsScreen(ConsoleScreen):
    """The tree, and below it what is told of the row under the cursor."""

    AREA = Area.OBJECTS
    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(Area.OBJECTS), Binding("escape", "leave", "back")]

    def __init__(self, namespace: str, name: str) -> None:
        super().__init__()
        self._namespace, self._name = namespace, name
        self._view: View | None = None
        self._inventory: Inventory | None = None

    def compose(self) -> ComposeResult:
        yield IdentityBar()
        yield from self.compose_notice()
        yield LineBox(id="titles")
        yield ObjectTree()
        yield LineBox(id="below")
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(ObjectTree).focus()
        self.query_one("#below", LineBox).set_lines([line(("reading the cluster…", Tone.WAIT))])
        self._take_inventory()
        self.set_interval(INVENTORY_EVERY_S, self._take_inventory)

    def _take_inventory(self) -> None:
        self.post_message(InventoryWanted())

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._draw_titles)

    def _draw_titles(self) -> None:
        self.query_one("#titles", LineBox).set_lines([header(self.query_one(ObjectTree).row_width)])

    # --- news ---

    def take(self, published: Published) -> None:
        view, inventory = published.view, published.inventory
        is_mine = view is not None and (view.snapshot.namespace, view.snapshot.name) == (self._namespace, self._name)
        self._view = view if is_mine else None
        self.query_one(IdentityBar).tell(self._identity)
        before = self._inventory
        if inventory and (inventory.namespace, inventory.name) == (self._namespace, self._name):
            self._inventory = inventory
        listed = next((row for row in published.fleet.rows if row.key == (self._namespace, self._name)), None)
        if self._view and (found := tree(self._view, listed, self._inventory)):
            self.query_one(ObjectTree).show(found)
        if before != self._inventory:
            self.refresh_bindings()

    def on_tree_node_highlighted(self) -> None:
        self.on_object_tree_moved()

    def on_object_tree_moved(self) -> None:
        row = self.selected
        box = self.query_one("#below", LineBox)
        if row is not None:
            box.set_lines([part for told in row.detail for part in wrap(told, max(20, box.size.width))])
        self.refresh_bindings()

    @property
    def selected(self) -> Row | None:
        """The row under the cursor."""
        return self.query_one(ObjectTree).selected

    def _identity(self, quiet_s: float) -> Identity:
        server = self.console.server if self.size.width >= WIDE else ""
        live = view_live(self._view, quiet_s)
        return self.identity(self._namespace, self._name, "objects", live=live, server=server)

    # --- keys ---

    def can(self, action: str) -> bool:
        row = self.selected
        if row is None:
            return False
        match action:
            case "open" | "describe" | "yaml":
                return row.target is not None
            case "events":
                return row.target is not None or any(True for _ in row.targets())
            case "logs":
                return bool(row.pod)
            case "fold":
                return bool(row.children)
            case _:
                return True

    def why_not(self, action: str) -> str:
        missing = self._inventory.missing if self._inventory else frozenset()
        right = self._right(action)
        return f"Not shown: the right to {right} is missing" if right and right in missing else super().why_not(action)

    @property
    def why_grey(self) -> str:
        return "no right"

    def missing_rights(self) -> tuple[MissingRight, ...]:
        missing = self._inventory.missing if self._inventory else frozenset()
        return tuple(MissingRight(f"no right to {right}", _needing(right)) for right in ALL_RIGHTS if right in missing)

    def _right(self, action: str) -> Right | None:
        match action:
            case "events":
                return LIST_EVENTS
            case "logs":
                return READ_LOGS
            case "open" | "describe" | "yaml":
                target = self.selected.target if self.selected else None
                return right_to_get(target.kind) if target and target.kind else None
            case _:
                return None

    def action_leave(self) -> None:
        self.console.go_back()

    def action_fold(self) -> None:
        self.query_one(ObjectTree).action_fold()

    def action_open(self) -> None:
        self.action_describe()

    def action_describe(self) -> None:
        if (row := self.selected) and row.target:
            self._open(Shape.DESCRIPTION, row, ReadObject(row.target, with_events=row.target.kind is not None))

    def action_yaml(self) -> None:
        if (row := self.selected) and row.target:
            self._open(Shape.YAML, row, ReadObject(row.target))

    def action_events(self) -> None:
        if row := self.selected:
            of_node = row.target is not None and row.target.kind is None
            targets = (_pod_of(row.target),) if of_node and row.target else tuple(row.targets())
            self._open(Shape.EVENTS, row, ReadEvents(targets))

    def _open(self, shape: Shape, row: Row, question: Question) -> None:
        self.app.push_screen(DocumentScreen(shape, _title(row), (self._namespace, self._name), question))

    def action_logs(self) -> None:
        row = self.selected
        if row and row.pod:
            containers = row.containers or ("emqx",)
            self.app.push_screen(LogScreen((self._namespace, self._name), row.pod, containers))

    def action_copy(self) -> None:
        if row := self.selected:
            name = row.copied or row.name
            self.console.copy(name, clean(name))


def _needing(right: Right) -> tuple[str, ...]:
    """The keys that do nothing without a right, on the objects that it is about."""
    if right == LIST_EVENTS:
        return ("events",)
    if right == READ_LOGS:
        return ("logs",)
    return ("open", "describe", "yaml") if right.verb == "get" else ()


def _pod_of(target: Target) -> Target:
    return Target(Kind.POD, target.namespace, target.name, target.uid)


def _title(row: Row) -> str:
    return tail(row.name) if row.key.startswith("pod ") else clean(row.name)
