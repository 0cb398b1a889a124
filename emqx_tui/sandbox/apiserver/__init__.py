"""The Kubernetes API over HTTP: authentication, watches, discovery, tables, OpenAPI, server-side apply."""
