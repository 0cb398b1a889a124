"""What a console without rights is told: that it looks on, and which right is missing."""

from __future__ import annotations

from datetime import UTC, datetime

from emqx_tui.model.errors import Forbidden, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.session.ports import Listed, Lost
from emqx_tui.session.store import NodeReports, Store, StoreInput, fold, snapshot
from emqx_tui.session.views import view_builder
from emqx_tui.session.views.fleet_view import Role

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
REFUSED = Forbidden(
    'secrets "emqx-tui-emqx-ee" is forbidden: User "ann" cannot list resource "secrets" in API group "" in the '
    'namespace "default"',
    status=403,
)
NO_SECRETS = Lost(Kind.SECRET, REFUSED, is_final=True)
NO_CREDENTIALS = NodeReports((), "cannot read Secret x: forbidden", is_forbidden=True)


def told(*inputs: StoreInput) -> Store:
    store = Store("default", "emqx-ee")
    for found in inputs:
        store = fold(store, found, NOW)
    return store


def role_of(store: Store) -> tuple[Role, str]:
    missing = view_builder.missing_right(store)
    return view_builder.role(read_only=False, journal_problem="", is_driver=False, other_driver="", missing=missing)


def test_without_the_right_to_read_the_journal_a_console_looks_on_and_names_the_right() -> None:
    assert role_of(told(NO_SECRETS)) == (
        Role.WATCH_ONLY,
        "no right to list secrets, so the journal is not known",
    )


def test_a_right_that_comes_later_and_a_silent_server_are_no_missing_right() -> None:
    assert role_of(told(NO_SECRETS, Listed(Kind.SECRET, {})))[0] is Role.IDLE
    assert role_of(told(Lost(Kind.SECRET, Unreachable("refused"))))[0] is Role.IDLE
    assert role_of(told(Listed(Kind.SECRET, {}), NO_SECRETS))[0] is Role.IDLE, "what was read once is old now"


def test_what_may_not_be_read_is_told_apart_from_what_is_silent() -> None:
    store = told(Listed(Kind.POD, {}), NO_SECRETS, NO_CREDENTIALS)
    sources = (*view_builder.watches(store.collections), view_builder.brokers(store, snapshot(store, NOW, "")))
    health = {source.name: source for source in sources}
    assert {name: source.is_forbidden for name, source in health.items()} == {
        "pods": False,
        "secrets": True,
        "EMQX": True,
    }
