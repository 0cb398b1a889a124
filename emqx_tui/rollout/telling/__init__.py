"""PURE: what is told of a release: progress, stages, failed nodes, what a person may do, and the words."""
