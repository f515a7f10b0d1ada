"""What is done to a cluster, a module for each scenario.

A scenario declares itself, is done on all nodes at the same time, and gives the evidence of each node as plain data.
"""
