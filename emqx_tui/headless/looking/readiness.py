"""PURE: how much of a cluster has been read: enough to know of a release, to judge, or what stands in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emqx_tui.model.kinds import Kind

if TYPE_CHECKING:
    from emqx_tui.session.views.view import View


def has_answered(view: View, *kinds: Kind) -> bool:
    """Every one of these kinds was listed, or is known to be unreadable."""
    told = {source.kind: source for source in view.health}
    return all(
        (source := told.get(kind)) is not None and (source.read_at is not None or bool(source.problem))
        for kind in kinds
    )


def is_known(view: View) -> bool:
    """It is known whether the object exists and whether a release is under way."""
    return has_answered(view, Kind.EMQX_ENTERPRISE, Kind.SECRET, Kind.LEASE)


def is_whole(view: View) -> bool:
    """All that a judgement needs has been read once, or is known to be unreadable."""
    kinds = (Kind.STATEFUL_SET, Kind.POD, Kind.SERVICE, Kind.ENDPOINTS, Kind.ENDPOINT_SLICE)
    seen = view.snapshot
    if is_known(view) and seen.resource.value is None:
        # Of an object that is not there, nothing else will ever be read.
        return True
    brokers = seen.stats.read_at is not None and (not seen.evacuations.problem or seen.evacuations.read_at is not None)
    is_emqx_forbidden = any(source.is_emqx and source.is_forbidden for source in view.health)
    return is_known(view) and has_answered(view, *kinds) and (brokers or is_emqx_forbidden)


def is_out_of_reach(view: View) -> bool:
    """The API server does not answer: nothing is known of the object, and nothing will be by waiting."""
    return any(source.kind is Kind.EMQX_ENTERPRISE and source.is_unreachable for source in view.health)


def why_unreadable(view: View, *kinds: Kind) -> str:
    """What keeps these kinds from being read, empty when nothing does."""
    problems = [s.problem for s in view.health if s.kind in kinds and s.problem and s.read_at is None]
    if Kind.EMQX_ENTERPRISE in kinds and view.unreadable and view.snapshot.resource.value is None:
        problems.append(f"EmqxEnterprise {view.snapshot.name} {view.snapshot.resource.problem}")
    return "; ".join(problems)
