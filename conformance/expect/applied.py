"""Whether mig-parted finds a configuration applied; if it does not, mig-manager pauses the operands and applies it.

Source: NVIDIA/mig-parted v0.15.0, cmd/nvidia-mig-parted/assert (mode.go and config.go).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from conformance.expect.matching import matching_entries
from conformance.expect.observed import ObservedGpu
from conformance.spec.mig_parted import Entry


def counts_as_applied(gpus: Sequence[ObservedGpu], entries: Sequence[Entry]) -> bool:
    """Return whether mig-parted finds the configuration applied.

    Every GPU of the node must match an entry and carry exactly what it asks for, so a configuration for some of the
    GPUs is never applied. Profiles are compared as they are written: a count of 0 or another spelling, such as
    `7c.7g.40gb`, never matches.
    """
    return all(_carries(gpu, matching_entries(gpu, entries)) for gpu in gpus)


def _carries(gpu: ObservedGpu, matching: Sequence[Entry]) -> bool:
    if not matching or any(entry.enabled != gpu.mode for entry in matching):
        return False
    return not gpu.mode or Counter(str(it.profile) for it in gpu.instances) == dict(matching[-1].mig_devices)
