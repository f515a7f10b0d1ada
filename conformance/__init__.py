"""MIG conformance: says, with evidence, whether a Kubernetes cluster drives NVIDIA MIG as the GPU Operator promises."""
