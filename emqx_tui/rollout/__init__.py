"""Plans, checks, commands and decisions. Pure; `now` is always an argument."""
