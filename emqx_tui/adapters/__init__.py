"""The outside world: one file per party, the only importers of their libraries. Importing this package loads none."""
