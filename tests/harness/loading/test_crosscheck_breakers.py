"""Circuit breakers can be judged where a fault cuts off what they guard."""

import re
from pathlib import Path

import pytest

from harness.experiment.faults import fault_id
from harness.loader import load_experiment
from tests.harness.loading.an_experiment import BROKEN, SMALL, Written, error_of


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("dependencies: [redi]", '$.expect[0].dependencies[0]: "redi" is nothing that replicas of'),
        ("dependencies: [redi]", 'Did you mean "redis"?'),
        ("dependencies: [postgres]", '$.expect[0].dependencies[0]: no fault cuts "postgres" off'),
        ("leaked: -1", "$.expect[0].leaked: -1 is negative"),
        ("dependencies: [redis], closes_within: 1m", "60s is longer than disturbed and recovery (50s)"),
    ],
)
def test_breakers_that_could_not_be_judged_are_refused(written: Written, words: str, sentence: str) -> None:
    assert load_experiment(written(BROKEN.replace("slo, p99: 150ms", "breakers, dependencies: [redis]")))
    assert sentence in error_of(written(BROKEN.replace("slo, p99: 150ms", f"breakers, {words}")))


@pytest.mark.parametrize("kind", ["kill", "stop", "pause", "network_loss"])
def test_a_service_that_does_not_run_or_answer_is_cut_off(written: Written, kind: str) -> None:
    text = BROKEN.replace("slo, p99: 150ms", "breakers, dependencies: [redis]")
    fault = re.sub(r"kind: .*\n    link: .*", f"kind: {kind}\n    service: us-east-redis", text)

    (loaded,) = load_experiment(written(fault)).experiment.faults
    assert fault_id(loaded, 1) == f"{kind}-1"


def test_a_slow_dependency_is_not_cut_off(written: Written) -> None:
    said = error_of(written(SMALL.replace("slo, p99: 150ms", "breakers, dependencies: [redis]")))

    assert 'no fault cuts "redis" off' in said


def test_breakers_need_a_promise(project: Path, written: Written) -> None:
    path = project / "reference_system" / "target.yaml"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "breakers" not in line))
    said = error_of(written(BROKEN.replace("slo, p99: 150ms", "breakers, dependencies: [redis]")))

    assert "promises no circuit breakers" in said
