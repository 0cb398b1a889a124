"""This machine: clocks, host identity, log files."""
