"""The Kubernetes API: kubeconfig, credentials, requests, watches, port-forward."""
