"""What is asked only while somebody looks inside a cluster: objects, Events, logs, claims, rights."""
