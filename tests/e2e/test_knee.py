"""A search on real servers finds what their slots and service time make of them."""

import subprocess
from pathlib import Path

import pytest

from harness.errors import ExitCode
from harness.search.bisection import Ending
from harness.search.knee import read_knee
from tests.e2e.gameday_process import EXPERIMENTS, PROJECT, RUNTIME, command
from tests.loopback import loopback

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.measured, pytest.mark.nightly]

CAPACITY_PER_S = 2 * 3 / 0.020  # replicas x slots / service time: docker-compose.yml
SEARCH_TAKES_S = 600.0


def test_the_capacity_of_two_replicas_lies_in_the_bracket(tmp_path: Path) -> None:
    words = ("--short", "--set", "arrivals=constant", "--within", "270/s..350/s", "--resolution", "15%")
    arguments = ("knee", str(EXPERIMENTS / "timeline_capacity.yaml"), "--runtime", RUNTIME, *words)
    searches = ("--searches", str(tmp_path / "searches"))

    done = subprocess.run(
        command(*arguments, *searches, loopback=loopback(16), runs=tmp_path / "runs"),
        cwd=PROJECT, capture_output=True, text=True, timeout=SEARCH_TAKES_S, check=False,
    )  # fmt: skip

    assert done.returncode == ExitCode.PASS, done.stdout + done.stderr
    knee = read_knee(tmp_path / "searches" / "latest" / "knee.json")
    assert knee.ending is Ending.FOUND
    assert knee.highest_pass is not None
    assert knee.lowest_fail is not None
    assert knee.highest_pass <= CAPACITY_PER_S < knee.lowest_fail
    assert {point.run for point in knee.points} == {path.name for path in (tmp_path / "runs").glob("2*")}
