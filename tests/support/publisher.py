"""A program: publishes numbers at QoS 1 until its input ends, then prints how many. `PORT TOPIC`.

A process of its own, because paho-mqtt waits with select(), which knows no descriptor above 1,023: a test that serves
thousands of connections has those.
"""

from __future__ import annotations

import sys
import threading

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

PERIOD_S = 0.02
LAST_WITHIN_S = 20


def main(port: str, topic: str) -> None:
    """What was not acknowledged is sent again on the next connection: paho sees to that."""
    version = MQTTProtocolVersion.MQTTv311
    client = Client(CallbackAPIVersion.VERSION2, "publisher", clean_session=False, protocol=version)
    client.reconnect_delay_set(1, 1)
    acknowledged = threading.Semaphore(0)
    client.on_publish = lambda *_: acknowledged.release()
    client.connect("127.0.0.1", int(port))
    client.loop_start()
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    count = 0
    while not ended.wait(PERIOD_S):
        client.publish(topic, str(count), qos=1)
        count += 1
    if not all(acknowledged.acquire(timeout=LAST_WITHIN_S) for _ in range(count)):
        sys.exit("not all were acknowledged")
    client.disconnect()
    client.loop_stop()
    print(count)


if __name__ == "__main__":
    main(*sys.argv[1:])
