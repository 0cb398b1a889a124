"""The imperative shell of a rollout; it needs no terminal."""
