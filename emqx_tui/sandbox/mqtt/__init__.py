"""MQTT 3.1, 3.1.1 and 5 over TCP, in front of the simulated brokers."""
