"""The management API of EMQX nodes, over httpx. Importing this package loads no library."""

PORT_FORWARD, DIRECT = "port-forward", "direct"
"""The ways to a node that have names; any other is a URL."""
