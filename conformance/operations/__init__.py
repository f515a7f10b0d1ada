"""What this suite does with MIG on a cluster: asks for configurations, switches the strategy, puts everything back."""
