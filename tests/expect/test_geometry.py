"""D-01: the geometry that a configuration requests, and its comparison with the GPUs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.expect.catalogue import profile_counts
from conformance.expect.finding import ConformanceError
from conformance.expect.geometry import WantedGpu, observed_geometry, wanted_geometry
from conformance.expect.hardware import check_geometry, check_instances, check_mode_settled
from conformance.expect.matching import matching_entries
from conformance.expect.observed import ObservedGpu, ObservedGpuInstance, ObservedProfile
from conformance.spec.mig_parted import Entry, parse
from conformance.spec.models import Engines, load_models
from conformance.spec.profile import Profile
from tests.expect.made import A100_40, A100_80, BALANCED, SEVEN, context, gpu

BARE = ObservedGpuInstance(13, "1g.10gb", 6, 1)
ONE_G, THREE_G = Profile(1, 1, 10), Profile(3, 3, 40)


def entry(devices: str = "all", counts: str = "{1g.10gb: 7}", device_filter: str = "[]", enabled: str = "true") -> str:
    return f"- {{devices: {devices}, mig-enabled: {enabled}, mig-devices: {counts}, device-filter: {device_filter}}}"


def entries(*listed: str) -> tuple[Entry, ...]:
    return parse("version: v1\nmig-configs:\n  x:\n" + "".join(f"  {one}\n" for one in listed)).select("x")


@pytest.mark.parametrize(
    ("device_filter", "matches"),
    [
        ("[]", True),
        ("'0x233010DE'", True),
        ("'0x233010de'", True),
        ("['0x20B210DE', '0x233010DE']", True),
        ("'0x233010DE:0x16C110DE'", True),
        ("'0x233010DE:0x18BF10DE'", False),
        ("'0x233010DE:0x16C110DE:0x1'", False),
        ("'0x20B210DE'", False),
        ("'0x2330'", False),
        ("'0x233010DE:'", False),
        ("' 0x233010DE'", False),
        ("'+0x233010DE'", False),
        ("'0x_2330_10DE'", True),
        ("'590352606'", True),
        ("'04314010336'", True),
        ("'233010DE'", False),
        ("'H100'", False),
    ],
)
def test_device_filter(device_filter: str, matches: bool) -> None:
    assert bool(matching_entries(gpu(), entries(entry(device_filter=device_filter)))) is matches


@pytest.mark.parametrize(("devices", "matches"), [("all", True), ("[0, 2]", False), ("[1]", True), ("[]", False)])
def test_indices(devices: str, matches: bool) -> None:
    assert bool(matching_entries(gpu(index=1), entries(entry(devices=devices)))) is matches


@pytest.mark.parametrize(
    ("gpus", "asked", "expected"),
    [
        ([gpu()], [entry()], [(True, {ONE_G: 7})]),
        ([gpu(SEVEN)], [entry(counts="{}", enabled="false")], [(False, {})]),
        ([gpu(SEVEN)], [entry(counts="{}")], [(True, {})]),
        ([gpu(SEVEN), gpu(index=1)], [entry("[1]", "{3g.40gb: 2}")], [(True, {ONE_G: 7}), (True, {THREE_G: 2})]),
        ([gpu()], [entry(), entry("[0]", "{3g.40gb: 2}")], [(True, {THREE_G: 2})]),
        ([gpu()], [entry(counts="{1g.10gb: 4, 3g.40gb: 1, 2g.20gb: 0}")], [(True, {ONE_G: 4, THREE_G: 1})]),
        ([gpu()], [entry(counts="{1g.5gb: 7}")], [(True, {})]),
        ([gpu()], [entry(counts="{1g.10gb: 1, 1g.10gb+what: 1}")], [(True, {})]),
        ([gpu()], [entry(counts="{1c.3g.40gb: 3}")], [(True, {Profile(1, 3, 40): 3})]),
        ([gpu()], [entry(counts="{4c.7g.80gb: 1}")], [(True, {Profile(4, 7, 80): 1})]),
        ([gpu()], [entry(counts="{3c.4g.40gb: 1}")], [(True, {})]),
        ([gpu(capable=False)], [entry()], [(False, {})]),
    ],
    ids=[
        "plain",
        "off",
        "empty",
        "other GPU kept",
        "last entry wins",
        "several",
        "profile of another GPU",
        "unknown attribute",
        "compute instances",
        "compute instance of half the slices",
        "compute instance that is too large",
        "not MIG-capable",
    ],
)
def test_wanted_geometry(
    gpus: list[ObservedGpu], asked: list[str], expected: list[tuple[bool, dict[Profile, int]]]
) -> None:
    wanted = wanted_geometry(gpus, entries(*asked))

    assert [(one.enabled, dict(one.instances)) for one in wanted] == expected


def test_a_name_that_another_gpu_offers_is_kept() -> None:
    """The 40 GB GPU offers 1g.5gb, so mig-parted also tries to create it on the 80 GB GPU, and fails."""
    gpus = [gpu(board=A100_80), gpu(board=A100_40, index=1)]

    assert [dict(one.instances) for one in wanted_geometry(gpus, entries(entry(counts="{1g.5gb: 1}")))] == [
        {Profile(1, 1, 5): 1},
        {Profile(1, 1, 5): 1},
    ]


def test_counts_come_from_the_table_except_for_models_without_confirmed_placements() -> None:
    misread = replace(gpu(), profiles={"1g.10gb": ObservedProfile(6)})
    foreign = replace(misread, name="NVIDIA Unheard Of")
    uncertain = replace(misread, name=load_models()["rtx-pro-5000-48gb"].boards[0].name)

    assert profile_counts(misread)["1g.10gb"] == 7
    assert profile_counts(foreign) == profile_counts(uncertain) == {"1g.10gb": 6}


def test_right_hardware_passes() -> None:
    gpus = [gpu(BALANCED), gpu(SEVEN, index=1), gpu([[9, 0, 4, 3]], index=2), gpu(index=3)]

    check_geometry(context(), gpus, observed_geometry(gpus))
    check_instances(context(), gpus)
    check_mode_settled(context(), gpus)


def test_a_missing_instance() -> None:
    with pytest.raises(ConformanceError) as failed:
        check_geometry(context(), [gpu(SEVEN[:6])], [WantedGpu(0, enabled=True, instances={ONE_G: 7})])

    assert str(failed.value) == (
        "D-01 geometry of node sim-0 under single, all-1g.10gb\n"
        "  expected    GPU 0: MIG on, 7 x 1g.10gb\n"
        "  found       GPU 0: MIG on, 6 x 1g.10gb"
    )


def test_a_gpu_instance_without_a_compute_instance() -> None:
    """It gives no MIG device, so that mig-parted takes the geometry for right."""
    seen = gpu(SEVEN[:6])
    every = (*(ObservedGpuInstance(device.gpu_instance, "1g.10gb", 0, 1) for device in seen.instances), BARE)
    bare = replace(seen, gpu_instances=every)

    with pytest.raises(ConformanceError) as failed:
        check_geometry(context(), [bare], observed_geometry([seen]))

    assert str(failed.value) == (
        "D-01 geometry of node sim-0 under single, all-1g.10gb\n"
        "  expected    GPU 0: MIG on, 6 x 1g.10gb\n"
        "  found       GPU 0: MIG on, 6 x 1g.10gb, GPU instance 13 (1g.10gb) without compute instance"
    )


def test_a_gpu_instance_without_a_compute_instance_takes_up_room() -> None:
    bare = replace(gpu(SEVEN), gpu_instances=(BARE,))

    with pytest.raises(ConformanceError, match="GPU 0 GPU instances 7 and 13 overlap at 6"):
        check_instances(context(), [bare])


def test_a_pending_mode() -> None:
    waiting = replace(gpu(), pending_mode=True)

    with pytest.raises(ConformanceError, match="the new MIG mode of GPU 0 is pending until a reset or reboot"):
        check_geometry(context(), [waiting], [WantedGpu(0, enabled=True, instances={ONE_G: 7})])
    with pytest.raises(ConformanceError) as failed:
        check_mode_settled(context(), [waiting])
    assert str(failed.value) == (
        "D-01 MIG mode of node sim-0 under single, all-1g.10gb\n"
        "  expected    GPU 0: pending mode off\n"
        "  found       GPU 0: pending mode on\n"
        "  likely      the GPU needs a reset, or the node a reboot"
    )


@pytest.mark.parametrize("index", range(3))
def test_every_gpu_is_checked(index: int) -> None:
    """The first GPU is not more important than the last."""
    gpus = [gpu(SEVEN, index=each) for each in range(3)]
    wanted = observed_geometry(gpus)

    def with_wrong(**fields: object) -> list[ObservedGpu]:
        return [replace(one, **fields) if one.index == index else one for one in gpus]  # type: ignore[arg-type]

    instances = gpus[index].instances
    for check, wrong in (
        (check_instances, with_wrong(instances=(*instances[:-1], replace(instances[-1], multiprocessors=15)))),
        (check_instances, with_wrong(instances=(*instances[:-1], replace(instances[-1], start=5)))),
        (check_instances, with_wrong(instances=(*instances[:-1], replace(instances[-1], uuid=instances[0].uuid)))),
        (check_instances, with_wrong(memory_mib=40960)),
        (check_mode_settled, with_wrong(pending_mode=False)),
    ):
        with pytest.raises(ConformanceError, match=f"GPU {index}|devices with UUID MIG-{index}"):
            check(context(), wrong)
    for wrong in (with_wrong(instances=instances[:-1]), with_wrong(mode=False, instances=())):
        with pytest.raises(ConformanceError, match=f"found       GPU {index}"):
            check_geometry(context(), wrong, wanted)


@pytest.mark.parametrize("at", range(7))
def test_every_device_is_checked(at: int) -> None:
    instances = list(gpu(SEVEN).instances)
    instances[at] = replace(instances[at], gpu_slices=2)

    with pytest.raises(ConformanceError, match="slices of the GPU instance 2"):
        check_instances(context(), [replace(gpu(SEVEN), instances=tuple(instances))])


def test_every_deviation_is_listed() -> None:
    first, second, third, fourth = gpu(BALANCED).instances
    wrong = replace(
        gpu(),
        mode=True,
        instances=(
            replace(first, start=3),
            replace(second, multiprocessors=31),
            replace(third, uuid=fourth.uuid, memory_mib=20096),
            replace(fourth, compute_slices=2),
        ),
    )

    with pytest.raises(ConformanceError) as failed:
        check_instances(context(), [wrong])

    assert str(failed.value) == (
        "D-01 MIG devices of node sim-0 under single, all-1g.10gb\n"
        "  expected    every device matches its profile and has a legal placement of its own\n"
        "  found       2 devices with UUID MIG-0-4-0\n"
        "              GPU 0 GPU instances 2 and 1 overlap at 3\n"
        "              GPU 0 3g.40gb: placement 3:4, legal 0:4, 4:4\n"
        "              GPU 0 2g.20gb: 31 multiprocessors instead of 32\n"
        "              GPU 0 1g.10gb: 20096 of 81559 MiB do not give this name\n"
        "              GPU 0 1g.10gb: slices of the GPU instance 1, of the compute instance 2"
    )


def test_memory_may_differ_between_drivers_if_it_still_gives_the_name() -> None:
    """3g.40gb has 40320 MiB with driver 550 and 40448 MiB with driver 580."""
    (device,) = gpu([[9, 0, 4, 1]]).instances
    older = replace(gpu().profiles["3g.40gb"], memory_mib=40320)
    of_550 = replace(gpu(), mode=True, profiles={"3g.40gb": older}, instances=(replace(device, memory_mib=40320),))

    check_instances(context(), [of_550])


def wrong(found: ObservedGpu) -> list[str]:
    with pytest.raises(ConformanceError) as failed:
        check_instances(context(), [found])
    lines = str(failed.value).splitlines()[2:]
    return [line.removeprefix("  found").strip().removeprefix("GPU 0 ") for line in lines]


def test_a_device_must_match_the_profile_that_the_driver_reports() -> None:
    """Memory and engines differ between drivers, so they are compared with the profile that the same driver reports."""
    whole = gpu([[9, 4, 4, 1]])
    (device,) = whole.instances
    less = replace(device, memory_mib=40320, engines=Engines(3, 2, 0, 3, 1))
    elsewhere = {"3g.40gb": replace(whole.profiles["3g.40gb"], placements=frozenset({(0, 4)}))}

    assert wrong(replace(whole, instances=(less,))) == [
        "3g.40gb: 40320 MiB, but 40448 in the driver's profile",
        "3g.40gb: decoder engines 2, but 3 in the driver's profile",
        "3g.40gb: ofa engines 1, but 0 in the driver's profile",
    ]
    assert wrong(replace(whole, profiles=elsewhere)) == ["3g.40gb: placement 4:4, legal 0:4"]


def test_a_gpu_with_half_its_memory() -> None:
    """The MIG devices keep their names, which depend only on their share of the total."""
    halved = replace(gpu(SEVEN), memory_mib=81559 // 2)

    assert wrong(halved) == ["40779 MiB in total instead of about 81559"]
    check_instances(context(), [replace(gpu(), memory_mib=80000), replace(gpu(), memory_mib=0)])


def test_assumed_and_unknown_figures_are_not_compared() -> None:
    (device,) = gpu([[14, 0, 2, 1]], board="h20").instances
    odd = replace(device, start=7, multiprocessors=3, engines=None)
    unread = replace(gpu(board="h20"), mode=True, profiles={})

    check_instances(context(), [replace(unread, instances=(odd,))])
    check_instances(context(), [replace(unread, instances=(replace(odd, start=None),))])
