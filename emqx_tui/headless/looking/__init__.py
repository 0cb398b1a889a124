"""Commands that only look: `get`, `status`, `doctor`."""
