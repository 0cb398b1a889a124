"""A module for each command, `verbs` for those that act on a release: `run(arguments, settings)`, the exit code."""
