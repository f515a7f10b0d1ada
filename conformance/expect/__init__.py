"""From hardware, configuration and strategy to what a node must show; no input or output, no cluster, no simulator."""
