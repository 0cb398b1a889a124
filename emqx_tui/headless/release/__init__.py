"""A release from a script: planned, run to its end, summed up."""
