"""One intent from a second terminal, and its answer."""
