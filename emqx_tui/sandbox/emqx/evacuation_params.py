"""The body of `evacuation/start`: what EMQX 4.4 accepts, and its error messages.

Owns validation and its messages. Before 4.4.17 a message with something filled in reaches the caller as the nested list
it was built from, brackets and quotes included: matching it by equality never worked.
"""

from __future__ import annotations

from collections.abc import Mapping

from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.emqx.evacuation import Options
from emqx_tui.sandbox.emqx.node import READABLE_ERRORS_SINCE, EmqxNode, Release

POSITIVE = ("conn_evict_rate", "sess_evict_rate", "wait_takeover")


class BadParameter(Exception):
    """A message of three parts: what is said before and after the part that was filled in."""

    def __init__(self, before: str, filled: str = "", after: str = "") -> None:
        super().__init__(before + filled + after)
        self.parts = (before, filled, after)

    def rendered(self, release: Release) -> str:
        """As the serving node's version puts it on the wire."""
        before, filled, after = self.parts
        if not filled or release >= READABLE_ERRORS_SINCE:
            return str(self)
        nested = [f'"{before}"', f'["{filled}"]', *([f'"{after}"'] if after else [])]
        return f"[{','.join(nested)}]"


def known_node(cluster: EmqxCluster, name: str) -> EmqxNode | None:
    """The member of that name, None if it has left; BadParameter for an unknown name."""
    if name not in cluster.known_names:
        raise BadParameter("invalid node: ", name)
    return cluster.nodes.get(name)


def start_options(cluster: EmqxCluster, params: Mapping[str, object]) -> Options:
    """Options of a start request; raises BadParameter in the order of the keys."""
    accepted: dict[str, object] = {}
    for key, value in params.items():
        if key in POSITIVE:
            accepted[key] = _positive(key, value)
        elif key == "redirect_to":
            if not isinstance(value, str):
                raise BadParameter("invalid string in server_reference")
            accepted["server_reference"] = value
        elif key == "migrate_to":
            accepted["migrate_to"] = _recipients(cluster, value)
        else:
            raise BadParameter("Unknown evacuation param: ", key)
    return Options(**accepted)  # pyright: ignore[reportArgumentType]  checked above, key by key


def _positive(key: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise BadParameter("invalid ", key, " value")


def _recipients(cluster: EmqxCluster, value: object) -> tuple[str, ...]:
    """Names whose nodes can take sessions at this moment, as the node that serves the request sees them."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise BadParameter("invalid node list in migrate_to: ", _erlang(value))
    names = [str(name) for name in value]
    found = {name: known_node(cluster, name) for name in names}
    missing = [name for name, node in found.items() if node is None or not (node.running and node.available)]
    if len(missing) == len(found):
        raise BadParameter("no available nodes list in migrate_to: ", _erlang(names))
    if missing:
        raise BadParameter("unavailable nodes in migrate_to: ", _erlang(missing))
    return tuple(names)


def _erlang(value: object) -> str:
    """Lists of node names as Erlang prints atoms."""
    if isinstance(value, list):
        return "[" + ",".join(f"'{element}'" for element in value) + "]"
    return str(value)
