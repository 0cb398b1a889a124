"""What is: frozen values read from the cluster and from EMQX. Pure."""
