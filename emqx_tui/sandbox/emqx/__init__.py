"""Simulated EMQX 4.4 brokers, their Node Evacuation and their management API v4."""
