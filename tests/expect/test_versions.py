"""D-28: images compared with those that are declared."""

from __future__ import annotations

import pytest

from conformance.expect.finding import ConformanceError
from conformance.expect.versions import ComponentImages, Declared, check_images, read_declarations
from tests.expect.made import context

PLUGIN = Declared("nvcr.io/nvidia", "k8s-device-plugin", "v0.20.0")
IMAGE = "nvcr.io/nvidia/k8s-device-plugin:v0.20.0"


@pytest.mark.parametrize(
    ("declared", "image"),
    [
        (PLUGIN, IMAGE),
        (Declared(version="v0.20.0"), IMAGE),
        (Declared(version="v0.20.0"), "registry:5000/mirror/k8s-device-plugin:v0.20.0"),
        (Declared("nvcr.io/nvidia", "driver", "580.159.04"), "nvcr.io/nvidia/driver:580.159.04-ubuntu24.04"),
        (Declared("nvcr.io/nvidia", "driver", "sha256:12ab"), "nvcr.io/nvidia/driver@sha256:12ab"),
        (Declared("nvcr.io/nvidia", "driver", "580"), "nvcr.io/nvidia/driver:580@sha256:12ab"),
    ],
)
def test_declared_images_are_right(declared: Declared, image: str) -> None:
    assert declared.allows(image)


@pytest.mark.parametrize(
    "image",
    [
        "nvcr.io/nvidia/k8s-device-plugin:v0.19.0",
        "nvcr.io/nvidia/k8s-device-plugin:v0.20.01",
        "nvcr.io/nvidia/k8s-device-plugin",
        "nvcr.io/nvidia/k8s-device-plugin@sha256:12ab",
        "docker.io/nvidia/k8s-device-plugin:v0.20.0",
        "nvcr.io/nvidia/other:v0.20.0",
    ],
)
def test_other_images_are_not(image: str) -> None:
    assert not PLUGIN.allows(image)


def test_a_pod_that_runs_something_else_is_named_with_the_declaration() -> None:
    found = ComponentImages("devicePlugin", {"ClusterPolicy": PLUGIN}, {"DaemonSet a": IMAGE, "pod b": "x:latest"})

    with pytest.raises(ConformanceError, match=r"devicePlugin: x:latest \(pod b\), not .*v0\.20\.0 \(ClusterPolicy\)"):
        check_images(context(), [found])


def test_nothing_declared_is_a_finding() -> None:
    with pytest.raises(ConformanceError, match="images of node"):
        check_images(context(), [ComponentImages("devicePlugin", {}, {"DaemonSet a": IMAGE})])


def test_components_without_version_declare_nothing() -> None:
    values = {"gfd": {"version": "v0.20.0"}, "toolkit": {"enabled": True}, "driver": None, "other": {"version": "1"}}

    assert read_declarations(values) == {"gfd": Declared(version="v0.20.0")}
