"""What to do: plans, checks, commands and the decision. Pure; `now` is always an argument."""
