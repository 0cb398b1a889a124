"""Operator lines: which release behaves how.

Owns the differences between releases as data, so that the steps ask for a trait and never for a version. Facts from the
operator's history: 2.1.3 (PR #722) brought the nil rule, readiness gates and hand-written Endpoints; 2.1.2 the
generation predicate; 2.2.0 plain HTTP to the headless Service.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

_PLUGINS = ("emqx_eviction_agent", "emqx_node_rebalance", "emqx_rule_engine", "emqx_retainer", "emqx_modules")


@dataclass(frozen=True)
class Line:
    """Traits of one operator release."""

    release: str
    """the image tag"""
    writes_endpoints: bool = False
    """a selector-less listener Service and Endpoints of all Ready pods, else a selector that flips to green"""
    nil_rule: bool = False
    """a missing evacuation list scales blue down"""
    on_serving_gate: bool = False
    ignores_status_writes: bool = True
    """the generation predicate: writes of status alone cause no pass"""
    asks_service: bool = False
    """EMQX's API through the headless name; else through a port-forward to a pod of the last set"""
    call_s: float = 0.0
    """what one call to EMQX's API takes on average; port-forwards are set up anew for each"""
    plugins: tuple[str, ...] = _PLUGINS
    adds_log_volume: bool = False
    forgets_empty_list: bool = True
    """its client empties an object before it reads the answer to a write into it: an evacuation list that is empty,
    and so not written, is missing after the status write, which is what the nil rule looks for"""


_G1 = Line("2.1.2")
_G1_EAGER = Line("2.1.0", ignores_status_writes=False, call_s=0.25)
_G2 = Line(
    "2.1.4",
    writes_endpoints=True,
    nil_rule=True,
    on_serving_gate=True,
    plugins=(*_PLUGINS, "emqx_schema_registry"),
    adds_log_volume=True,
)
_G3 = replace(_G2, release="2.2.29", asks_service=True)
_G2_MENDED, _G3_MENDED = (replace(line, forgets_empty_list=False) for line in (_G2, _G3))
"""No release: as the operator would drain if it kept the empty list. The reference traces assume it."""

LINES = {
    "G1": _G1,
    "G2": _G2,
    "G3": _G3,
    "2.1.0": _G1_EAGER,
    "2.1.2": _G1,
    "2.1.4": _G2,
    "2.2.29": _G3,
    "G2-mended": _G2_MENDED,
    "G3-mended": _G3_MENDED,
}
