"""What a driver knows besides the cluster: the journal, which is stored there, and its own memory, which is not."""
