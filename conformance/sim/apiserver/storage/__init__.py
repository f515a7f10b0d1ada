"""The storage layer: the store, and the lists and watches that read it."""
