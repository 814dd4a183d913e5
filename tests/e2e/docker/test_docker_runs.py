"""Whole experiments in containers: those that only containers can do, what is left on the engine afterwards, and what a
run says of somebody else's doings."""

import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.errors import ExitCode
from harness.record import rows
from harness.target.engine import Engine, engine_url
from tests.e2e.docker.system import LOOPBACK, PROJECT, PROJECT_FOLDER, SPEC, SPEC_PATH, snapshot
from tests.e2e.gameday_process import command, run_experiment, scheduled_requests

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow]

LOAD_BEGINS_WITHIN_S = 60.0


@pytest.mark.parametrize("experiment", ["crashed_database"])
def test_an_experiment_passes_and_leaves_nothing(experiment: str, tmp_path: Path) -> None:
    before = snapshot()

    finished = run_experiment(experiment, runs=tmp_path, loopback=LOOPBACK, runtime="docker")

    assert finished.exit_code == 0, finished.output
    assert snapshot() == before
    run = finished.run
    assert run.requests["outcome"].notna().sum() == len(run.requests) == scheduled_requests(run) > 0
    assert run.environment.runtime == "docker"
    assert run.environment.versions["docker engine"].startswith("Docker Engine ")
    assert {path.stem for path in (finished.folder / "logs").iterdir()} == set(run.plan.target.services)
    assert not [event for event in run.events if isinstance(event, rows.ServiceExited) and not event.expected]


def test_sigterm_while_containers_start_gives_the_start_up_and_leaves_nothing() -> None:
    before = snapshot()
    arguments = ("up", "--runtime", "docker", "--target", str(SPEC_PATH))
    starter = subprocess.Popen(
        command(*arguments, loopback=LOOPBACK),
        cwd=PROJECT_FOLDER,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until_s = time.monotonic() + LOAD_BEGINS_WITHIN_S
    engine = Engine(engine_url(None), PROJECT)  # a snapshot looks at each container, and one may not be whole yet
    while not engine.containers() and time.monotonic() < until_s:
        time.sleep(0.1)

    starter.send_signal(signal.SIGTERM)
    output, _ = starter.communicate(timeout=120)

    assert starter.returncode == ExitCode.STOPPED, output
    assert "SIGTERM from the operator" in output
    assert snapshot() == before


def test_down_leaves_nothing_of_a_system_whose_containers_somebody_has_removed() -> None:
    before = snapshot()
    target = ("--target", str(SPEC_PATH))

    up = gameday("up", "--runtime", "docker", *target)
    containers = Engine(engine_url(None), PROJECT).containers()
    subprocess.run(["docker", "rm", "--force", *containers.values()], check=True, capture_output=True)
    between = snapshot()
    down = gameday("down", *target)

    assert (up.returncode, down.returncode) == (ExitCode.PASS, ExitCode.PASS), up.stdout + down.stdout
    assert f"docker engine: {Engine(engine_url(None), PROJECT).info().sentence()}" in up.stdout
    assert len(containers) == len(SPEC.services)
    assert set(between["volumes"]) > set(before["volumes"]), "they were left behind"
    assert "is down" in down.stdout
    assert snapshot() == before


def gameday(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments, loopback=LOOPBACK),
        cwd=PROJECT_FOLDER,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_container_that_somebody_else_kills_makes_the_run_inconclusive_and_is_named(tmp_path: Path) -> None:
    """Two API replicas can spare one, so everything that was promised may well hold: that says nothing here."""
    options = ("--set", "warm_up=3s", "--set", "baseline=12s")
    with ThreadPoolExecutor() as threads:
        running = threads.submit(
            run_experiment, "steady_state", *options, runs=tmp_path, loopback=LOOPBACK, runtime="docker"
        )
        events = tmp_path / "latest" / "events.jsonl"
        until_s = time.monotonic() + LOAD_BEGINS_WITHIN_S
        while not (events.exists() and "run_started" in events.read_text()) and time.monotonic() < until_s:
            time.sleep(0.1)
        victim = Engine(engine_url(None), PROJECT).containers()["us-east-api-2"]
        subprocess.run(["docker", "kill", victim], check=True, capture_output=True)
        finished = running.result()

    assert finished.exit_code == ExitCode.INCONCLUSIVE, finished.output
    (validity,) = finished.verdicts_of("validity")
    assert "services that somebody else ended" in validity.sentence
    assert "us-east-api-2" in validity.sentence
    assert snapshot()["containers"] == {}
