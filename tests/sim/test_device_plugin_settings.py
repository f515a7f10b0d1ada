"""Where the settings of device plugin and GPU Feature Discovery come from, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from conformance.sim.device_plugin.klog import Klog
from conformance.sim.device_plugin.options import SettingsError
from conformance.sim.device_plugin.settings import Settings, read_settings
from conformance.sim.device_plugin.sharing import Shared, Sharing

FILE = "/config/config.yaml"


def read(
    command: Sequence[str] = ("nvidia-device-plugin",),
    env: Mapping[str, str] | None = None,
    config: Any = None,
    log: list[str] | None = None,
    prefixes: Sequence[str] = ("",),
) -> Settings:
    files = {} if config is None else {FILE: config if isinstance(config, str) else json.dumps(config)}
    variables = ({"CONFIG_FILE": FILE} if files else {}) | dict(env or {})
    lines = [] if log is None else log
    return read_settings(command, variables, files.get, Klog(lines.append, lambda: datetime.now(UTC)), prefixes)


def shared(way: str, **fields: Any) -> dict[str, Any]:
    resources = fields.pop("resources", [{"name": "nvidia.com/gpu", "replicas": 4}])
    return {"version": "v1", "sharing": {way: {"resources": resources, **fields}}}


def of_devices(devices: Any) -> dict[str, Any]:
    return shared("timeSlicing", resources=[{"name": "gpu", "replicas": 2, "devices": devices}])


def test_nothing_given_means_the_defaults() -> None:
    assert read() == Settings()


def test_command_line_beats_environment_beats_file() -> None:
    config = {"flags": {"migStrategy": "none", "plugin": {"deviceIDStrategy": "index", "passDeviceSpecs": True}}}
    env = {"MIG_STRATEGY": "single"}

    settings = read(["plugin", "--mig-strategy", "mixed"], env, config)

    assert settings.strategy == "mixed"
    assert read(env=env, config=config).strategy == "single"
    assert read(config=config).strategy == "none"
    assert (settings.device_id, settings.pass_device_specs) == ("index", True)


def test_an_empty_variable_is_a_value() -> None:
    """As the real v0.17.4 and v0.20.0 read it: they end with `unknown MIG strategy: ` and the like."""
    config = {"flags": {"migStrategy": "single", "failOnInitError": True}}
    env = {"MIG_STRATEGY": "", "DEVICE_LIST_STRATEGY": "", "DEVICE_ID_STRATEGY": "", "FAIL_ON_INIT_ERROR": ""}

    settings = read(env=env, config=config)

    assert (settings.strategy, settings.device_list, settings.device_id) == ("", ("",), "")
    assert not settings.fail_on_init_error


def test_names_in_the_file_may_be_in_any_case_and_numbers_in_any_form() -> None:
    text = "Flags: {MigStrategy: single}\nsharing: {timeslicing: {resources: [{name: gpu, replicas: 0x4}]}}"

    settings = read(config=text)

    assert settings.strategy == "single"
    assert settings.sharing.resources == (Shared("nvidia.com/gpu", 4),)
    assert read(config=text.replace("0x4", "4.0")).sharing == settings.sharing
    assert read(config="sharing: {mps: null}").sharing == Sharing()
    assert read(config="flags: {gfd: {sleepInterval: 3000000000}}").sleep_seconds == 3.0


def test_a_device_list_is_split_at_commas_but_not_in_the_file() -> None:
    assert read(env={"DEVICE_LIST_STRATEGY": "envvar, cdi-cri"}).device_list == ("envvar", "cdi-cri")
    in_file = {"flags": {"plugin": {"deviceListStrategy": "envvar,cdi-cri"}}}
    assert read(config=in_file).device_list == ("envvar,cdi-cri",)


def test_repeated_device_list_adds_up_and_the_file_may_hold_a_list() -> None:
    flags = [f"--device-list-strategy={way}" for way in ("envvar", "cdi-cri")]

    assert read(["plugin", *flags]).device_list == ("envvar", "cdi-cri")
    assert read(env={"DEVICE_LIST_STRATEGY": "cdi-annotations,cdi-cri"}).device_list == ("cdi-annotations", "cdi-cri")
    in_file = {"flags": {"plugin": {"deviceListStrategy": ["volume-mounts", "envvar"]}}}
    assert read(config=in_file).device_list == ("volume-mounts", "envvar")


def test_gfd_variables_come_first_for_gfd() -> None:
    env = {"GFD_MIG_STRATEGY": "single", "MIG_STRATEGY": "mixed"}

    assert read(env=env, prefixes=("GFD_", "")).strategy == "single"
    assert read(env=env).strategy == "mixed"


def test_arguments_of_a_shell_are_not_the_programs() -> None:
    assert read(["/bin/bash", "-c", "/bin/entrypoint.sh --mig-strategy=mixed"]).strategy == "none"
    assert read(["--mig-strategy=mixed"]).strategy == "mixed"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60.0), ("5m", 300.0), ("1h30m", 5400.0), ("1.5s", 1.5), ("", 60.0), ("infinite", None)],
)
def test_sleep_interval(text: str, seconds: float | None) -> None:
    assert read(env={"SLEEP_INTERVAL": text}).sleep_seconds == seconds


@pytest.mark.parametrize("switch", ["--fail-on-init-error=false", "--fail-on-init-error=0", "--fail-on-init-error=F"])
def test_switches_understand_what_go_understands(switch: str) -> None:
    assert not read(["plugin", switch]).fail_on_init_error


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"command": ["plugin", "--nonsense"]}, "flag provided but not defined: -nonsense"),
        (
            {"command": ["plugin", "--pass-device-specs=perhaps"]},
            'invalid boolean value "perhaps" for -pass-device-specs',
        ),
        (
            {"env": {"FAIL_ON_INIT_ERROR": "perhaps"}},
            'could not parse "perhaps" as bool value from environment variable "FAIL_ON_INIT_ERROR" for flag fail-on',
        ),
        ({"env": {"SLEEP_INTERVAL": "soon"}}, 'as value for flag sleep-interval: time: invalid duration "soon"'),
        ({"env": {"SLEEP_INTERVAL": "7"}}, 'time: missing unit in duration "7"'),
        ({"config": {"flags": {"gfd": {"sleepInterval": "soon"}}}}, 'decoding JSON: time: invalid duration "soon"'),
        (
            {"config": {"flags": {"migStrategy": 3}}},
            "cannot unmarshal number into Go struct field Flags.flags.CommandLineFlags.migStrategy of type string",
        ),
        (
            {"config": {"flags": {"plugin": {"passDeviceSpecs": "true"}}}},
            "field PluginCommandLineFlags.flags.CommandLineFlags.plugin.passDeviceSpecs of type bool",
        ),
        ({"config": {"flags": {"plugin": {"deviceListStrategy": [3]}}}}, r"invalid deviceListStrategy: \[3\]"),
        ({"env": {"CONFIG_FILE": "/nowhere"}}, "error opening config file: open /nowhere: no such file"),
        ({"config": "a: ["}, "error converting YAML to JSON"),
        ({"config": "[]\n- a"}, "cannot unmarshal array into Go value of type v1.Config"),
        ({"config": "[1]"}, "cannot unmarshal array into Go value of type v1.Config"),
        ({"config": "flags: []"}, "cannot unmarshal array into Go struct field Config.flags of type v1.Flags"),
        ({"config": "sharing: []"}, "cannot unmarshal array into Go struct field Config.sharing of type v1.Sharing"),
        ({"config": {"version": "v2"}}, "unknown version: v2"),
        ({"config": shared("timeSlicing", resources=[])}, "no resources specified"),
        ({"config": shared("timeSlicing", resources=[{"replicas": 2}])}, "no resource name specified"),
        ({"config": shared("timeSlicing", resources=[{"name": "gpu"}])}, "no replicas specified"),
        ({"config": shared("mps", resources=[{"name": "gpu", "replicas": 1}])}, "number of replicas must be >= 2"),
        ({"config": shared("mps", resources=[{"name": "a" * 60, "replicas": 2}])}, "must be 63 characters or less"),
        (
            {"config": shared("mps", resources=[{"name": "gpu_1", "replicas": 2}])},
            "incorrect format for resource name 'nvidia.com/gpu_1': .a lowercase RFC 1123 subdomain must consist of",
        ),
        (
            {"config": shared("mps", resources=[{"name": "gpu", "replicas": 2, "rename": "a_b"}])},
            "resource name 'nvidia",
        ),
        (
            {"config": shared("timeSlicing", resources=[{"name": "gpu", "replicas": "4"}])},
            "cannot unmarshal string into Go struct field Sharing.sharing.timeSlicing of type int",
        ),
        ({"config": of_devices("some")}, "devices set as 'some' but the only valid string input is 'all'"),
        ({"config": of_devices(0)}, "devices set as '0' but a count of devices must be > 0"),
        ({"config": of_devices(["x"])}, "unsupported type for device in devices list: x, string"),
        ({"config": of_devices({})}, "unrecognized type for devices spec: {}"),
        ({"config": "sharing: {timeSlicing: null}"}, "no resources specified"),
    ],
)
def test_unusable_settings_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read(**given)


def test_time_slicing_permits_many_and_mps_one() -> None:
    resources = (Shared("nvidia.com/gpu", 4),)

    assert read(config=shared("timeSlicing")).sharing == Sharing("time-slicing", resources, one_at_most=False)
    assert read(config=shared("mps")).sharing == Sharing("mps", resources, one_at_most=True)
    assert not read(config=shared("mps", failRequestsGreaterThanOne=False)).sharing.one_at_most
    assert read(config=shared("timeSlicing", failRequestsGreaterThanOne=True)).sharing.one_at_most


def test_mps_wins_over_time_slicing() -> None:
    both = {"sharing": shared("mps")["sharing"] | shared("timeSlicing")["sharing"]}

    assert read(config=both).sharing.strategy == "mps"


def test_rename_by_default_is_the_only_way_to_rename() -> None:
    log: list[str] = []
    plain = [{"name": "gpu", "replicas": 2, "rename": "mine", "devices": 3}]

    renamed = read(config=shared("timeSlicing", renameByDefault=True), log=log).sharing
    ignored = read(config=shared("timeSlicing", resources=plain), log=log).sharing

    assert renamed.resources == (Shared("nvidia.com/gpu", 4, "nvidia.com/gpu.shared"),)
    assert ignored.resources == (Shared("nvidia.com/gpu", 2),)
    ending = "in sharing.timeSlicing.resources is not yet supported in the config. Ignoring..."
    assert [line.partition("] ")[2] for line in log] == [
        f"Setting the 'rename' field {ending}",
        f"Customizing the 'devices' field {ending}",
    ]


def test_resources_of_the_file_are_ignored_with_a_warning() -> None:
    log: list[str] = []

    read(config={"resources": {"gpus": [{"pattern": "*", "name": "mine"}]}}, log=log)

    assert "Customizing the 'resources' field is not yet supported" in log[0]
