"""The Kubernetes API without sockets: storage, writes, patches, selectors, lists, RBAC."""
