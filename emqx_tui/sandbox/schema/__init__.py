"""Object schemas of the served kinds: validation, pruning, defaults, and the rules that no schema holds."""
