"""D-04, D-15: the expected configurations are those that mig-manager generates or the operator ships."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.expect.finding import ConformanceError
from conformance.expect.observed import ObservedGpu
from conformance.expect.offers import (
    check_applied,
    check_offered_again,
    check_offers,
    check_offers_as_labelled,
    check_untainted,
    expected_offers,
)
from conformance.spec.mig_parted import Configurations, parse
from conformance.spec.models import GpuModel, load_models
from conformance.spec.names import State
from conformance.spec.static_config import static_configurations
from tests.expect.made import A30, H100, context, gpu

GENERATED = sorted((Path(__file__).parent / "generated").glob("*.yaml"))


def generated(boards: str) -> Configurations:
    return parse((Path(__file__).parent / "generated" / f"{boards}.yaml").read_text(encoding="utf-8"))


def without(offered: Configurations, name: str) -> Configurations:
    return replace(offered, entries={key: value for key, value in offered.entries.items() if key != name})


@pytest.mark.parametrize("boards", [path.stem for path in GENERATED])
def test_recorded_configurations_pass(boards: str) -> None:
    gpus = [gpu(board=board, index=index) for index, board in enumerate(boards.split("+"))]

    check_offers(context(), gpus, generated(boards), "v0.14.0")


@pytest.mark.parametrize(
    ("board", "missing", "right"),
    [
        (H100, (), True),
        (H100, ("all-3g.40gb",), False),
        ("h100-of-tomorrow", ("all-3g.40gb",), True),
        ("h100-of-tomorrow", ("all-enabled",), False),
    ],
)
def test_labels_tell_the_configurations_of_known_models(board: str, missing: tuple[str, ...], right: bool) -> None:
    described = gpu(board=H100) if board == H100 else replace(gpu(board=H100), name=board)
    offered = generated(H100)
    for name in missing:
        offered = without(offered, name)

    with nullcontext() if right else pytest.raises(ConformanceError):
        check_offers_as_labelled(context(), [described], offered, "v0.15.0")


@pytest.mark.parametrize("model", load_models().values(), ids=lambda model: model.name)
def test_all_balanced_is_the_same_as_in_the_table(model: GpuModel) -> None:
    offers = expected_offers([gpu(board=model.boards[0].slug)], "v0.15.0")

    counts = ", ".join(f"{count} x {name}" for name, count in sorted(model.all_balanced.items()))
    assert offers.get("all-balanced") == ({0: f"MIG on, {counts}"} if counts else None)


def test_names_for_an_a30() -> None:
    assert list(expected_offers([gpu(board=A30)], "v0.15.0")) == [
        "all-1g.6gb",
        "all-1g.6gb.me",
        "all-2g.12gb",
        "all-2g.12gb.me",
        "all-4g.24gb",
        "all-balanced",
        "all-disabled",
        "all-enabled",
    ]


def test_a_gpu_without_mig_gets_no_configurations_of_its_own() -> None:
    assert expected_offers([gpu(capable=False)], "v0.15.0") == {
        "all-disabled": {0: "MIG off"},
        "all-enabled": {0: "MIG on, no instances"},
    }


def test_before_v0_14_the_shipped_file_is_offered() -> None:
    gpus = [gpu()]

    assert len(expected_offers(gpus, "v0.13.1")) == 81
    check_offers(context(), gpus, static_configurations(), "v0.13.1")
    with pytest.raises(ConformanceError):
        check_offers(context(), gpus, generated(H100), "v0.13.1")


def test_a_missing_name() -> None:
    with pytest.raises(ConformanceError) as failed:
        check_offers(context(requirement="D-15"), [gpu()], without(generated(H100), "all-balanced"), "v0.15.0")

    assert str(failed.value) == (
        "D-15 offered configurations of node sim-0 under single, all-1g.10gb\n"
        "  expected    all-balanced: MIG on, 2 x 1g.10gb, 1 x 2g.20gb, 1 x 3g.40gb\n"
        "  found       nothing\n"
        "  missing     all-balanced"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- {devices: all, mig-enabled: true, mig-devices: {1g.10gb: 6}}", "all-1g.10gb: MIG on, 6 x 1g.10gb"),
        ("- {devices: [1], mig-enabled: true, mig-devices: {1g.10gb: 7}}", "GPU 0 left as it is; GPU 1 MIG on, 7 x"),
        ("- {devices: all, mig-enabled: false}", "all-1g.10gb: MIG off"),
    ],
)
def test_a_name_with_another_effect(text: str, says: str) -> None:
    offered = generated(H100)
    other = parse(f"version: v1\nmig-configs:\n  all-1g.10gb:\n  {text}\n").entries
    gpus: list[ObservedGpu] = [gpu(), gpu(index=1)]

    with pytest.raises(ConformanceError) as failed:
        check_offers(context(), gpus, replace(offered, entries={**offered.entries, **other}), "v0.15.0")

    assert "expected    all-1g.10gb: MIG on, 7 x 1g.10gb" in str(failed.value)
    assert says in str(failed.value)


def test_success_is_applied() -> None:
    check_applied(context(), State.SUCCESS)


def test_a_new_taint_is_named() -> None:
    check_untainted(context(), ())

    for taints in (["a=b:NoSchedule"], ["a=b:NoSchedule", "c=:NoExecute"]):
        with pytest.raises(ConformanceError) as failed:
            check_untainted(context(requirement="D-04"), taints)
        assert str(failed.value) == (
            "D-04 new taints of node sim-0 under single, all-1g.10gb\n"
            "  expected    nothing\n"
            "  found       " + "\n              ".join(taints) + "\n"
            "  likely      mig-manager does not taint nodes; pods of the suite cannot start here"
        )


def test_any_other_state_is_not_applied() -> None:
    with pytest.raises(ConformanceError) as failed:
        check_applied(context(requirement="D-04"), "failed", 'msg="Error applying MIG configuration"')

    assert str(failed.value) == (
        "D-04 state of node sim-0 under single, all-1g.10gb\n"
        "  expected    success\n"
        "  found       failed\n"
        '  likely      nvidia-mig-manager: msg="Error applying MIG configuration"'
    )
    with pytest.raises(ConformanceError, match="found       nothing"):
        check_applied(context(), None)


def test_who_keeps_gpus_busy_is_a_likely_cause() -> None:
    with pytest.raises(ConformanceError) as failed:
        check_applied(context(), "failed", "In use by another client", ["pod team/train holds nvidia.com/gpu: 1"])

    assert failed.value.finding.likely[1:] == ("pod team/train holds nvidia.com/gpu: 1",)


def test_same_configurations_are_offered_again_in_any_order() -> None:
    check_offered_again(context(), ["b", "a"], ["a", "b"])


def test_a_configuration_that_does_not_return_is_named() -> None:
    with pytest.raises(ConformanceError, match=r"missing +all-1g\.10gb"):
        check_offered_again(context(), ["all-disabled", "all-1g.10gb"], ["all-disabled"])


def test_a_configuration_of_the_other_file_is_named() -> None:
    with pytest.raises(ConformanceError, match=r"unexpected +of-the-other"):
        check_offered_again(context(), ["all-disabled"], ["all-disabled", "of-the-other"])
