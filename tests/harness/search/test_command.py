"""`gameday knee`: how it refuses what makes no sense, before anything is started or written."""

import re
from pathlib import Path

import pytest

from harness.commands.search import search_of
from harness.errors import ExperimentError
from tests.harness.capacity.conftest import Gameday, gameday

__all__ = ["gameday"]

EXPERIMENT = str(Path(__file__).parents[3] / "experiments" / "timeline_capacity.yaml")
WITHIN = ("--within", "100/s..400/s")


def test_a_range_a_resolution_and_a_number_of_runs() -> None:
    search = search_of("50/s..6000/min", resolution="5%", at_most=9)

    assert (str(search.low), str(search.high), str(search.resolution)) == ("50/s", "100/s", "5%")
    assert search.at_most == 9


@pytest.mark.parametrize(
    ("within", "resolution", "at_most", "why"),
    [
        ("100/s", "2%", 16, "write it as LOW..HIGH"),
        ("100/s-400/s", "2%", 16, "write it as LOW..HIGH"),
        ("100..400", "2%", 16, '"100" has no unit: write "100/s"'),
        ("400/s..100/s", "2%", 16, "has to be above 0 and below the second"),
        ("0/s..100/s", "2%", 16, "has to be above 0 and below the second"),
        ("1/s..2/s", "2", 16, '"2" has no unit: write "2%"'),
        ("1/s..2/s", "0%", 16, "must be from 0.1% to 50%"),
        ("1/s..2/s", "2%", 3, "must be from 4 to 100 runs"),
        ("1/s..2/s", "2%", 101, "must be from 4 to 100 runs"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(within: str, resolution: str, at_most: int, why: str) -> None:
    with pytest.raises(ExperimentError, match=re.escape(why)):
        search_of(within, resolution=resolution, at_most=at_most)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--judged-by", "slow"), 'Did you mean "slo"? Known: slo, recovery.'),
        (("--set", "rate=5/s"), "is what the search changes. Use --within."),
        (("--phase", "disturbed"), 'has no phase "disturbed". It has: warm_up, baseline.'),
        (("--phase", "warm_up"), "a check slo of phase warm_up is needed"),
        (("--judged-by", "recovery"), "a check recovery is needed"),
        (("--capacity", "100"), '--capacity: "100" has no unit'),
        (("--capacity", "0/s"), "has to be above 0"),
        (("--defect", "nonsense"), '"nonsense" is not a defect'),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    gameday: Gameday, tmp_path: Path, words: tuple[str, ...], why: str
) -> None:
    code, _, err = gameday("knee", EXPERIMENT, *WITHIN, "--searches", str(tmp_path / "searches"), *words)

    assert code == 2
    assert why in err
    assert not (tmp_path / "searches").exists()


def test_an_experiment_without_a_variable_rate_is_refused(gameday: Gameday) -> None:
    code, _, err = gameday("knee", EXPERIMENT.replace("timeline_capacity", "steady_state"), *WITHIN)

    assert code == 2
    assert "there is no such variable" in err
