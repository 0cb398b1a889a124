"""The body of `evacuation/start`: what EMQX 4.4 accepts, and its error messages.

Owns validation and its messages. Before 4.4.17 a message with something filled in reaches the caller as the nested list
it was built from, brackets and quotes included: matching it by equality never worked. Later ones read well but for
"Error communicating", which comes as a list of character codes: matching its words never worked either.
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


class NodeNotReached(Exception):
    """The node in the path does not answer the one that serves the request."""

    def rendered(self, release: Release) -> str:
        """As the serving node's version puts it on the wire."""
        name = f"'{self}'" if "@" in str(self) else str(self)
        if release < READABLE_ERRORS_SINCE:
            return f'["Error communicating with node ",["{name}"]]'
        codes = ",".join(str(ord(each)) for each in "Error communicating with node ")
        return f'[{codes},"{name}"]'


class MalformedParameter(Exception):
    """A value that no clause of the endpoint takes: it crashes."""


ATOMS = frozenset({"undefined"})
"""Any atom that the VM knows passes for a node name; these stand for them all."""


def known_node(cluster: EmqxCluster, name: str) -> EmqxNode | None:
    """The member of that name, None if it has left; BadParameter for an unknown name."""
    if name not in cluster.known_names and name not in ATOMS:
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
            raise BadParameter("Unknown evacuation param: ", f"{{{erlang_term(key)},{erlang_term(value)}}}")
    return Options(**accepted)  # pyright: ignore[reportArgumentType]  checked above, key by key


def _positive(key: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise BadParameter("invalid ", key, " value")


def _recipients(cluster: EmqxCluster, value: object) -> tuple[str, ...]:
    """Names whose nodes can take sessions at this moment, as the node that serves the request sees them."""
    if value == {} or (isinstance(value, list) and not all(isinstance(name, str) for name in value)):
        raise MalformedParameter
    if not isinstance(value, list):
        raise BadParameter("invalid node list in migrate_to: ", erlang_term(value))
    names = [str(name) for name in value]
    found = {name: known_node(cluster, name) for name in names}
    missing = [name for name, node in found.items() if node is None or not (node.running and node.available)]
    if len(missing) == len(found):
        raise BadParameter("no available nodes list in migrate_to: ", _erlang(names))
    if missing:
        raise BadParameter("unavailable nodes in migrate_to: ", _erlang(missing))
    return tuple(names)


def _erlang(names: list[str]) -> str:
    """Node names as Erlang prints atoms."""
    return "[" + ",".join(name if name in ATOMS else f"'{name}'" for name in names) + "]"


def erlang_term(value: object) -> str:
    """A JSON value as Erlang prints it: texts are binaries, objects are lists of pairs."""
    match value:
        case str():
            return f'<<"{value}">>'
        case list():
            return f"[{','.join(map(erlang_term, value))}]"
        case dict():
            return f"[{','.join(f'{{{erlang_term(k)},{erlang_term(v)}}}' for k, v in value.items())}]"
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case _:
            return str(value)
