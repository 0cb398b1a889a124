"""PURE: a release that was only rehearsed: the shape of the cluster, and what was shown."""
