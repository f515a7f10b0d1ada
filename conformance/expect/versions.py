"""D-28: the images of the operands are those that are declared.

Source: gpu-operator v26.7.0, api/nvidia/v1/clusterpolicy_types.go: an image is `repository/image:version`, with `@` in
place of `:` before a digest; Helm values have the same fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.spec.names import (
    DCGM_APP,
    DCGM_EXPORTER_APP,
    DEVICE_PLUGIN_APP,
    DEVICE_PLUGIN_CONTAINER,
    DRIVER_APP,
    DRIVER_CONTAINER,
    FEATURE_DISCOVERY_APP,
    MIG_MANAGER_APP,
    TOOLKIT_APP,
    VALIDATOR_APP,
)

COMPONENTS: Final[Mapping[str, tuple[str, str]]] = {
    "driver": (DRIVER_APP, DRIVER_CONTAINER),
    "toolkit": (TOOLKIT_APP, "nvidia-container-toolkit-ctr"),
    "devicePlugin": (DEVICE_PLUGIN_APP, DEVICE_PLUGIN_CONTAINER),
    "gfd": (FEATURE_DISCOVERY_APP, FEATURE_DISCOVERY_APP),
    "migManager": (MIG_MANAGER_APP, MIG_MANAGER_APP),
    "dcgm": (DCGM_APP, "nvidia-dcgm-ctr"),
    "dcgmExporter": (DCGM_EXPORTER_APP, DCGM_EXPORTER_APP),
    "validator": (VALIDATOR_APP, VALIDATOR_APP),
}
"""Field of the ClusterPolicy and of the Helm values to the DaemonSet and container that it declares."""
_FIELDS: Final = ("repository", "image", "version")


@dataclass(frozen=True)
class Declared:
    """What declares the image of a component. An empty field is not declared, and not compared.

    Attributes:
        repository: Registry and path.
        image: Name of the image.
        version: Tag or digest.
    """

    repository: str = ""
    image: str = ""
    version: str = ""

    def __str__(self) -> str:
        path = "/".join(part for part in (self.repository, self.image) if part)
        return f"{path}{'@' if self.version.startswith('sha256:') else ':'}{self.version}" if path else self.version

    def allows(self, image: str) -> bool:
        """Return whether an image is as declared. A tag may have the operating system as a suffix, as drivers do."""
        before, _, digest = image.partition("@")
        path, _, tag = before.rpartition(":") if ":" in before.rpartition("/")[2] else (before, "", "")
        repository, _, name = path.rpartition("/")
        version = digest if self.version.startswith("sha256:") else tag
        return (
            self.repository in ("", repository)
            and self.image in ("", name)
            and (self.version in ("", version) or version.startswith(f"{self.version}-"))
        )


@dataclass(frozen=True)
class ComponentImages:
    """The images of one component on a node.

    Attributes:
        name: Its field in the ClusterPolicy.
        declared: What declares it, by the place of the declaration, such as `ClusterPolicy`.
        found: Images by the place where they were found: the DaemonSet, pods on the node.
    """

    name: str
    declared: Mapping[str, Declared]
    found: Mapping[str, str]


def read_declarations(values: Mapping[str, Any]) -> dict[str, Declared]:
    """Return what the spec of a ClusterPolicy or Helm values declare, by component; only those with a version."""
    found = {}
    for name in COMPONENTS:
        part = values.get(name)
        if isinstance(part, Mapping) and part.get("version"):
            found[name] = Declared(*(str(part.get(key) or "") for key in _FIELDS))
    return found


def check_images(context: CheckContext, components: Sequence[ComponentImages]) -> None:
    """Check that each component runs the image that is declared, in the template and in the pods on the node.

    Raises:
        ConformanceError: An image differs, or nothing is declared; the message names all that differ.
    """
    wrong = [line for component in components for line in differences(component)]
    compared = [component for component in components if component.declared and component.found]
    if wrong or not compared:
        expected = tuple(
            f"{component.name}: {declared} ({place})"
            for component in components
            for place, declared in component.declared.items()
        )
        likely = ("somebody edited a DaemonSet, or the operator has not applied the ClusterPolicy: see its log",)
        raise ConformanceError(context, "images", Finding(expected, tuple(wrong)), likely)


def differences(component: ComponentImages) -> Iterator[str]:
    """Yield how images of a component differ from what is declared."""
    for place, declared in component.declared.items():
        for where, image in component.found.items():
            if not declared.allows(image):
                yield f"{component.name}: {image} ({where}), not {declared} ({place})"
