"""What is right in an experiment file loads, with its variables and the files that it names."""

from pathlib import Path

import pytest

from harness.experiment.expectations.retries import RetriesCheck
from harness.experiment.expectations.shedding import SheddingCheck
from harness.experiment.faults import LatencyFault
from harness.experiment.load import Arrivals, Ramp
from harness.loader import load_experiment, load_target
from tests.harness.loading.an_experiment import EVERYTHING, ROOT, SHIPPED, SMALL, Written


def test_everything_that_may_be_written_loads(written: Written, project: Path) -> None:
    loaded = load_experiment(written(EVERYTHING))

    assert loaded.target_path == (project / "reference_system" / "target.yaml").resolve()
    assert loaded.profile_path == (project / "loadprofiles" / "twitter_day.py").resolve()
    assert loaded.target.name == "twitter-in-small"
    assert loaded.source == EVERYTHING
    assert loaded.path.is_absolute()
    experiment = loaded.experiment
    assert experiment.load.arrivals is Arrivals.CONSTANT
    assert experiment.phases.baseline == 30.0
    assert len(experiment.faults) == 8
    assert isinstance(experiment.faults[0], LatencyFault)
    assert experiment.hypothesis.startswith("An experiment that uses each kind")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_experiment_loads_in_full_and_short(path: Path) -> None:
    full, short = load_experiment(path), load_experiment(path, short=True)

    assert full.experiment.title == short.experiment.title


def test_a_variable_keeps_its_own_type_where_it_stands_alone_and_is_text_inside_text(written: Written) -> None:
    experiment = load_experiment(written(EVERYTHING)).experiment

    assert experiment.load.shards == 2
    shedding, retries = experiment.expect[3], experiment.expect[5]
    assert isinstance(shedding, SheddingCheck)
    assert shedding.expect_shedding is True
    assert isinstance(retries, RetriesCheck)
    assert retries.budget == pytest.approx(0.205)


def test_short_values_replace_variables_and_set_replaces_both(written: Written) -> None:
    path = written(EVERYTHING)

    short = load_experiment(path, short=True)
    overridden = load_experiment(path, short=True, overrides={"each": "7s", "shards": "3", "shed": "false"})

    ramp = short.experiment.load.changes[1]
    assert isinstance(ramp, Ramp)
    assert ramp.over == 5.0
    assert short.variables["shards"] == "1"
    assert overridden.experiment.load.shards == 3
    assert overridden.variables == {**short.variables, "each": "7s", "shards": "3", "shed": "false"}


def test_a_profile_may_be_a_file_beside_the_experiment(written: Written, project: Path) -> None:
    (project / "experiments" / "own.py").touch()

    loaded = load_experiment(written(SMALL.replace("twitter_day", "own.py")))

    assert loaded.profile_path == (project / "experiments" / "own.py").resolve()


def test_the_reference_target_loads() -> None:
    target = load_target(ROOT / "reference_system" / "target.yaml")

    assert "us-east-api-1" in target.services


def test_the_unmutated_small_experiment_is_right(written: Written) -> None:
    assert load_experiment(written(SMALL)).experiment.title == "A title"
