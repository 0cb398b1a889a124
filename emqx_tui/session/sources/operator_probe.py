"""Is the operator there? Its webhook sees every patch of an EmqxEnterprise, so a dry-run of one tells.

While it is down nothing of a release fails at once: drains go on inside EMQX. But the valve cannot be closed again, a
lost pod is not repaired, and an abort cannot put the template back.
"""

from __future__ import annotations

from dataclasses import replace

from emqx_tui.model.errors import AdapterError
from emqx_tui.session.ports import Kube
from emqx_tui.session.records.driving_rights import touch
from emqx_tui.session.store import OperatorAnswer

EVERY_S = 20.0
"""For so long, and then for its limit, an operator that has just died is missed by what the policy approves."""
AGAIN_S = 5.0
"""While it is not known to answer."""
TIMEOUT_S = 10.0


async def ask(kube: Kube, namespace: str, name: str) -> OperatorAnswer:
    """One dry-run. Anything but the operator's own silence leaves it unknown."""
    try:
        await kube.request(replace(touch(namespace, name).as_dry_run(), timeout_s=TIMEOUT_S))
    except AdapterError as error:
        is_down = "failed calling webhook" in error.message and "emqx" in error.message
        return OperatorAnswer(False if is_down else None, error.message)
    return OperatorAnswer(True)
