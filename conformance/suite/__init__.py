"""A conformance run without pytest: which cases run where, how nodes are brought there, and what was observed."""
