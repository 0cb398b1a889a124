"""What `bench conn` is asked for; names and defaults are those of `mqttx bench conn` unless said otherwise."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

V3_1, V3_1_1, V5 = 3, 4, 5
NEVER_EXPIRES = 0xFFFFFFFF


@dataclass(frozen=True, kw_only=True)
class Will:
    topic: str
    message: str = ""
    qos: int = 0
    retain: bool = False
    delay_s: int = 0
    """MQTT 5 only"""


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """Options of `emqx-tui bench conn`."""

    host: str = "localhost"
    port: int = 1883
    count: int = 1000
    interval_ms: int = 10
    """between the starts of two clients"""
    version: int = V5
    client_id: str = ""
    """`%i` is the client's number; without it the number is appended. Empty: a random name"""
    clean: bool = True
    session_expiry_s: int | None = None
    """MQTT 5; None: 0, and never with clean start 0"""
    keep_alive_s: int = 30
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    will: Will | None = None
    reconnect_period_ms: int = 1000
    """0: do not reconnect"""
    max_reconnects: int | None = None
    """attempts in a row; None: no limit, where MQTTX has 10"""
    give_up_when_refused: bool = False
    """as MQTTX does: a refused CONNACK, a refused or reset TCP connection ends a client for good"""
    duration_s: float | None = None
    """end by itself this long after the start; None: on Ctrl-C"""

    def client_ids(self) -> list[str]:
        """One for each client, all different."""
        name = self.client_id or f"emqx-tui_{secrets.token_hex(4)}"
        if "%i" not in name:
            name = name if self.count == 1 else f"{name}_%i"
        return [name.replace("%i", str(number)) for number in range(self.count)]
