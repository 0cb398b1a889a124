"""What a session keeps in the cluster: the journal Secret, the driver Lease and the result Event."""
