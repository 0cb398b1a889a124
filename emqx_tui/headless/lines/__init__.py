"""What a run prints: records, the differences they come from, their words."""
