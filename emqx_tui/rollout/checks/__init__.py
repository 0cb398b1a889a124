"""Checks: pre-flight before a start, gate checks before a step, auto-hold during a release."""
