"""httpx, loaded without its command line."""

from __future__ import annotations

from emqx_tui.adapters.lean_import import without

with without("httpx._main"):
    import httpx

__all__ = ["httpx"]
