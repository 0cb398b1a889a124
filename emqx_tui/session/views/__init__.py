"""What a session shows: the View, the facts that both front ends derive from it, the log, and their publishing."""
