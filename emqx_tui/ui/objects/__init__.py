"""Inside one cluster: the tree of its objects, and what stands behind each: YAML, description, Events, logs."""
