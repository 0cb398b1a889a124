"""Simulated MQTT clients as cohorts, and how their connections are routed."""
