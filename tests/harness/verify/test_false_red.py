"""The error rates of the whole suite, on simulated systems whose truth is known. The figures are printed with `-rP`."""

from collections import Counter

import pytest

from harness.experiment.load import Arrivals
from harness.verify.judge import judge
from tests.harness.a_run import RunBuilder
from tests.harness.verify.a_full_run import a_full_run, outcomes

pytestmark = pytest.mark.slow


def _rates(run: RunBuilder, seeds: int) -> tuple[Counter[str], Counter[str]]:
    whole, red_checks = Counter[str](), Counter[str]()
    for seed in range(seeds):
        verdicts = judge(run.with_seed(seed).built())
        whole[verdicts.outcome.value] += 1
        red_checks.update(check for check, outcome in outcomes(verdicts).items() if outcome == "fail")
    print(f"{seeds} runs: {dict(whole)}; red: {dict(red_checks)}")
    return whole, red_checks


def test_a_healthy_system_is_red_in_at_most_one_percent_of_runs() -> None:
    whole, red_checks = _rates(a_full_run().with_rate(100.0, Arrivals.POISSON), seeds=200)

    assert whole["fail"] <= 2, red_checks
    assert whole["pass"] >= 150


def test_ten_percent_of_errors_are_found_in_nine_runs_of_ten() -> None:
    regressed = a_full_run().with_rate(100.0, Arrivals.POISSON)
    regressed = regressed.with_errors(from_s=0.0, to_s=90.0, share=0.1, error="reset")
    whole, _ = _rates(regressed, seeds=30)

    assert whole["fail"] >= 27
