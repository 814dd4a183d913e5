import numpy as np
import pandas as pd
import pytest

from harness.experiment.expectations.retries import RetriesCheck
from harness.units import Ratio
from harness.verify.retries import check_retries
from harness.verify.verdict import Outcome
from tests.harness.a_run import a_run
from tests.harness.simulation import REPLICAS
from tests.harness.verify.a_full_run import figure, guilty

CHECK = RetriesCheck(budget=Ratio(0.2))


@pytest.mark.parametrize(
    ("retries", "outcome"),
    [(0.0, Outcome.PASS), (0.15, Outcome.PASS), (0.5, Outcome.FAIL), (2.0, Outcome.FAIL)],
)
def test_attempts_against_calls_while_the_fault_lasts(retries: float, outcome: Outcome) -> None:
    run = a_run().with_fault().with_retries(retries).built()

    assert check_retries(run, CHECK).outcome is outcome


def test_a_storm_in_the_fault_is_not_diluted_by_the_quiet_rest() -> None:
    verdict = check_retries(a_run().with_fault().with_retries(0.5).built(), CHECK)

    assert figure(verdict, "redis attempts per call in the whole run").outcome is Outcome.PASS
    assert guilty(verdict) == ["redis attempts per call during fault-1", "redis attempts per call in the worst 5 s"]


def test_without_counters_nothing_is_known() -> None:
    run = a_run().altering_metrics(lambda frame: frame[~frame["metric"].isin(["dependency_attempts_total"])]).built()

    assert check_retries(run, CHECK).outcome is Outcome.INCONCLUSIVE
    empty = a_run().altering_metrics(lambda frame: frame.iloc[:0]).built()
    assert check_retries(empty, CHECK).outcome is Outcome.INCONCLUSIVE


def test_a_handful_of_calls_decides_nothing() -> None:
    verdict = check_retries(a_run().with_rate(1.0).built(), CHECK)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "fewer than 100 calls" in verdict.sentence


NEVER = RetriesCheck(budget=Ratio(0.0))


@pytest.mark.parametrize(
    ("rate_per_s", "retries", "outcome", "why"),
    [
        (50.0, 0.0, Outcome.PASS, "nothing went out twice"),
        (1.0, 0.0, Outcome.PASS, "few calls are enough to see that"),
        (1.0, 0.5, Outcome.FAIL, "and to see that something did: nothing is granted"),
    ],
)
def test_what_must_never_be_repeated_has_neither_budget_nor_reserve(
    rate_per_s: float, retries: float, outcome: Outcome, why: str
) -> None:
    run = a_run().with_rate(rate_per_s).with_fault().with_retries(retries).built()

    assert check_retries(run, NEVER).outcome is outcome, why


def test_without_a_call_nothing_is_known_of_what_must_never_be_repeated() -> None:
    def idle(frame: pd.DataFrame) -> pd.DataFrame:
        counters = frame["metric"].isin(["dependency_calls_total", "dependency_attempts_total"])
        return frame.assign(value=frame["value"].where(~counters, 0.0))

    verdict = check_retries(a_run().altering_metrics(idle).built(), NEVER)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no call" in verdict.sentence


def test_only_the_dependency_that_is_meant_is_judged() -> None:
    run = a_run().with_fault().with_retries(2.0).built()
    other = check_retries(run, RetriesCheck(dependency="europe.gateway"))

    assert check_retries(run, RetriesCheck(dependency="redis")).outcome is Outcome.FAIL
    assert other.outcome is Outcome.INCONCLUSIVE
    assert "attempts of europe.gateway" in other.sentence


def test_counters_of_a_restarted_replica_go_on_from_zero() -> None:
    def restarted(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        late = (frame["service"] == REPLICAS[0]) & (frame["at_s"] > 40)
        for metric in ("dependency_calls_total", "dependency_attempts_total"):
            mine = late & (frame["metric"] == metric)
            frame.loc[mine, "value"] -= frame.loc[mine, "value"].min()
        return frame

    plain = figure(check_retries(a_run().built(), CHECK), "redis attempts per call in the whole run")
    again = figure(
        check_retries(a_run().altering_metrics(restarted).built(), CHECK), "redis attempts per call in the w"
    )

    assert again.outcome is Outcome.PASS
    assert again.value == pytest.approx(1.0)
    assert np.isclose(again.samples, plain.samples, rtol=0.02)


CALLS, ATTEMPTS = "dependency_calls_total", "dependency_attempts_total"


def _calls_of_postgres(frame: pd.DataFrame) -> pd.DataFrame:
    """As many as of Redis, and no counter of attempts."""
    calls = frame[frame["metric"] == CALLS]
    return pd.concat([frame.astype({"labels": str}), calls.assign(labels='dependency="postgres"')])


@pytest.mark.parametrize("check", [CHECK, NEVER])
def test_a_dependency_without_attempts_is_not_one_that_was_never_tried(check: RetriesCheck) -> None:
    verdict = check_retries(a_run().altering_metrics(_calls_of_postgres).built(), check)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert guilty(verdict) == [f"postgres attempts per call of {replica}" for replica in REPLICAS]
    assert "it shows no attempts" in verdict.sentence


def test_a_replica_without_attempts_does_not_dilute_those_of_another() -> None:
    def lacking(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[~((frame["service"] == REPLICAS[1]) & (frame["metric"] == ATTEMPTS))]

    verdict = check_retries(a_run().with_fault().with_retries(0.5).altering_metrics(lacking).built(), CHECK)

    assert figure(verdict, "redis attempts per call during fault-1").outcome is Outcome.FAIL
    assert figure(verdict, f"redis attempts per call of {REPLICAS[1]}").outcome is Outcome.INCONCLUSIVE


def test_calls_that_cannot_all_have_been_tried_show_nothing() -> None:
    """While the fault lasts its breaker refuses nearly all, and the replica counts that as calls."""

    def refusing(frame: pd.DataFrame) -> pd.DataFrame:
        refused = np.clip(frame["at_s"] - 30.0, 0.0, 10.0) * 200.0
        return frame.assign(value=frame["value"] + refused.where(frame["metric"] == CALLS, 0.0))

    verdict = check_retries(a_run().with_fault().with_retries(2.0).altering_metrics(refusing).built(), CHECK)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "it may count as calls what its breaker refuses" in verdict.sentence


def test_calls_under_way_at_the_last_scrape_are_no_doubt() -> None:
    def under_way(frame: pd.DataFrame) -> pd.DataFrame:
        last = (frame["metric"] == CALLS) & (frame["at_s"] > 79.0)
        return frame.assign(value=frame["value"] + last * 5.0)

    assert check_retries(a_run().altering_metrics(under_way).built(), CHECK).outcome is Outcome.PASS


def test_a_counter_that_appears_began_with_nothing() -> None:
    """The only call of a replica was tried twice, before the first scrape that shows it."""

    def appearing(frame: pd.DataFrame) -> pd.DataFrame:
        counter = frame["metric"].isin([CALLS, ATTEMPTS])
        frame = frame[~counter | (frame["at_s"] > 40.0)]
        value = frame["value"].mask(frame["metric"] == CALLS, 1.0).mask(frame["metric"] == ATTEMPTS, 2.0)
        return frame.assign(value=value)

    verdict = check_retries(a_run().altering_metrics(appearing).built(), NEVER)

    assert verdict.outcome is Outcome.FAIL
    assert "4 attempts for 2 calls" in verdict.sentence
