"""Faults: defects that can be switched on by name, each in one component.

A fault proves that a case can fail: with the fault switched on, the cases that tests/cases/faults.yaml lists for it
must fail, and no others. A component asks `faults.on(NAME)` at the one place of the defect; nothing else in the
simulator knows about faults.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One defect.

    Attributes:
        name: Value for `--fault`.
        component: Part of the simulator that contains it.
        breaks: What an observer of the cluster sees, in one sentence.
        requirements: Requirements that it violates directly. Cases of other requirements can fail as a consequence;
            tests/cases/faults.yaml lists all of them.
    """

    name: str
    component: str
    breaks: str
    requirements: tuple[str, ...]

    def __str__(self) -> str:
        """Return one line for a list: name, component, effect and requirements."""
        return f"{self.name:34} {self.component:18} {self.breaks} ({', '.join(self.requirements)})"


FAULTS: tuple[Fault, ...] = (
    Fault(
        "hardware-loses-instance",
        "hardware",
        "the last GPU instance created on GPU 0 is gone at once",
        ("D-01", "D-18", "D-19"),
    ),
    Fault(
        "hardware-loses-compute-instance",
        "hardware",
        "the compute instance of the last GPU instance created on GPU 0 is gone at once; the GPU instance stays",
        ("D-01", "D-18", "D-19"),
    ),
    Fault(
        "hardware-same-uuids", "hardware", "the GPUs of all nodes have the same UUIDs, as on cloned machines", ("D-18",)
    ),
    Fault(
        "hardware-old-driver",
        "hardware",
        "the driver is older than the first one with MIG on this generation, and does not refuse it",
        ("D-11",),
    ),
    Fault(
        "driver-opens-neighbours",
        "driver",
        "a process finds every MIG device of its GPU when it asks for it by UUID",
        ("D-20",),
    ),
    Fault(
        "driver-overcommits-memory",
        "driver",
        "an allocation of more memory than the MIG device has succeeds",
        ("D-20",),
    ),
    Fault(
        "driver-links-slices",
        "driver",
        "a process uses all its MIG devices at once, and each can access the memory of the others",
        ("D-27",),
    ),
    Fault("nvml-wrong-placement", "nvml", "GPU instances of two or more slices start one too high", ("D-01",)),
    Fault(
        "nvml-wrong-multiprocessors",
        "nvml",
        "every MIG device reports one multiprocessor too few",
        ("D-01", "D-20", "D-26"),
    ),
    Fault(
        "nvml-doubled-uuid",
        "nvml",
        "the second MIG device of a GPU carries the UUID of the first",
        ("D-01", "D-18"),
    ),
    Fault("smi-misses-device", "nvidia_smi", "`nvidia-smi -L` leaves out the last MIG device of each GPU", ("D-18",)),
    Fault("mig-manager-skips-pending", "mig_manager", "the state never passes through pending", ("D-02",)),
    Fault("mig-manager-success-first", "mig_manager", "success is written minutes before any change", ("D-02",)),
    Fault("mig-manager-never-answers", "mig_manager", "the state stays pending after the change", ("D-04",)),
    Fault("mig-manager-forgets-last-gpu", "mig_manager", "the last GPU of the node keeps its old geometry", ("D-01",)),
    Fault("mig-manager-leaves-paused", "mig_manager", "the deploy labels stay paused after success", ("D-05",)),
    Fault("mig-manager-pauses-nothing", "mig_manager", "the operands run on while the geometry changes", ("D-05",)),
    Fault(
        "mig-manager-overrides-false",
        "mig_manager",
        "a deploy label that somebody set to false becomes true",
        ("D-05",),
    ),
    Fault(
        "mig-manager-deletes-user-pods",
        "mig_manager",
        "pods of users on the node are deleted with the operands",
        ("D-05",),
    ),
    Fault("mig-manager-refuses-balanced", "mig_manager", "all-balanced is offered but ends in failed", ("D-04",)),
    Fault(
        "mig-manager-generates-no-balanced", "mig_manager", "the generated configuration lacks all-balanced", ("D-15",)
    ),
    # A state that nothing follows, and that a watcher takes for progress: gpu-operator issue 2833.
    Fault(
        "mig-manager-announces-refusals",
        "mig_manager",
        "a name that does not exist passes through pending before it fails",
        ("D-02", "D-22"),
    ),
    # What an empty selection does to the GPUs: mig-parted issue 18, gpu-operator issue 603.
    Fault(
        "mig-manager-wipes-on-refusal",
        "mig_manager",
        "a name that does not exist deletes all MIG devices before it fails",
        ("D-22",),
    ),
    # The log is the only place for a reason: mig-parted issue 189.
    Fault("mig-manager-hides-reasons", "mig_manager", "mig-parted's messages are not logged", ("D-03",)),
    # mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go: every change of the label is tried.
    Fault(
        "mig-manager-refuses-twice",
        "mig_manager",
        "the request after one that was refused is refused as well",
        ("D-22",),
    ),
    Fault(
        "mig-manager-keeps-first-file",
        "mig_manager",
        "a ConfigMap of the user's own is read once, when the process starts: an edit never counts",
        ("D-16",),
    ),
    Fault(
        "mig-parted-ignores-filters",
        "mig_parted",
        "entries count for every board, whatever their device filter says (mig-parted issue 227)",
        ("D-16",),
    ),
    Fault(
        "mig-parted-remakes-every-gpu",
        "mig_parted",
        "GPUs that have their layout already are divided anew: mig-parted v0.15.0, cmd/nvidia-mig-parted/apply",
        ("D-13",),
    ),
    Fault(
        "mig-manager-trusts-names",
        "mig_manager",
        "a process that starts takes the configuration that was applied last for applied, whatever the file says now",
        ("D-16",),
    ),
    Fault(
        "mig-parted-counts-from-one",
        "mig_parted",
        "indices of GPUs are counted from one, so that a layout lands on the GPU before (mig-parted issue 157)",
        ("D-16",),
    ),
    Fault(
        "mig-manager-waits-too-little",
        "mig_manager",
        "the GPUs change while the pods of the paused operands are still terminating",
        ("D-05",),
    ),
    Fault(
        "mig-manager-restarts-validator-last",
        "mig_manager",
        "the validator's pod is replaced after the operands came back",
        ("D-05",),
    ),
    Fault("mig-manager-merges-patches", "mig_manager", "pending and the paused labels come in one patch", ("D-02",)),
    Fault("mig-manager-removes-state", "mig_manager", "the state label is gone between pending and success", ("D-02",)),
    Fault("mig-manager-fails-late", "mig_manager", "the state turns failed minutes after success", ("D-02",)),
    Fault("mig-manager-removes-false", "mig_manager", "a deploy label that is false is removed", ("D-05",)),
    Fault("mig-manager-restarts-driver", "mig_manager", "the driver's pod is replaced in every change", ("D-05",)),
    Fault("mig-manager-uncordons", "mig_manager", "a node that was cordoned is not after a change", ("D-05",)),
    Fault(
        "mig-manager-leaves-taint", "mig_manager", "a taint that keeps pods away stays after a change", ("D-01", "D-04")
    ),
    Fault("exporter-never-returns", "operands", "dcgm-exporter is never Ready again after a change", ("D-05",)),
    Fault(
        "exporter-ends-with-pods", "operands", "dcgm-exporter fails when the last pod gives its device back", ("D-05",)
    ),
    Fault(
        "plugin-counts-up", "device_plugin", "each resource has one device for 20 s before it has all", ("D-06", "D-07")
    ),
    Fault(
        "plugin-drops-out",
        "device_plugin",
        "nothing is advertised for 25 s after the last pod gave its device back",
        ("D-06", "D-07"),
    ),
    Fault(
        "mig-manager-names-foreign-profile",
        "mig_manager",
        "the generated all-balanced names a profile that no GPU offers, so it wipes the GPUs and ends in success",
        ("D-15", "D-23"),
    ),
    # mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go, SyncableMigConfig and the handlers of the watch: an empty
    # value wakes nobody, a value that stays is no change, and only the last of several changes is handed over.
    Fault(
        "mig-manager-acts-on-removal",
        "mig_manager",
        "a label that is removed or emptied at rest is answered with failed",
        ("D-02",),
    ),
    Fault(
        "mig-manager-retries",
        "mig_manager",
        "the same value is applied again when somebody removes the state label",
        ("D-22",),
    ),
    Fault(
        "mig-manager-forgets-removal",
        "mig_manager",
        "a label that is removed during a run goes unnoticed",
        ("D-02",),
    ),
    Fault(
        "mig-manager-queues-changes",
        "mig_manager",
        "every change of the label during a run is carried out, not only the last one",
        ("D-02",),
    ),
    # The runbook warns of the bare profile; mig-parted v0.15.0 takes names as they are.
    Fault("mig-parted-completes-profiles", "mig_parted", "a bare profile is taken for all-<profile>", ("D-22",)),
    # mig-parted v0.15.0, api/spec/v1/spec.go: a problem anywhere in the file refuses all of it.
    Fault("mig-parted-skips-errors", "mig_parted", "configurations that cannot be read are skipped", ("D-16",)),
    # The counterpart of mig-parted issue 18: the profile of another GPU changes nothing and is reported as applied.
    Fault(
        "mig-parted-skips-foreign-profiles",
        "mig_parted",
        "a configuration with a profile that no GPU offers changes nothing and ends in success",
        ("D-23",),
    ),
    # mig-parted issue 9: reported as applied although it was not.
    Fault("mig-manager-believes-in-success", "mig_manager", "a change that fails ends in success", ("D-23",)),
    # gpu-operator issue 603, mig-parted issue 18: success with nothing there, here when it matters most.
    Fault(
        "mig-manager-skips-after-failure",
        "mig_manager",
        "the change after one that failed is reported as applied without being made",
        ("D-13", "D-23"),
    ),
    # gpu-operator issue 2833, worse: the five minutes are from mig-parted v0.15.0, pkg/mig/reconfigure.
    Fault("mig-manager-waits-for-ever", "mig_manager", "a pod that does not go is waited for without end", ("D-03",)),
    Fault(
        "mig-manager-stays-stuck",
        "mig_manager",
        "a process that gave up waiting for a pod answers no request any more: gpu-operator issue 2833",
        ("D-03", "D-05"),
    ),
    # Azure/AgentBaker pull request 8869 divides the GPUs of a node beside mig-manager.
    Fault(
        "mig-manager-leaves-slice",
        "mig_manager",
        "a process that has applied its first configuration then makes a slice on GPU 0, and an instance without one",
        ("D-01", "D-09", "D-18"),
    ),
    # As gpu-operator issue 2833: labels that were paused stay so when a process ends in a change.
    Fault(
        "mig-manager-pauses-at-start",
        "mig_manager",
        "a process that has applied its first configuration leaves dcgm-exporter paused",
        ("D-02", "D-05"),
    ),
    # gpu-operator v26.7.0, controllers/nodelabeling_controller.go: only if the default says so, and whenever it looks.
    Fault("operator-ignores-empty-default", "operator", "nodes get all-disabled with an empty default too", ("D-14",)),
    Fault("operator-writes-default-once", "operator", "a node with a state gets no default any more", ("D-14",)),
    Fault(
        "mig-manager-applies-nothing",
        "mig_manager",
        "success is written although nothing was done to the GPUs: mig-parted issue 18, gpu-operator issue 603",
        ("D-01",),
    ),
    Fault(
        "mig-manager-says-rebooting",
        "mig_manager",
        "the state passes through rebooting although no reboot is needed: mig-parted v0.15.0, pkg/mig/reconfigure",
        ("D-02",),
    ),
    Fault(
        "mig-manager-leaves-pending",
        "mig_manager",
        "a process that finds the state pending does not resume the change: gpu-operator issue 2833",
        ("D-05", "D-02"),
    ),
    Fault(
        "mig-manager-changes-at-start",
        "mig_manager",
        "a process that starts makes the layout anew although it is there: mig-parted v0.15.0, pkg/mig/reconfigure",
        ("D-05",),
    ),
    Fault(
        "mig-manager-forgets-layout",
        "mig_manager",
        "a process that finds the state success does not look at the GPUs: k8s-device-plugin issues 225 and 343",
        ("D-24",),
    ),
    Fault(
        "mig-manager-starts-late",
        "mig_manager",
        "after a reboot the device plugin runs a minute before mig-manager: gpu-operator issue 2670",
        ("D-24",),
    ),
    Fault(
        "mig-manager-trusts-host-file",
        "mig_manager",
        "after a reboot the last configuration is applied in place of the label's: runbook, Failure modes",
        ("D-25",),
    ),
    Fault(
        "mig-manager-reboots-unasked",
        "mig_manager",
        "the node reboots where the MIG mode cannot be set, although WITH_REBOOT is not set: mig-parted v0.15.0",
        ("D-17",),
    ),
    Fault(
        "mig-manager-never-reboots",
        "mig_manager",
        "the node does not reboot although WITH_REBOOT is set and the mode needs it: mig-parted issue 9",
        ("D-17",),
    ),
    Fault(
        "hardware-takes-busy-devices",
        "hardware",
        "the driver changes a GPU that a process uses, and the process loses its device: NVML API reference, IN_USE",
        ("D-13",),
    ),
    Fault(
        "plugin-not-ready",
        "device_plugin",
        "requests are refused for half a minute after the registration: kubernetes issue 125579",
        ("D-20",),
    ),
    Fault(
        "host-reboots-twice",
        "kubelet",
        "a node that was rebooted reboots once more by itself: runbook, WITH_REBOOT",
        ("D-12", "D-24"),
    ),
    Fault(
        "hardware-keeps-mode",
        "hardware",
        "GPUs later than Ampere keep the MIG mode through a reboot: MIG User Guide, MIG mode",
        ("D-12",),
    ),
    Fault(
        "plugin-misses-kubelet",
        "device_plugin",
        "the plugin does not register again after a restart of kubelet: k8s-device-plugin v0.20.0, main.go, inotify",
        ("D-24",),
    ),
    Fault(
        "plugin-count-off-by-one",
        "device_plugin",
        "every resource advertises one device too few",
        ("D-06", "D-07", "D-19"),
    ),
    Fault(
        "plugin-wrong-resource",
        "device_plugin",
        "MIG resources lack the memory part of the profile in their names",
        ("D-07",),
    ),
    Fault("plugin-ignores-strategy", "device_plugin", "slices are named as under mixed under single too", ("D-06",)),
    Fault(
        "plugin-adds-whole-gpus",
        "device_plugin",
        "nvidia.com/gpu is advertised beside the slices under mixed",
        ("D-07", "D-21"),
    ),
    Fault(
        "plugin-tolerates-mixture",
        "device_plugin",
        "under single an uneven geometry is advertised all the same",
        ("D-06",),
    ),
    Fault(
        "plugin-knows-no-none",
        "device_plugin",
        "MIG devices are advertised as under mixed under none too",
        ("D-08",),
    ),
    Fault(
        "plugin-repartitions",
        "device_plugin",
        "a plugin that starts under another strategy than the one before removes a MIG device",
        ("D-08", "D-09"),
    ),
    Fault(
        "plugin-rejects-requests",
        "device_plugin",
        "no request for a device is granted: its pod ends in an UnexpectedAdmissionError",
        ("D-20",),
    ),
    Fault("plugin-extra-device", "device_plugin", "a container gets one device more than it asked for", ("D-20",)),
    Fault("plugin-gives-whole-gpu", "device_plugin", "a container gets the whole GPU in place of the slice", ("D-20",)),
    Fault("kubelet-hands-out-twice", "kubelet", "two pods get the same device", ("D-20",)),
    Fault("kubelet-remembers-last-pod", "kubelet", "a third pod gets the device of the first", ("D-20",)),
    Fault(
        "runtime-shows-whole-gpu",
        "kubelet",
        "containers, but not init containers, see all devices of the GPU",
        ("D-20",),
    ),
    Fault("kubelet-keeps-capacity", "kubelet", "capacity of a removed resource never falls to zero", ("D-06", "D-07")),
    Fault("gfd-stale-labels", "feature_discovery", "labels of the former geometry stay beside the new ones", ("D-26",)),
    Fault("gfd-wrong-count", "feature_discovery", "the count labels are one too high", ("D-26",)),
    Fault("gfd-wrong-product", "feature_discovery", "the product label lacks the MIG suffix", ("D-26",)),
    Fault("gfd-old-timestamp", "feature_discovery", "the timestamp is that of the first start for ever", ("D-26",)),
    Fault(
        "gfd-labels-vanish",
        "feature_discovery",
        "the labels are gone for every fourth minute",
        ("D-26",),
    ),
    Fault("gfd-hides-invalid", "feature_discovery", "under single an uneven geometry is labelled as valid", ("D-26",)),
    Fault("scheduler-ignores-resources", "scheduler", "pods are bound whether or not the resource is there", ("D-21",)),
    Fault(
        "scheduler-gives-no-reason", "scheduler", "the message of a Pending pod does not name the resource", ("D-21",)
    ),
    Fault(
        "gfd-calls-every-gpu-capable",
        "feature_discovery",
        "mig.capable is true on nodes whose GPUs cannot do MIG",
        ("D-10",),
    ),
    Fault(
        "operator-deploys-manager-everywhere",
        "operator",
        "mig-manager is deployed on every GPU node (gpu-operator issue 701)",
        ("D-10",),
    ),
    Fault(
        "operator-floats-tag",
        "operator",
        "dcgm-exporter runs the tag latest, whatever the ClusterPolicy says",
        ("D-28",),
    ),
    Fault(
        "operator-ignores-config-name",
        "operator",
        "migManager.config.name does not reach mig-manager",
        ("D-16",),
    ),
    Fault(
        "operator-keeps-config-name",
        "operator",
        "mig-manager keeps the ConfigMap that migManager.config.name once named",
        ("D-16", "D-15"),
    ),
    Fault(
        "operator-misspells-default",
        "operator",
        "the default that the operator writes on a fresh node names no configuration, so the state is failed",
        ("D-01", "D-04"),
    ),
    Fault(
        "operator-forgets-discovery",
        "operator",
        "a strategy change does not reach GPU Feature Discovery (gpu-operator issue 215)",
        ("D-08", "D-26"),
    ),
    Fault(
        "operator-never-without-strategy",
        "operator",
        "a ClusterPolicy without mig.strategy is taken for `single`",
        ("D-08",),
    ),
    Fault(
        "operator-forgets-plugin",
        "operator",
        "a strategy change does not reach the device plugin",
        ("D-06", "D-07", "D-08", "D-09"),
    ),
)


class UnknownFaultError(ValueError):
    """There is no fault of this name; the message lists the known ones."""


class Faults:
    """The faults that are switched on.

    Args:
        names: Names of faults; none by default.

    Raises:
        UnknownFaultError: A name is not in `FAULTS`.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(names)
        known = {fault.name for fault in FAULTS}
        if unknown := sorted(self._names - known):
            raise UnknownFaultError(f"unknown fault {', '.join(unknown)}; there are: {', '.join(sorted(known))}")

    def on(self, name: str) -> bool:
        """Return whether a fault is switched on; the name must be in `FAULTS`."""
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))
