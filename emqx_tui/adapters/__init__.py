"""Clients of the outside world: Kubernetes, EMQX, this machine. Importing this package loads no library."""
