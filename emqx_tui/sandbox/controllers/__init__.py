"""The simulated control plane: informer, work queue, event recorder, and the controllers and kubelet built on them."""
