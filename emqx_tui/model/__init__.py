"""Frozen values read from Kubernetes and EMQX, and nothing that acts. Pure."""
