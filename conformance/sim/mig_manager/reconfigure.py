"""One reconfiguration, step by step.

The numbers are those of the steps in NVIDIA/mig-parted v0.15.0, pkg/mig/reconfigure/reconfigure.go (Run). Steps 4, 10
and 14 concern a driver installed on the host, which simulated nodes do not have.
"""

from __future__ import annotations

import math
from typing import Final

from conformance.sim.mig_manager.clients import WAIT_SECONDS, GpuClients
from conformance.sim.mig_manager.labels import NVSM, NodeLabels
from conformance.sim.mig_manager.process import Process, StepError, StuckError
from conformance.sim.mig_manager.shutdown import delete_validators, wait_for_clients
from conformance.spec import names
from conformance.spec.mig_parted import ALL_BALANCED
from conformance.spec.names import State

EARLY_SECONDS: Final = 300.0
"""Cluster seconds by which the fault `mig-manager-success-first` reports success early: enough for observers to
notice."""
APPLIED: Final = "/run/nvidia-mig-manager/applied-config"
"""File with the configuration that was applied last since the boot; the fault `mig-manager-trusts-names` reads it."""
_LEFT_BEHIND: Final = {"key": "mig-reconfiguration", "value": "busy", "effect": "NoSchedule"}
"""The taint of the fault `mig-manager-leaves-taint`."""


class Reconfiguration:
    """One reconfiguration of the node.

    Args:
        process: The mig-manager process.
        config_file: Path of the configuration file.
        selected: Name of the configuration; empty if the label has been removed.
    """

    def __init__(self, process: Process, config_file: str, selected: str) -> None:
        self._process = process
        self._behaviour = process.behaviour
        self._selection = ("-f", config_file, "-c", selected)
        self._selected = selected
        settings, container = process.settings, process.container
        self._labels = NodeLabels(container.kube, settings.node)
        patience = math.inf if process.fault("mig-manager-waits-for-ever") else WAIT_SECONDS
        self._clients = GpuClients(container.kube, container.clock, settings.node, settings.clients_namespace, patience)

    async def run(self) -> None:
        """Reconfigure the GPUs and report the result in the state label.

        Raises:
            StepError: A step failed; the state is `failed`, unless the step leaves the labels unchanged.
        """
        self._check_start()  # 0: a failure here writes no label
        try:
            await self._steps()
        except StuckError:
            self._process.stuck = True
            if self._behaviour.answers_when_stuck:
                await self._finish_failed()
            raise
        except StepError:
            await self._finish_failed()
            raise

    async def _steps(self) -> None:
        await self._remember_labels()  # 1
        await self._validate()  # 2
        if self._already_applied():  # 3
            await self._finish(State.SUCCESS)
            return
        self._check_mode()  # 5
        await self._announce()  # 6
        if not self._process.fault("mig-manager-pauses-nothing"):
            await self._pause_operands()  # 7
            await wait_for_clients(self._process, self._clients)  # 8
        if self._process.fault("mig-manager-says-rebooting"):
            await self._labels.write({names.MIG_CONFIG_STATE: State.REBOOTING})
        await delete_validators(self._process, self._clients)  # 9
        if not self._apply_mode() and self._may_reboot:  # 11
            await self._reboot()
            return
        self._apply()  # 12
        self._refresh_cdi()  # 13
        if self._process.fault("mig-manager-restarts-validator-last"):
            await self._resume_operands()
        await self._restart_validator()  # 15
        await self._resume_operands()  # 16
        await self._finish(State.SUCCESS)  # 17

    @property
    def _may_reboot(self) -> bool:
        wanted = self._process.settings.with_reboot and not self._process.fault("mig-manager-never-reboots")
        return wanted or self._process.fault("mig-manager-reboots-unasked")

    def _check_start(self) -> None:
        self._process.check()
        if not self._behaviour.script:
            return
        self._process.operands_resumed = False
        if not self._selected:
            self._process.tell("Error: missing -c <selected-config> flag")
            raise StepError("exit status 1")

    async def _remember_labels(self) -> None:
        try:
            await self._labels.read(with_client=self._behaviour.pauses_client)
        except StepError as error:
            raise StepError(f"failed to get current node labels: {error}") from error
        for label, value in (*self._labels.deploy.items(), (names.MIG_CONFIG_STATE, self._labels.state)):
            self._process.tell(f"Current value of '{label}={value}'\n")

    async def _validate(self) -> None:
        self._process.tell("Asserting that the requested configuration is present in the configuration file")
        valid = self._process.mig_parted("assert", "--valid-config", *self._selection)
        again, self._process.refused = self._process.refused, not valid
        if again and self._process.fault("mig-manager-refuses-twice"):
            self._process.refused = valid = False
        if not valid:
            if self._process.fault("mig-manager-announces-refusals"):
                await self._labels.write({names.MIG_CONFIG_STATE: State.PENDING})
            if self._process.fault("mig-manager-wipes-on-refusal"):
                self._process.wipe()
            raise StepError("failed to validate MIG configuration: exit status 1")

    def _already_applied(self) -> bool:
        self._process.tell("Checking if the selected MIG config is currently applied or not")
        anew = self._process.is_new and self._process.fault("mig-manager-changes-at-start")
        known = self._process.is_new and self._process.container.node.files.get(APPLIED) == self._selected
        trusted = known and self._process.fault("mig-manager-trusts-names")
        applied = trusted or (self._process.mig_parted("assert", *self._selection) and not anew)
        if applied:
            self._process.tell("Selected MIG config is already applied")
        return applied

    def _check_mode(self) -> None:
        """Fail if the mode is still wrong after a reboot, to avoid an endless loop of reboots."""
        self._process.tell("Checking if the MIG mode setting in the selected config is currently applied or not")
        right = self._process.mig_parted("assert", "--mode-only", *self._selection)
        if not right and self._labels.state == State.REBOOTING:
            raise StepError(
                "failed to check if a MIG mode change is required: MIG mode change did not take effect after rebooting"
            )

    async def _announce(self) -> None:
        if self._process.fault("mig-manager-merges-patches"):
            await self._labels.pause(also={names.MIG_CONFIG_STATE: State.PENDING})
        elif not self._process.fault("mig-manager-skips-pending"):
            await self._labels.write({names.MIG_CONFIG_STATE: State.PENDING})
        if self._process.fault("mig-manager-success-first"):
            await self._labels.write({names.MIG_CONFIG_STATE: State.SUCCESS})
            await self._process.container.clock.sleep(EARLY_SECONDS)

    async def _pause_operands(self) -> None:
        self._process.tell(
            "Shutting down all GPU clients in Kubernetes by disabling their component-specific nodeSelector labels"
        )
        await self._labels.pause(
            also={names.MIG_CONFIG_STATE: None} if self._process.fault("mig-manager-removes-state") else {},
            spec={"unschedulable": None} if self._process.fault("mig-manager-uncordons") else {},
        )

    def _apply_mode(self) -> bool:
        """Return whether every GPU has its mode now; the script checks the GPUs even if the change failed."""
        self._process.tell(
            "Applying the MIG mode change from the selected config to the node (and double checking it took effect)"
        )
        changed = self._process.mig_parted("-d", "apply", "--mode-only", *self._selection)
        if not changed and not self._behaviour.script:
            return False
        return self._process.mig_parted("-d", "assert", "--mode-only", *self._selection)

    async def _reboot(self) -> None:
        self._process.tell(f"Changing the '{names.MIG_CONFIG_STATE}' node label to '{State.REBOOTING}'\n")
        await self._labels.write({names.MIG_CONFIG_STATE: State.REBOOTING})
        self._process.tell("Rebooting the node...")
        self._process.container.node.request_reboot()

    def _apply(self) -> None:
        self._process.tell("Applying the selected MIG config to the node")
        refused = self._selected == ALL_BALANCED and self._process.fault("mig-manager-refuses-balanced")
        skipped = self._process.failed and self._process.fault("mig-manager-skips-after-failure")
        applied = skipped or (not refused and self._process.mig_parted("-d", "apply", *self._selection))
        self._process.failed = not applied
        if not applied and not self._process.fault("mig-manager-believes-in-success"):
            raise StepError("failed to apply MIG configuration: exit status 1")

    def _refresh_cdi(self) -> None:
        if not self._process.settings.cdi_enabled:
            return
        self._process.tell("Running nvidia-smi")
        code, _ = self._process.smi(())
        if code != 0:
            raise StepError(f"failed to run nvidia-smi: exit status {code}")
        self._process.tell("Creating NVIDIA control device nodes")
        self._process.tell("Creating management CDI spec")

    async def _restart_validator(self) -> None:
        self._process.tell("Restarting validator pod to re-run all validations")
        if self._process.fault("mig-manager-restarts-driver"):
            await self._clients.delete(names.DRIVER_APP)
        if self._process.fault("mig-manager-leaves-taint"):
            await self._labels.change_spec({"taints": [_LEFT_BEHIND]})
        if self._process.fault("mig-manager-deletes-nfd-worker"):
            await self._clients.delete_nfd_worker()
        anywhere = self._process.fault("mig-manager-restarts-every-validator")
        try:
            await self._clients.delete(names.VALIDATOR_APP, anywhere=anywhere)
        except StuckError as error:
            raise StuckError(f"failed to restart validator pod: {error}") from error

    async def _resume_operands(self) -> None:
        self._process.tell(
            "Restarting all GPU clients previously shutdown in Kubernetes by reenabling "
            "their component-specific nodeSelector labels"
        )
        self._process.operands_resumed = True
        if not self._process.fault("mig-manager-leaves-paused"):
            await self._labels.resume(forced=self._process.fault("mig-manager-overrides-false"))
        if self._process.fault("mig-manager-removes-false"):
            await self._labels.remove_disabled()

    async def _finish_failed(self) -> None:
        """Report the state `failed`; if that fails as well, only log it."""
        try:
            await self._finish(State.FAILED)
        except StepError as error:
            self._process.tell(f"Unable to set '{names.MIG_CONFIG_STATE}' to '{State.FAILED}': {error}\n")

    async def _finish(self, state: State) -> None:
        if not self._process.operands_resumed:
            self._process.tell(
                "Restarting any GPU clients previously shutdown in Kubernetes by reenabling "
                "their component-specific nodeSelector labels"
            )
            await self._labels.resume(without=(NVSM,) if self._behaviour.script else ())
        changed = state is State.SUCCESS and self._process.operands_resumed
        if changed and self._process.fault("mig-manager-never-answers"):
            return
        if state is State.SUCCESS:
            self._process.container.node.files[APPLIED] = self._selected
        self._process.tell(f"Changing the '{names.MIG_CONFIG_STATE}' node label to '{state}'\n")
        await self._labels.write({names.MIG_CONFIG_STATE: state})
        self._process.changed = changed
