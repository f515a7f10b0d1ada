"""The conformance cases: each function reads as the rule that it checks. This package contains nothing else."""
