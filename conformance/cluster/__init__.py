"""A Kubernetes client for tests: typed views and a timeline fed by watches, bounded waits, exec and logs."""
