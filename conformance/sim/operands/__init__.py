"""The small operands: driver, toolkit, DCGM, the validator and the CUDA sample.

Source: NVIDIA/gpu-operator v26.7.0, assets, cmd/nvidia-validator and validator.
"""

from conformance.sim.operands.programs import COMMANDS, vector_add
from conformance.sim.operands.validator import validator

__all__ = ["COMMANDS", "validator", "vector_add"]
