"""The simulated control plane around the store: StatefulSet controller, kubelet, Endpoints, garbage collector."""
