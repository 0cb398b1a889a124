"""PURE: a release told after its end, alone, beside its forecast or beside another."""
