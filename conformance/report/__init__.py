"""Collects the results of a run, judges them, and writes the reports and the summary."""
