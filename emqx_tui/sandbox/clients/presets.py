"""How kinds of MQTT clients behave when they lose their connection.

Owns one table. The load generators are as measured with their defaults; a refused CONNECT or a refused TCP connection
ends an MQTTX client for good. `device` stands for firmware that waits ever longer: the delay doubles up to a minute and
is drawn from its upper half, so that a burst of evictions does not come back as a burst.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Preset:
    """How a kind of client behaves when its connection is lost."""

    name: str
    session_expiry_s: float
    """0: clean start, nothing stays on the broker; otherwise clean start 0"""
    first_delay_s: float
    longest_delay_s: float
    """equal to the first one: a fixed delay; else it doubles with each attempt, drawn from its upper half"""
    max_attempts: int | None
    """consecutive attempts that may fail; 0 never reconnects, None never gives up"""
    dies_refused: bool
    """a CONNACK with 0x9C (MQTT 5) or return code 3 ends it"""
    dies_tcp_refused: bool
    refusal_renews_attempts: bool = False
    """a broker that answers, if only with a refusal, makes the attempts count from zero again"""

    @property
    def keeps_session(self) -> bool:
        return self.session_expiry_s > 0

    def delay_range_s(self, attempts: int) -> tuple[float, float]:
        """Shortest and longest wait after `attempts` failed ones."""
        if self.longest_delay_s == self.first_delay_s:
            return self.first_delay_s, self.first_delay_s
        longest = min(self.longest_delay_s, self.first_delay_s * 2.0 ** min(attempts, 30))
        return longest / 2, longest


TWO_HOURS_S = 7200.0
"""EMQX's default session expiry for MQTT 3 clients"""

_MQTTX = Preset(
    "mqttx-default",
    session_expiry_s=0,
    first_delay_s=1,
    longest_delay_s=1,
    max_attempts=10,
    dies_refused=True,
    dies_tcp_refused=True,
)
_EMQTT_BENCH = replace(_MQTTX, name="emqtt_bench-default", max_attempts=0)
_EMQTT_BENCH_RECONNECT = Preset(
    "emqtt_bench-reconnect",
    session_expiry_s=0,
    first_delay_s=5,
    longest_delay_s=5,
    max_attempts=10,
    dies_refused=False,
    dies_tcp_refused=False,
    refusal_renews_attempts=True,
)
_DEVICE = Preset(
    "device",
    session_expiry_s=TWO_HOURS_S,
    first_delay_s=1,
    longest_delay_s=60,
    max_attempts=None,
    dies_refused=False,
    dies_tcp_refused=False,
)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        _MQTTX,
        replace(_MQTTX, name="mqttx-persistent", session_expiry_s=math.inf),
        _EMQTT_BENCH,
        _EMQTT_BENCH_RECONNECT,
        _DEVICE,
    )
}
"""MQTT 5, but for `device`, which speaks MQTT 3.1.1"""
