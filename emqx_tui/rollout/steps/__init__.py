"""What each part of a release wants done next: forward, abort, canary, finish. Each yields commands."""
