"""One session on the sandbox and on the bed, recorded and compared."""
