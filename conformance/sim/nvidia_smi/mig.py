"""`nvidia-smi mig`: GPU instance profiles, placements and instances.

Sources: tests/sim/hardware/*.txt (driver 580) for `-lgip` and `-lgipp`; output published by users of the same driver
branch for `-lgi`; MIG User Guide r580 for `-lci`; docs/reference/nvidia-smi.md#messages for the messages.
"""

from __future__ import annotations

from conformance.sim.hardware import ErrorCode, Gpu
from conformance.sim.hardware.compute import SIZES
from conformance.sim.nvidia_smi.answer import Answer, View
from conformance.spec.models import ProfileRow

PROFILES_HEAD = """\
+-------------------------------------------------------------------------------+
| GPU instance profiles:                                                        |
| GPU   Name               ID    Instances   Memory     P2P    SM    DEC   ENC  |
|                                Free/Total   GiB              CE    JPEG  OFA  |
|===============================================================================|
"""
INSTANCES_HEAD = """\
+---------------------------------------------------------+
| GPU instances:                                          |
| GPU   Name               Profile  Instance   Placement  |
|                            ID       ID       Start:Size |
|=========================================================|
"""
COMPUTE_HEAD = """\
+--------------------------------------------------------------------+
| Compute instances:                                                 |
| GPU     GPU       Name             Profile   Instance   Placement  |
|       Instance                       ID        ID       Start:Size |
|         ID                                                         |
|====================================================================|
"""
NO_MIG_ENABLED = "No MIG-enabled devices found.\n"


def profiles(view: View) -> Answer:
    """`-lgip`: each profile with the number that still fits, memory in GiB and engines."""
    offering = [(index, gpu) for index, gpu in view.gpus if _lists_profiles(view, gpu)]
    if not offering:
        return 0, NO_MIG_ENABLED
    edge = PROFILES_HEAD.partition("\n")[0] + "\n"
    rows = [_profile(index, row, gpu.remaining(row)) + edge for index, gpu in offering for row in gpu.model.profiles]
    return 0, PROFILES_HEAD + "".join(rows)


def placements(view: View) -> Answer:
    """`-lgipp`: every placement of each profile, taken or not."""
    lines = [
        f"GPU {index:>2} Profile ID {row.gi_profile_id:>2} {_placements(row)}\n"
        for index, gpu in view.gpus
        if _lists_profiles(view, gpu)
        for row in gpu.model.profiles
    ]
    return 0, "".join(lines) or NO_MIG_ENABLED


def instances(view: View) -> Answer:
    """`-lgi`: the GPU instances by profile, in the profiles' order, and by id."""
    if not view.mig_enabled:
        return 0, NO_MIG_ENABLED
    if view.nvml.visible is not None:
        return int(ErrorCode.NO_PERMISSION), "No GPU instances found: Insufficient Permissions\n"
    edge = INSTANCES_HEAD.partition("\n")[0] + "\n"
    rows = [
        f"| {index:>3}  {'MIG ' + row.name:<19}   {row.gi_profile_id:>2}{instance.id:>9}"
        f"{_start(view, index, instance.id):>11}:{instance.size:<6}|\n{edge}"
        for index, gpu in view.mig_enabled
        for row in gpu.model.profiles
        for instance in gpu.instances
        if instance.row is row
    ]
    if not rows:
        return int(ErrorCode.NOT_FOUND), "No GPU instances found: Not Found\n"
    return 0, INSTANCES_HEAD + "".join(rows)


def compute_instances(view: View) -> Answer:
    """`-lci`: the compute instances by GPU instance and by id."""
    if not view.mig_enabled:
        return 0, NO_MIG_ENABLED
    if view.nvml.visible is not None:
        return int(ErrorCode.NO_PERMISSION), "No compute instances found: Insufficient Permissions\n"
    edge = COMPUTE_HEAD.partition("\n")[0] + "\n"
    rows = []
    for index, gpu in view.mig_enabled:
        for instance in gpu.instances:
            start = 0
            for compute in instance.compute_instances:
                part = "" if compute.slices == instance.row.slices else f"{compute.slices}c."
                profile = next(number for number, slices in SIZES.items() if slices == compute.slices)
                name = f"MIG {part}{instance.row.name}"
                rows.append(
                    f"| {index:>3}     {instance.id:>2}       {name:<17}{profile:>3}{compute.id:>10}"
                    f"{start:>11}:{compute.slices:<6}|\n{edge}"
                )
                start += compute.slices
    if not rows:
        return int(ErrorCode.NOT_FOUND), "No compute instances found: Not Found\n"
    return 0, COMPUTE_HEAD + "".join(rows)


def _lists_profiles(view: View, gpu: Gpu) -> bool:
    return gpu.mig_capable and (gpu.mode_current or not view.nvml.hardware.profiles_need_mig)


def _profile(index: int, row: ProfileRow, free: int) -> str:
    engines = row.engines
    fits = f"{free}/{row.max_instances}"
    memory = f"{row.memory_mib / 1024:.2f}"
    return (
        f"| {index:>3}  {'MIG ' + row.name:<19} {row.gi_profile_id:>2}     {fits:<10} {memory:<11}No     "
        f"{row.multiprocessors:<7}{engines.decoder:<6}{engines.encoder:<4}|\n"
        f"|{'':63}{engines.copy:<6}{engines.jpeg:<6}{engines.ofa:<4}|\n"
    )


def _placements(row: ProfileRow) -> str:
    starts = row.placements.starts
    word = "Placement :" if len(starts) == 1 else "Placements:"
    return f"{word} {{{','.join(map(str, starts))}}}:{row.placements.size}"


def _start(view: View, index: int, instance_id: int) -> int:
    instance = view.nvml.nvmlDeviceGetGpuInstanceById(view.handle(index), instance_id)
    return int(view.nvml.nvmlGpuInstanceGetInfo(instance).placement.start)
