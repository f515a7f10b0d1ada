"""What must hold, as data with sources, and the names of things; nothing here looks at a cluster."""
