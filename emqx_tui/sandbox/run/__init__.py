"""Running a sandbox: the foreground command, real time, loopback subnets, pod sockets."""
