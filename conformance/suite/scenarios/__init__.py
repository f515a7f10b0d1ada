"""The scenarios, one module each: an action on a node, and the evidence that it gives as plain data."""
