"""PURE: what a release will take, told at its start and compared with how it goes."""
