"""A run: what it starts on a cluster and how many nodes it takes at once; knows no pytest."""
