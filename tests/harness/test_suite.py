"""Which experiments a suite has, what may keep one from its turn, and what they come to together."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from harness import suite
from harness.commands import suites
from harness.errors import ExitCode, ExperimentError, TargetError, UncleanError
from harness.experiment.experiment import Suite
from harness.gameday import Place
from harness.plan import Plan
from harness.suite import BUDGET_S, Ended, Part, exit_code, parts_of, planned_time_s, run_all
from harness.target.lock import locked
from harness.target.runtimes import RUNTIMES

ROOT = Path(__file__).parents[2]
SMALL = f"""\
title: A title
hypothesis: A sentence.
suites: [SUITES]
target: TARGET
variables: {{length: 200s}}
short: {{length: 20s}}
load: {{profile: {ROOT}/loadprofiles/twitter_day.py, rate: 40/s}}
phases: {{warm_up: 0s, baseline: 20s, disturbed: "${{length}}", recovery: 20s}}
faults:
  - FAULT
expect:
  - {{check: slo, p99: 150ms}}
"""
LATENCY = "{kind: latency, link: us-east.api->us-east.redis, latency: 100ms, at: 5s, lasts: 10s}"
CRASH = "{kind: crash, service: us-east-postgres, at: 5s}"  # only an engine starts it again

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes an experiment into the folder."""

    def written(
        name: str, suites: str = "", fault: str = LATENCY, target: Path = ROOT / "reference_system" / "one_region.yaml"
    ) -> None:
        text = SMALL.replace("SUITES", suites).replace("FAULT", fault).replace("TARGET", str(target))
        (tmp_path / f"{name}.yaml").write_text(text)

    return written


def names(parts: list[Part]) -> list[str]:
    return [part.plan.experiment for part in parts]


# --- which ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", Suite)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_suites_of_this_repository_are_planned_to_stay_within_their_budgets(name: Suite, runtime: str) -> None:
    parts = parts_of(name, ROOT / "experiments", runtime=runtime)

    assert 0 < planned_time_s(parts) <= BUDGET_S[name]


def test_every_night_all_experiments_are_run_in_their_short_form(write: Write, tmp_path: Path) -> None:
    write("a", "smoke, gate")
    write("b", "gate")
    write("c")

    assert names(parts_of(Suite.SMOKE, tmp_path, runtime="processes")) == ["a"]
    assert names(parts_of(Suite.GATE, tmp_path, runtime="processes")) == ["a", "b"]
    assert names(parts := parts_of(Suite.NIGHTLY, tmp_path, runtime="processes")) == ["a", "b", "c"]
    assert [part.plan.duration_s for part in parts] == [60.0] * 3


def test_a_suite_without_experiments_is_refused(write: Write, tmp_path: Path) -> None:
    write("a", "gate")

    with pytest.raises(ExperimentError, match=r"no experiment is in the suite smoke. Write into one: suites: \[smoke"):
        parts_of(Suite.SMOKE, tmp_path, runtime="processes")


def test_a_suite_that_has_outgrown_its_budget_is_refused(write: Write, tmp_path: Path) -> None:
    for name in "abcd":
        write(name, "smoke")

    with pytest.raises(ExperimentError, match=r"smoke would take 320s, and may take 300s: take one of its 4 exp"):
        parts_of(Suite.SMOKE, tmp_path, runtime="processes")


def test_a_suite_that_there_is_not_is_told_with_the_known_ones(write: Write, tmp_path: Path) -> None:
    write("a", "smokey")

    with pytest.raises(
        ExperimentError,
        match=r'a\.yaml:3, \$\.suites\[0\]: "smokey" is not .*\nDid you mean "smoke"',
    ):
        parts_of(Suite.SMOKE, tmp_path, runtime="processes")


def test_what_only_another_runtime_can_do_is_left_out_and_takes_no_time(write: Write, tmp_path: Path) -> None:
    write("a", "smoke", CRASH)
    write("b", "smoke")

    in_processes = parts_of(Suite.SMOKE, tmp_path, runtime="processes")
    in_containers = parts_of(Suite.SMOKE, tmp_path, runtime="docker")

    assert ["cannot crash" in part.cannot for part in in_processes] == [True, False]
    assert [part.cannot for part in in_containers] == ["", ""]
    assert planned_time_s(in_containers) == 2 * planned_time_s(in_processes) == 160.0


def test_what_no_runtime_can_do_is_a_mistake_and_not_left_out(write: Write, tmp_path: Path) -> None:
    write("a", "smoke", LATENCY.replace("100ms", "1.5ms"))

    with pytest.raises(ExperimentError, match=r"a\.yaml: .*not a whole number of milliseconds"):
        parts_of(Suite.SMOKE, tmp_path, runtime="processes")


# --- running ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def three(write: Write, tmp_path: Path) -> list[Part]:
    for name in "abc":
        write(name, "smoke")
    return parts_of(Suite.SMOKE, tmp_path, runtime="processes")


def ended(plan: Plan, code: ExitCode = ExitCode.PASS, *, is_last: bool = False) -> Ended:
    return Ended(experiment=plan.experiment, exit_code=code, sentence="", is_last=is_last)


def after_the_first(three: list[Part], first: Ended | Exception) -> list[ExitCode | None]:
    """Exit codes, where the first one ends so and all others pass."""

    def run(plan: Plan) -> Ended:
        if plan.experiment != "a":
            return ended(plan)
        if isinstance(first, Exception):
            raise first
        return first

    return [one.exit_code for one in run_all(three, run)]


@pytest.mark.parametrize("error", [TargetError("it does not start"), OSError(28, "No space left on device")])
def test_what_cannot_be_driven_does_not_keep_the_others_from_their_turn(three: list[Part], error: Exception) -> None:
    codes = after_the_first(three, error)

    assert codes == [ExitCode.BROKEN, ExitCode.PASS, ExitCode.PASS]


def test_nothing_runs_after_what_is_left_disturbed(three: list[Part]) -> None:
    assert after_the_first(three, UncleanError("still there")) == [ExitCode.UNCLEAN, None, None]


def test_nothing_runs_after_the_operator_has_stopped_one(three: list[Part]) -> None:
    stopped = ended(three[0].plan, ExitCode.STOPPED, is_last=True)

    assert after_the_first(three, stopped) == [ExitCode.STOPPED, None, None]


def test_a_stop_condition_ends_its_own_experiment_only(three: list[Part]) -> None:
    codes = after_the_first(three, ended(three[0].plan, ExitCode.STOPPED))

    assert codes == [ExitCode.STOPPED, ExitCode.PASS, ExitCode.PASS]


@pytest.mark.parametrize(
    ("codes", "worst"),
    [
        ([], ExitCode.INCONCLUSIVE),
        ([None], ExitCode.INCONCLUSIVE),
        ([ExitCode.PASS, None], ExitCode.PASS),
        ([ExitCode.PASS, ExitCode.INCONCLUSIVE], ExitCode.INCONCLUSIVE),
        ([ExitCode.FAIL, ExitCode.INCONCLUSIVE, ExitCode.BROKEN], ExitCode.FAIL),
        ([ExitCode.BROKEN, ExitCode.STOPPED], ExitCode.BROKEN),
        ([ExitCode.UNCLEAN, ExitCode.FAIL], ExitCode.UNCLEAN),
    ],
)
def test_the_worst_ending_is_that_of_the_suite(codes: list[ExitCode | None], worst: ExitCode) -> None:
    assert exit_code([Ended(experiment="a", exit_code=code, sentence="") for code in codes]) is worst


def test_every_exit_code_has_its_place_among_them() -> None:
    assert set(suite.BADNESS) == set(ExitCode)


@pytest.mark.slow
def test_one_table_and_one_file_tell_of_all(write: Write, tmp_path: Path) -> None:
    """The target is in somebody else's hands, so that nothing is started."""
    shutil.copytree(ROOT / "reference_system", tmp_path / "reference_system", ignore=shutil.ignore_patterns("[!ot]*"))
    target = tmp_path / "reference_system" / "one_region.yaml"
    write("a", "smoke", CRASH)
    write("b", "smoke", target=target)
    place = Place(runs=tmp_path / "runs")
    console = Console(record=True, width=200)

    with locked(place.state_of(target), purpose="something else", for_s=60):
        code = suites.suite(console, Suite.SMOKE, folder=tmp_path, runtime="processes", place=place)

    told = console.export_text()
    assert code is ExitCode.BROKEN
    assert re.search(r"left out +a +crash-1: the processes runtime cannot crash", told)
    assert re.search(r"not driven +b +The target is in use", told)
    cases = list(ET.parse(tmp_path / "runs" / "smoke.junit.xml").getroot().iter("testcase"))  # noqa: S314 # our own
    assert [(case.get("classname"), case[0].tag) for case in cases] == [
        ("gameday.a", "skipped"),
        ("gameday.b", "error"),
    ]
