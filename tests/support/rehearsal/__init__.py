"""The session run on the simulated world, in process and in virtual time."""
