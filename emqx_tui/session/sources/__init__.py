"""What a session learns: watches of Kubernetes, polls of EMQX, and what is read only when somebody looks at it."""
