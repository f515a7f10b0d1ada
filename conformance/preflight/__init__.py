"""Preflight: what in a cluster keeps a run from judging, or may disturb it, found by reading once."""
