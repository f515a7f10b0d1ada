"""What the suite changes on a cluster: it requests configurations, changes the strategy, and restores everything."""
