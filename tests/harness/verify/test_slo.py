import msgspec
import pandas as pd
import pytest

from harness.experiment.expectations.slo import SloCheck
from harness.units import Ratio, Seconds
from harness.verify.slo import check_slo
from harness.verify.verdict import Outcome
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.verify.a_full_run import figure, guilty

OBJECTIVES = SloCheck(p50=Seconds(0.06), p99=Seconds(0.15), error_ratio=Ratio(0.01), goodput_ratio=Ratio(0.99))
DISTURBED = SloCheck(phase="disturbed", p99=Seconds(0.15), error_ratio=Ratio(0.01), goodput_ratio=Ratio(0.99))


def _outcome(run: RunBuilder, check: SloCheck) -> Outcome:
    return check_slo(run.built(), check).outcome


def test_a_healthy_run_meets_its_objectives() -> None:
    verdict = check_slo(a_run().built(), OBJECTIVES)

    assert verdict.outcome is Outcome.PASS
    assert "latency p99: expected at most 150 ms, measured" in verdict.sentence


def test_an_empty_record_decides_nothing() -> None:
    run = a_run().altering_requests(lambda frame: frame.iloc[:0]).built()
    verdict = check_slo(run, OBJECTIVES)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "nothing measured" in verdict.sentence or "not estimable" in verdict.sentence


@pytest.mark.parametrize("phase", ["final_reads", "lunch"])
def test_a_phase_that_the_run_does_not_have_decides_nothing(phase: str) -> None:
    assert _outcome(a_run(), SloCheck(phase=phase, p99=Seconds(1.0))) is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("why", "run", "culprits"),
    [
        ("slow for all", a_run().with_slowness(from_s=25, to_s=55, service_s=0.2), ["latency p99"]),
        ("slow for 5 %", a_run().with_slowness(from_s=25, to_s=55, service_s=0.2, share=0.05), ["latency p99"]),
        (
            "ten seconds of errors",
            a_run().with_errors(from_s=30, to_s=40),
            ["error ratio", "goodput ratio within 1 s"],
        ),
        (
            "5 % errors throughout",
            a_run().with_errors(from_s=25, to_s=55, share=0.05),
            ["error ratio", "goodput ratio within 1 s"],
        ),
        (
            "answered, but too late to be good",
            a_run().with_slowness(from_s=25, to_s=55, service_s=1.2, share=0.1),
            ["latency p99", "goodput ratio within 1 s"],
        ),
    ],
)
def test_a_broken_objective_fails(why: str, run: RunBuilder, culprits: list[str]) -> None:
    verdict = check_slo(run.built(), DISTURBED)

    assert (verdict.outcome, guilty(verdict)) == (Outcome.FAIL, culprits), why
    assert verdict.evidence


def test_requests_given_up_count_as_slower_than_any_limit() -> None:
    run = a_run().with_fault().with_errors(from_s=26, to_s=54, share=0.05, error="deadline", outcome="unknown")
    verdict = check_slo(run.built(), SloCheck(phase="disturbed", p99=Seconds(5.0)))

    assert verdict.outcome is Outcome.FAIL


def test_unknown_and_unsent_count_as_errors() -> None:
    for outcome, error in (("unknown", "reset"), ("not_sent", "client_limit")):
        run = a_run().with_errors(from_s=25, to_s=55, share=0.05, error=error, outcome=outcome)

        assert guilty(check_slo(run.built(), SloCheck(phase="disturbed", error_ratio=Ratio(0.01)))) == ["error ratio"]


def test_refusals_are_no_errors_and_not_good() -> None:
    run = a_run().with_overload(from_s=25, to_s=55, per_s=400.0).built()

    assert check_slo(run, SloCheck(phase="disturbed", error_ratio=Ratio(0.01))).outcome is Outcome.PASS
    assert check_slo(run, SloCheck(phase="disturbed", goodput_ratio=Ratio(0.9))).outcome is Outcome.FAIL


def test_a_share_at_its_limit_is_undecided_and_says_how_much_more_would_decide() -> None:
    run = a_run().with_errors(from_s=0, to_s=80, share=0.0097).built()
    verdict = check_slo(run, SloCheck(error_ratio=Ratio(0.01)))
    found = figure(verdict, "error ratio")

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert found.needed_samples is None or found.needed_samples > found.samples
    assert "samples would decide" in verdict.sentence or found.needed_samples is None


def _error_waves(*, stepping_to: float) -> RunBuilder:
    """70 s at that rate; every 20 s there are six in which 3 % fail, which is 0.8 % in all."""
    run = a_run().with_rate(100.0).with_phases(warm_up=5.0, baseline=20.0, disturbed=70.0, recovery=10.0)
    run = run.with_overload(from_s=25.0, to_s=95.0, per_s=stepping_to).without_shedding()
    for from_s in (40.0, 60.0, 80.0):
        run = run.with_errors(from_s=from_s, to_s=from_s + 6.0, share=0.03)
    return run


@pytest.mark.parametrize("rate_per_s", [100.0, 150.0])
def test_after_a_step_chance_is_chance_again(rate_per_s: float) -> None:
    """What comes in waves on a plateau is known as badly as in a run whose rate never changes."""
    plateau = SloCheck(phase="disturbed", start=Seconds(5.0), error_ratio=Ratio(0.01))
    found = figure(check_slo(_error_waves(stepping_to=rate_per_s).built(), plateau), "error ratio")

    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.interval is not None
    assert found.interval.high is not None
    assert found.interval.high > 0.012


def test_a_p99_of_too_few_answers_is_no_number() -> None:
    run = a_run().with_rate(10.0).built()
    verdict = check_slo(run, SloCheck(p99=Seconds(0.15)))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert figure(verdict, "latency p99").value is None
    assert "299" in verdict.sentence


def test_no_error_at_all_is_broken_by_one() -> None:
    one = a_run().altering_requests(_fail_one).built()

    assert check_slo(one, SloCheck(error_ratio=Ratio(0.0))).outcome is Outcome.FAIL
    assert check_slo(a_run().built(), SloCheck(error_ratio=Ratio(0.0))).outcome is Outcome.PASS


def _fail_one(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(outcome=frame["outcome"].mask(frame.index == 1000, "failed"))


@pytest.mark.parametrize(
    ("limit_s", "error", "outcome"),
    [(0.5, "status_5xx", Outcome.PASS), (0.001, "status_5xx", Outcome.FAIL), (5.0, "deadline", Outcome.FAIL)],
)
def test_what_fails_has_to_fail_soon(limit_s: float, error: str, outcome: Outcome) -> None:
    run = a_run().with_errors(from_s=25, to_s=55, share=0.05, error=error)
    verdict = check_slo(run.built(), SloCheck(phase="disturbed", fails_within=Seconds(limit_s)))

    assert verdict.outcome is outcome, verdict.sentence
    assert bool(verdict.evidence) == (outcome is Outcome.FAIL)


def test_where_nothing_failed_nobody_knows_how_soon_it_would_have() -> None:
    verdict = check_slo(a_run().built(), SloCheck(fails_within=Seconds(1.0)))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "nothing failed" in verdict.sentence


def test_objectives_can_be_about_an_operation_a_priority_or_a_part_of_the_phase() -> None:
    run = a_run().with_slowness(from_s=25, to_s=35, service_s=0.5)
    limit = SloCheck(phase="disturbed", p99=Seconds(0.15))

    assert _outcome(run, limit) is Outcome.FAIL
    assert _outcome(run, msgspec.structs.replace(limit, start=Seconds(11.0))) is Outcome.PASS
    assert _outcome(run, msgspec.structs.replace(limit, priority=2, end=Seconds(10.0))) is Outcome.FAIL
    verdict = check_slo(run.built(), msgspec.structs.replace(limit, operation="home"))
    assert 0.3 * 3000 < figure(verdict, "latency p99").samples < 0.5 * 3000


def test_latency_counts_from_the_scheduled_time() -> None:
    def late(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(latency_s=frame["latency_s"] + 0.5)  # sent late, served as quickly

    assert _outcome(a_run().altering_requests(late), SloCheck(p50=Seconds(0.06))) is Outcome.FAIL
