"""A run: what is tested where, how the cluster is brought there, and what is seen. Knows no pytest."""
