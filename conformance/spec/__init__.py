"""What must hold, as data with sources, and the names that all parts share; nothing here accesses a cluster."""
