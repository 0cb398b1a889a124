"""EMQX management API v4 over httpx."""
