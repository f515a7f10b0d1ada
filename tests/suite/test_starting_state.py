"""Whether what was found could be brought back."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from conformance.cluster.views import node_view
from conformance.spec.mig_parted import parse
from conformance.suite.starting_state import why_not_as_labelled, why_not_restorable
from conformance.suite.targets import Target
from tests.expect.made import gpu

HALF = "half: [{devices: all, mig-enabled: true, mig-devices: {1g.10gb: 3}}]"
WITHOUT = f"version: v1\nmig-configs: {{{HALF}}}"
WITH = f"version: v1\nmig-configs: {{all-disabled: [{{devices: all, mig-enabled: false}}], {HALF}}}"


def judge(labels: Mapping[str, str], file: str = WITH, **resources: str) -> str | None:
    meta = {
        "name": "a",
        "uid": "u",
        "resourceVersion": "1",
        "labels": {f"nvidia.com/{k}": v for k, v in labels.items()},
    }
    allocatable = {f"nvidia.com/{name.replace('_', '-')}": count for name, count in resources.items()}
    node = node_view({"metadata": meta, "status": {"allocatable": allocatable}})
    return why_not_restorable(node, Target("a", "H100", "my-file", parse(file), {}))


@pytest.mark.parametrize(
    ("labels", "file", "resources"),
    [
        ({"mig.config": "half", "mig.config.state": "success"}, WITH, {"gpu": "3"}),
        ({"mig.config": "half", "mig.config.state": "success"}, WITHOUT, {"gpu": "3"}),
        ({}, WITH, {"gpu": "1"}),
    ],
    ids=["a configuration of the file", "a file without all-disabled that is not needed", "whole GPUs, no label"],
)
def test_what_can_be_brought_back_is_accepted(labels: dict[str, str], file: str, resources: dict[str, str]) -> None:
    assert judge(labels, file, **resources) is None


@pytest.mark.parametrize(
    ("labels", "file", "resources", "why"),
    [
        (
            {"mig.config": "gone", "mig.config.state": "success"},
            WITH,
            {},
            "names no configuration of ConfigMap my-file",
        ),
        ({"mig.config": "all-disabled", "mig.config.state": "failed"}, WITHOUT, {"gpu": "1"}, "add all-disabled there"),
        ({"mig.config": "half", "mig.config.state": "failed"}, WITH, {}, "its state is failed, not success"),
        ({"mig.config": "half"}, WITH, {}, "its state is absent, not success"),
        ({}, WITH, {"mig_1g.10gb": "3"}, "no label nvidia.com/mig.config, but its GPUs are partitioned"),
        ({"gpu.product": "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"}, WITH, {"gpu": "3"}, "but its GPUs are partitioned"),
        ({}, WITHOUT, {"gpu": "1"}, "has no configuration all-disabled"),
    ],
)
def test_what_cannot_be_brought_back_is_refused_with_the_reason(
    labels: dict[str, str], file: str, resources: dict[str, str], why: str
) -> None:
    assert why in (judge(labels, file, **resources) or "")


THIRD = [(19, start, 1, 1) for start in range(3)]
"""Three slices 1g.10gb, as the configuration `half` makes them."""


def judge_gpus(configuration: str | None, *instances: list[tuple[int, int, int, int]]) -> str | None:
    gpus = [gpu(made, index=index) for index, made in enumerate(instances)]
    return why_not_as_labelled(configuration, Target("a", "H100", "my-file", parse(WITH), {}), gpus)


@pytest.mark.parametrize(
    ("configuration", "instances"),
    [("half", [THIRD, THIRD]), ("all-disabled", [[], []]), (None, [[], []])],
    ids=["slices", "whole GPUs", "no label"],
)
def test_gpus_that_are_as_the_label_says_are_accepted(
    configuration: str | None, instances: list[list[tuple[int, int, int, int]]]
) -> None:
    assert judge_gpus(configuration, *instances) is None


@pytest.mark.parametrize(
    ("configuration", "instances", "why"),
    [
        (
            "half",
            [THIRD, THIRD[:2]],
            (
                "it has nvidia.com/mig.config=half, but GPU 1 has 2 x 1g.10gb, not 3 x 1g.10gb; set the label to the "
                "configuration of its GPUs"
            ),
        ),
        (
            "all-disabled",
            [THIRD, []],
            (
                "it has nvidia.com/mig.config=all-disabled, but GPU 0 has 3 x 1g.10gb, not MIG off; set the label to "
                "the configuration of its GPUs"
            ),
        ),
        (
            None,
            [[], THIRD],
            (
                "it has no label nvidia.com/mig.config, but GPU 1 has 3 x 1g.10gb, not MIG off; set the label to "
                "the configuration of its GPUs"
            ),
        ),
    ],
    ids=["a slice is missing", "slices of somebody", "slices without a label"],
)
def test_gpus_that_are_not_as_the_label_says_are_refused(
    configuration: str | None, instances: list[list[tuple[int, int, int, int]]], why: str
) -> None:
    """mig-manager would bring back what the label says, and not what somebody made by hand."""
    assert judge_gpus(configuration, *instances) == why
