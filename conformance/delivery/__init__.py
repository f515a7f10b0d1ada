"""Brings the results of a run out of the pod it ran in: a ConfigMap, the log, Sonobuoy, and the termination message."""
