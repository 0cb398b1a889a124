"""What differs between EMQX 4.4 under v1beta4 and EMQX 5 under v2beta1: paths, ports and names.

Everything that names a path of EMQX's management API or the place of the custom resource asks here. Only 4.4 is
driven today; EMQX 5 would be a second value, its own readers in `from_json`, and its own rules for what a closed
valve stops.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ApiVersion:
    """Where things are. Node names stand raw in paths: EMQX 4.4 does not decode `%40`."""

    resource_base: str
    """`apis/<group>/<version>` of the custom resource."""
    resource_plural: str
    api: str
    """Base path of the management API."""
    api_port: int
    credentials_suffix: str
    """The Secret `<cluster><suffix>` holds the API credentials ..."""
    credentials_key: str
    """... under this key, as lines key:secret."""
    operator_user: str
    """The operator's own API user."""

    def nodes_path(self) -> str:
        return f"{self.api}/nodes"

    def stats_path(self) -> str:
        return f"{self.api}/stats"

    def greeting_path(self) -> str:
        """Outside the API: a node says its name to anybody."""
        return "/status"

    def node_path(self, node: str) -> str:
        return f"{self.api}/nodes/{node}"

    def node_stats_path(self, node: str) -> str:
        return f"{self.api}/nodes/{node}/stats"

    def evacuations_path(self) -> str:
        """Every evacuation and rebalance of the cluster, answered by any node."""
        return f"{self.api}/load_rebalance/global_status"

    def own_status_path(self) -> str:
        """Answered by the node that is asked, for itself."""
        return f"{self.api}/node_eviction/status"

    def start_path(self, node: str) -> str:
        return f"{self.api}/load_rebalance/{node}/evacuation/start"

    def stop_path(self, node: str) -> str:
        return f"{self.api}/load_rebalance/{node}/evacuation/stop"


V4 = ApiVersion(
    resource_base="apis/apps.emqx.io/v1beta4",
    resource_plural="emqxenterprises",
    api="/api/v4",
    api_port=8081,
    credentials_suffix="-bootstrap-user",
    credentials_key="bootstrap_user",
    operator_user="emqx_operator_controller",
)
"""EMQX Enterprise 4.4, apps.emqx.io/v1beta4."""


def credentials(text: str) -> tuple[str, str] | None:
    """The AppID and AppSecret in the bootstrap file: the operator's own line, which is the last, else any."""
    rows = [line.strip().partition(":") for line in text.splitlines() if ":" in line]
    pairs = [(key, secret) for key, _, secret in rows if key and secret]
    own = [pair for pair in pairs if pair[0] == V4.operator_user]
    return (own or pairs)[-1] if pairs else None
