"""What mig-manager does beyond the recordings: other versions, other environments."""

from __future__ import annotations

import pytest
import yaml

from conformance.sim.kube import CONFIG_MAPS, PODS
from conformance.spec import names
from tests.recordings.stand import NODE, Stand
from tests.recordings.stand_pods import NEVER
from tests.sim.mig_manager_scenarios import LABELS, NVSM, PLUGIN, asking, own, play, states

SCRIPT, STATIC, GENERATING, NEWEST, FIXED = "v0.12.3", "v0.13.1", "v0.14.2", "v0.15.0", "v0.15.1-484"


class TestVersions:
    @pytest.mark.parametrize("version", [SCRIPT, STATIC, GENERATING, NEWEST, FIXED, "latest"])
    def test_success_goes_through_pending_and_pauses_the_operands_meanwhile(self, version: str) -> None:
        running = play(asking("seven"), version=version)

        pending, pausing, resuming, success = own(running)
        assert (pending.set, success.set) == ({names.MIG_CONFIG_STATE: "pending"}, {names.MIG_CONFIG_STATE: "success"})
        assert set(pausing.set.values()) == {names.PAUSED}
        assert resuming.set == dict.fromkeys(pausing.set, "true")

    def test_script_prints_its_steps_without_the_form_of_a_log(self) -> None:
        running = play(asking("seven"), version=SCRIPT)

        assert "Waiting for the device-plugin to shutdown" in running.log
        assert 'level=info msg="Updating to MIG config: seven"' in running.log

    @pytest.mark.parametrize(("version", "left_paused"), [(SCRIPT, {NVSM}), (GENERATING, set(LABELS) - {
        names.DEPLOY_PREFIX + "operator-validator"} | {NVSM})])  # fmt: skip
    def test_failure_after_a_success_leaves_operands_paused(self, version: str, left_paused: set[str]) -> None:
        running = play(asking("seven", "eight"), version=version)

        assert states(running) == ["pending", "success", "pending", "failed"]
        assert {label for label, value in running.labels.items() if value == names.PAUSED} == left_paused

    @pytest.mark.parametrize(("version", "value"), [(GENERATING, "true"), (NEWEST, names.PAUSED)])
    def test_label_of_third_party_clients_is_paused_from_v0_15(self, version: str, value: str) -> None:
        running = play(asking("seven", "eight"), version=version, labels=LABELS | {names.DEPLOY_CLIENT: "true"})

        assert running.labels[names.DEPLOY_CLIENT] == value

    @pytest.mark.parametrize(
        ("version", "answers", "plugin"),
        [
            (SCRIPT, ["pending", "success"], "true"),
            (NEWEST, ["pending"], names.PAUSED),
            (FIXED, ["pending", "failed"], "true"),
        ],
    )
    def test_operand_that_never_ends(self, version: str, answers: list[str], plugin: str) -> None:
        async def steps(running: Stand) -> None:
            await asking()(running)
            await running.label(names.MIG_CONFIG, "seven")
            await running.clock.sleep(310)
            await running.ended(1)

        running = play(steps, version=version, lingering={names.DEVICE_PLUGIN_APP: NEVER}, scale=1000)

        assert states(running) == answers
        assert running.labels[PLUGIN] == plugin

    @pytest.mark.parametrize("version", [SCRIPT, STATIC])
    def test_before_v0_14_there_is_nothing_without_a_file(self, version: str) -> None:
        async def steps(running: Stand) -> None:
            await running.start_manager({})
            assert await running.exit_code() == 1

        running = play(steps, version=version)

        assert running.log == ['level=info msg="Error: invalid -f <config-file> flag: must not be empty string"']

    def test_script_answers_nothing_where_the_label_went_away_during_a_run(self) -> None:
        async def steps(running: Stand) -> None:
            await asking()(running)
            await running.label(names.MIG_CONFIG, "seven")
            await running.until(lambda: bool(states(running)), "pending")
            await running.label(names.MIG_CONFIG, None)
            await running.ended(2)

        running = play(steps, version=SCRIPT)

        assert states(running) == ["pending", "success"]
        assert "Error: missing -c <selected-config> flag" in running.log


class TestEnvironment:
    def test_missing_list_of_services_ends_the_run_before_any_label(self) -> None:
        running = play(asking("seven", GPU_CLIENTS_FILE="/gpu-clients/clients.yaml"))

        assert own(running) == []
        assert "open /gpu-clients/clients.yaml: no such file" in running.log[-2]

    def test_cdi_specification_is_renewed_between_change_and_resumption(self) -> None:
        running = play(asking("seven", CDI_ENABLED="true"))

        renewed = running.log.index('level=info msg="Creating management CDI spec"')
        assert running.log.index("MIG configuration applied successfully") < renewed
        assert states(running) == ["pending", "success"]

    def test_reboot_waits_with_everything_paused(self) -> None:
        async def steps(running: Stand) -> None:
            running.hardware.hold(0, 1)
            await asking("seven", WITH_REBOOT="true")(running)

        running = play(steps)

        assert running.reboot_asked
        assert states(running) == ["pending", "rebooting"]
        assert running.labels[PLUGIN] == names.PAUSED

    def test_generated_configuration_is_published_and_renewed(self) -> None:
        found = {}

        async def steps(running: Stand) -> None:
            for number in (1, 2):
                await running.start_manager({})
                await running.label(names.MIG_CONFIG, f"all-{number}g.{number}0gb")
                await running.ended(number)
                await running.stop_manager("SIGTERM")
            name = names.generated_config_map(NODE)
            found["map"] = await running.kube.get(CONFIG_MAPS, name, names.OPERATOR_NAMESPACE)
            found["pod"] = await running.kube.get(PODS, names.MIG_MANAGER_APP, names.OPERATOR_NAMESPACE)

        running = play(steps)

        assert states(running) == ["pending", "success"] * 2
        assert [owner["uid"] for owner in found["map"]["metadata"]["ownerReferences"]] == [
            found["pod"]["metadata"]["uid"]
        ]
        assert "all-balanced" in yaml.safe_load(found["map"]["data"][names.CONFIG_KEY])["mig-configs"]
