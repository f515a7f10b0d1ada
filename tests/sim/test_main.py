"""`python -m conformance.sim` as a person runs it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from kubernetes import client

from conformance.flags import flags
from conformance.sim.__main__ import main
from conformance.sim.apiserver import Interruption
from conformance.sim.cluster import obey
from conformance.sim.faults import FAULTS
from conformance.sim.options import SimOptions
from tests.sim.official import api_client, kubectl

ROOT = Path(__file__).parents[2]
SMALL = ("--gpu-nodes", "1", "--gpus-per-node", "1")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_a_kubeconfig_and_stops_when_asked(ending: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "conformance.sim", *SMALL, "--directory", str(tmp_path / "here")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        printed = Path(running.stdout.readline().strip())
        core = client.CoreV1Api(api_client(printed))
        nodes, events = core.list_node().items, core.list_event_for_all_namespaces().items
        running.send_signal(ending)
        rest = running.communicate(timeout=20)[0]

    assert printed == tmp_path / "here" / "kubeconfig"
    assert [node.metadata and node.metadata.name for node in nodes] == ["sim-0"]
    assert (running.returncode, rest) == (0, "")
    assert {"Scheduled", "Started", "SuccessfulCreate", "NodeReady"} <= {event.reason for event in events}


def test_a_node_goes_away_when_standard_input_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "conformance.sim", *SMALL, "--commands", "--directory", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        kubeconfig = Path(running.stdout.readline().strip())
        running.stdin.write("lose sim-7\nlose sim-0\n")
        running.stdin.flush()
        kubectl(kubeconfig, "wait", "--for=condition=Ready=Unknown", "node/sim-0", "--timeout=60s")
        running.send_signal(signal.SIGTERM)
        told = running.communicate(timeout=20)[1]

    assert told.startswith("cannot do 'lose sim-7'")
    assert running.returncode == 0


def test_what_standard_input_says_is_done_in_order() -> None:
    done: list[tuple[object, ...]] = []
    told: list[str] = []
    cluster = Mock(lose=lambda *given: done.append(given), interrupt=lambda *given: done.append(given))

    obey(cluster, ["pause 2\n", "\n", "jump\n", "down soon\n", "lose sim-0\n", "unavailable 1.5\n"], told.append)

    assert done == [(Interruption.PAUSED, 2.0), ("sim-0",), (Interruption.UNAVAILABLE, 1.5)]
    assert [line.partition(" (")[0] for line in told] == ["cannot do 'jump'", "cannot do 'down soon'"]


@pytest.mark.parametrize(
    ("text", "why"),
    [("a: [", "is no YAML"), ("kind: Pod", "must have objects with a name"), ("[]", "must have objects")],
)
def test_a_file_that_gitops_cannot_keep_is_a_usage_error(
    text: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wanted.yaml"
    file.write_text(text)
    with pytest.raises(SystemExit):
        main(["--gitops", str(file)])

    assert why in capsys.readouterr().err


def test_it_lists_the_faults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list-faults"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [fault.name for fault in FAULTS]


def test_it_offers_every_option_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])

    shown = capsys.readouterr().out
    assert [flag.names for _, flag in flags(SimOptions) if f"  {flag.names[0]}" not in shown] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gpu-model", "voodoo-2"], "h100-80gb-hbm3"),
        (["--release", "v0.1"], "v26.7.0"),
        (["--fault", "none-such"], "plugin-extra-device"),
        (["--strategy", "both"], "mixed"),
        (["--gpus-per-node", "17"], "1 to 16"),
        (["--gpus-per-node", "many"], "--gpus-per-node takes a whole number, not many"),
        (["--config-file", "/does/not/exist"], "/does/not/exist"),
    ],
)
def test_a_wrong_option_is_a_usage_error(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_cluster_that_cannot_be_joined_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, users: [{name: u, user: {token: t}}],"
        " contexts: [{name: c, context: {cluster: c, user: u}}],"
        " clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]}"
    )

    assert main(["--kubeconfig", str(kubeconfig), *SMALL]) == 1
    assert "the API server cannot be used" in capsys.readouterr().err
