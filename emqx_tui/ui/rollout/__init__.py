"""The rollout screen: headline, step rail, plot, node table, client ledger, log."""
