"""The simulated world: everything wired together on one virtual timeline, and ready-made scenarios."""
