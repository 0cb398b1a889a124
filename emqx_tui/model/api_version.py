"""The one seam for dialects: what differs between EMQX 4.4 under v1beta4 and EMQX 5 under v2beta1.

Everything that names a path of EMQX's management API or the place of the custom resource asks here. Only the v4
dialect is driven today; a second one is a second value, its own readers in `from_json`, and its own rules for what a
closed valve stops.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """Where things are. Node names stand raw in paths: EMQX 4.4 does not decode `%40`."""

    name: str
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

    def nodes(self) -> str:
        return f"{self.api}/nodes"

    def stats(self) -> str:
        return f"{self.api}/stats"

    def global_status(self) -> str:
        return f"{self.api}/load_rebalance/global_status"

    def own_status(self) -> str:
        """Answered by the node that is asked, for itself."""
        return f"{self.api}/node_eviction/status"

    def start(self, node: str) -> str:
        return f"{self.api}/load_rebalance/{node}/evacuation/start"

    def stop(self, node: str) -> str:
        return f"{self.api}/load_rebalance/{node}/evacuation/stop"


V4 = Dialect(
    name="EMQX Enterprise 4.4, apps.emqx.io/v1beta4",
    resource_base="apis/apps.emqx.io/v1beta4",
    resource_plural="emqxenterprises",
    api="/api/v4",
    api_port=8081,
    credentials_suffix="-bootstrap-user",
    credentials_key="bootstrap_user",
    operator_user="emqx_operator_controller",
)
