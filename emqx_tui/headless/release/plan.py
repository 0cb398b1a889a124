"""PURE: what a release is expected to do, and the rate that keeps a wish; as a document and as lines.

The figures are those of `rollout/forecast/forecast.py`. Time that people take at gates is in none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from emqx_tui.headless.lines.events import SCHEMA, spell
from emqx_tui.headless.lines.view_diff import check_fields
from emqx_tui.headless.lines.words import check
from emqx_tui.model import units
from emqx_tui.rollout.change import Plan
from emqx_tui.rollout.checks.preflight import blocking
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.rollout.forecast.forecast import Band, Forecast, at_rate, rate_for_reconnects, rate_to_finish_within
from emqx_tui.session.views.view import EditPreview

BY_PEOPLE = "without the time that people take at gates"


@dataclass(frozen=True)
class Wish:
    """The other way round: what the release has to keep to, and which rate does."""

    finish_by: datetime | None = None
    max_reconnects_per_s: int | None = None

    def __bool__(self) -> bool:
        return self.finish_by is not None or self.max_reconnects_per_s is not None


@dataclass(frozen=True)
class Planned:
    """A release as it is planned."""

    namespace: str
    name: str
    at: datetime
    plan: Plan
    checks: tuple[CheckResult, ...]
    forecast: Forecast
    """At the rate that was asked for or, with a wish, at the rate that keeps it."""
    wish: Wish
    unkept: str = ""
    """Why no rate keeps the wish."""

    @property
    def rate_per_s(self) -> int:
        return self.forecast.shape.rates.conn_evict_rate_per_s

    @property
    def blocking(self) -> tuple[CheckResult, ...]:
        return blocking(self.checks, ())

    @property
    def is_fine(self) -> bool:
        return not self.unkept and not self.blocking


def planned(namespace: str, name: str, at: datetime, preview: EditPreview, wish: Wish) -> Planned | None:
    """None where there is nothing to forecast from: no rates, or a node that was not counted."""
    plan, found = preview.plan, preview.forecast
    if plan is None or found is None or found.total_s is None:
        return None
    rate, unkept = _rate_for(wish, found, at)
    shown = found if rate is None else at_rate(found, rate)
    return Planned(namespace, name, at, plan, preview.checks, shown, wish, unkept)


def _rate_for(wish: Wish, found: Forecast, at: datetime) -> tuple[int | None, str]:
    """The rate that keeps the wish, the gentlest where several do; and why none does."""
    most, least = None, None
    if wish.max_reconnects_per_s is not None:
        most = rate_for_reconnects(found, wish.max_reconnects_per_s)
        if most is None:
            return None, f"{found.shape.parallel_drains} drains at once cause more reconnects at the lowest rate"
    if wish.finish_by is not None:
        if wish.finish_by <= at:
            return None, "that time has passed"
        least = rate_to_finish_within(found, (wish.finish_by - at).total_seconds())
        if least is None:
            return None, "no rate ends it by then: boot, delay, canary and takeover wait alone take longer"
    if most is not None and least is not None and least > most:
        return most, f"ending by then takes {units.per_s(least)} a node, which is more than the reconnects allow"
    return (most if least is None else least), ""


# -- as a document ---------------------------------------------------------------------------------------------------


def document(found: Planned) -> dict[str, Any]:
    """Everything, for `-o json`."""
    forecast, rates, total = found.forecast, found.forecast.shape.rates, found.forecast.total_s
    assert total is not None
    return {
        "schema": SCHEMA,
        "at": spell(found.at),
        "namespace": found.namespace,
        "name": found.name,
        "from": found.plan.from_version,
        "to": found.plan.to_version,
        "clients": forecast.clients,
        "conn_evict_rate": rates.conn_evict_rate_per_s,
        "sess_evict_rate": rates.sess_evict_rate_per_s,
        "wait_takeover_s": rates.wait_takeover_s,
        "parallel_drains": forecast.shape.parallel_drains,
        "late_removal": forecast.shape.late_removal,
        "total_s": _band(total),
        "ends_at": [spell(found.at + timedelta(seconds=seconds)) for seconds in (total.low, total.high)],
        "gates_included": False,
        "green_s": _band(forecast.green_s),
        "is_boot_known": forecast.shape.boot_s is not None,
        "initial_delay_s": forecast.shape.delay_s,
        "canary_s": forecast.shape.canary_s,
        "finish_s": _band(forecast.finish_s),
        "nodes": [
            {"node": node.load.pod, "clients": node.load.clients, "kept_sessions": node.load.kept_sessions}
            | {"drain_s": _band(node.drain_s) if node.drain_s else None}
            for node in forecast.nodes
        ],
        "disconnects": forecast.disconnects,
        "disconnects_per_client": _per_client(forecast),
        "peak_accept_per_s": forecast.accept_per_s,
        "peak_accept_per_node_s": forecast.accept_per_node_s,
        "lowest_sum_ratio": forecast.lowest_ratio,
        "clients_at_risk": [
            {"behaviour": risk.behaviour.name, "at_risk": risk.at_risk, "offline_at_once": risk.offline_at_once}
            for risk in forecast.risks
        ],
        "curve": [list(point) for point in forecast.curve],
        "checks": [check_fields(each) for each in found.checks if each.outcome is not Outcome.PASS],
        "unkept": found.unkept or None,
    }


def _band(band: Band) -> list[float]:
    return [round(band.low, 1), round(band.high, 1)]


def _per_client(forecast: Forecast) -> float | None:
    return round((forecast.disconnects or 0) / forecast.clients, 3) if forecast.clients else None


# -- as lines --------------------------------------------------------------------------------------------------------

_LABEL = 13


def lines(found: Planned, command: str) -> Iterator[str]:
    """For people. `command` starts the release as planned."""
    forecast, total = found.forecast, found.forecast.total_s
    assert total is not None
    yield _line(
        "release",
        f"{found.namespace}/{found.name}, {found.plan.from_version} to {found.plan.to_version}, "
        f"{units.count(forecast.clients)} clients at {units.per_s(found.rate_per_s)} a node"
        + (" (the rate for your wish)" if found.wish and not found.unkept else ""),
    )
    if found.unkept:
        yield _line("not possible", found.unkept)
    yield _line("total", f"{_spoken(total)}, {BY_PEOPLE}; ends {_end(found, total)} if it starts now")
    boot = "" if forecast.shape.boot_s is not None else " (a guess: no pod tells how long it booted)"
    yield _line("green is up", f"{_spoken(forecast.green_s)}{boot}; images that have to be pulled come on top")
    waits = f"{units.span(forecast.shape.delay_s)} initial delay"
    waits += f", {units.span(forecast.shape.canary_s)} canary" if forecast.shape.canary_s else ", no canary"
    yield _line("then", waits)
    for node in forecast.nodes:
        assert node.drain_s is not None
        yield _line("drain", f"{node.load.pod}: {units.count(node.load.clients)} clients, {_spoken(node.drain_s)}")
    yield _line("finish", _spoken(forecast.finish_s))
    yield from _of_clients(forecast)
    stopping = [check(check_fields(each)) for each in found.checks if each.outcome.is_blocking]
    yield from (_line("in its way" if number == 0 else "", words) for number, words in enumerate(stopping))
    yield _line("start it", command)


def _of_clients(forecast: Forecast) -> Iterator[str]:
    lowest = units.percent(forecast.lowest_ratio, 1)
    each = _per_client(forecast)
    per_client = f", {each:.2f} per client" if each is not None else ""
    yield _line("disconnects", f"{units.count(forecast.disconnects)}{per_client}; lowest sum {lowest}")
    one = units.per_s(forecast.accept_per_node_s)
    yield _line("reconnects", f"up to {units.per_s(forecast.accept_per_s)} on green, up to {one} on one node")
    for number, risk in enumerate(forecast.risks):
        words = (
            f"{units.count(risk.at_risk)} if each {risk.behaviour.name}, {units.count(risk.offline_at_once)} offline"
        )
        yield _line("at risk" if number == 0 else "", f"{words} at once")


def _line(label: str, words: str) -> str:
    return f"{label.ljust(_LABEL)}{words}"


def _spoken(band: Band) -> str:
    return f"{units.span(band.low)} to {units.span(band.high)}"


def _end(found: Planned, total: Band) -> str:
    """`04:12 to 04:31`, in the zone of this machine; with the day, where it is another one."""
    today = found.at.astimezone().date()
    ends = [(found.at + timedelta(seconds=seconds)).astimezone() for seconds in (total.low, total.high)]
    told = [f"{end:%H:%M}" if end.date() == today else f"{end:%Y-%m-%d %H:%M}" for end in ends]
    return " to ".join(dict.fromkeys(told))
