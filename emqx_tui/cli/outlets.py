"""Where a console's views go besides the screen: metrics for Prometheus, calls for a person; as the settings say.

Loads what serves them only where they are asked for.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from emqx_tui.config import Settings

if TYPE_CHECKING:
    from emqx_tui.session.views.view import View

logger = logging.getLogger(__name__)

Tell: TypeAlias = "Callable[[View], None]"


@contextlib.contextmanager
def outlets(settings: Settings) -> Iterator[Tell]:
    """Gives what is to be told of every view, from whatever thread it comes. Raises ConfigError."""
    tell: list[Tell] = []
    with contextlib.ExitStack() as stack:
        if settings.metrics:
            from emqx_tui.adapters.metrics import Metrics

            tell.append(stack.enter_context(Metrics(settings.metrics, clock_rate=settings.clock_rate)).take)
        if settings.notify:
            tell.append(_calling(settings.notify, stack))

        def tell_all(view: View) -> None:
            # Called by a session that may be driving a release: nothing here is worth ending it.
            try:
                for each in tell:
                    each(view)
            except Exception:
                logger.exception("a view could not be told")

        yield tell_all


def _calling(where: str, stack: contextlib.ExitStack) -> Tell:
    from emqx_tui.adapters.machine.notifier import Notifier
    from emqx_tui.headless.calls import Calls

    notifier, calls = stack.enter_context(Notifier(where)), Calls()

    def tell(view: View) -> None:
        if (call := calls.take(view)) is not None:
            notifier.tell(call.to_json())

    return tell
