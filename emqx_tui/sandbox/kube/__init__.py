"""The Kubernetes API without sockets: object store, patches, selectors, lists, access rules."""
