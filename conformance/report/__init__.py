"""Collects results and evidence of a run and writes what people and machines read of it."""
