"""What a node must show, derived from hardware, configuration and strategy; no I/O, no cluster, no simulator."""
