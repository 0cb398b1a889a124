"""PURE: a release without a journal: what can be known of it, and how it gets one."""
