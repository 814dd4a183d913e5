"""The whole way from a range of rates to a knee, on servers whose capacity is known."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from harness.errors import ExitCode, ExperimentError
from harness.experiment.expectations.check import Check
from harness.experiment.expectations.recovery import RecoveryCheck
from harness.experiment.expectations.slo import SloCheck
from harness.plan import Plan
from harness.search.bisection import Ending, Search
from harness.search.knee import Knee, read_knee
from harness.searching import Attempt, Question, find_knee, subject_of, write_knee
from harness.units import PerSecond, Ratio, Seconds
from harness.verify.judge import judge
from harness.verify.verdict import Outcome
from tests.harness.a_run import a_run
from tests.harness.search.a_queue import CAPACITY_PER_S, a_plan, a_queue

SLO = SloCheck(p99=Seconds(0.15), error_ratio=Ratio(0.01))
BY_SLO = Question(judged_by="slo", phase="baseline")
SEARCH = Search(low=PerSecond(100), high=PerSecond(400), resolution=Ratio(0.02))


def _plan_at(*checks: Check) -> Callable[[PerSecond], Plan]:
    return lambda rate: a_plan(rate, *checks)


def replaced(**words: object) -> Plan:
    return msgspec.structs.replace(a_plan(PerSecond(100), SLO), **words)


def _queued(plan: Plan) -> Attempt:
    run = a_queue(plan.load.rate, *plan.expect)
    return Attempt(run=run, verdicts=judge(run))


@pytest.mark.slow
def test_the_capacity_of_servers_is_slots_over_service_time(tmp_path: Path) -> None:
    told: list[Knee] = []
    searched = find_knee(_plan_at(SLO), SEARCH, BY_SLO, attempt=_queued, on_point=told.append)
    knee = searched.knee

    assert (searched.exit_code, knee.ending) == (ExitCode.PASS, Ending.FOUND)
    assert knee.highest_pass is not None
    assert knee.lowest_fail is not None
    assert knee.highest_pass <= CAPACITY_PER_S < knee.lowest_fail
    assert knee.lowest_fail - knee.highest_pass <= 0.02 * knee.lowest_fail
    assert knee.per_replica == knee.highest_pass / 2
    assert [len(each.points) for each in told] == list(range(1, len(knee.points) + 1))
    assert {point.run for point in knee.points} == {"2026-11-22T051108Z-synthetic-0001"}
    write_knee(knee, tmp_path)
    assert read_knee(tmp_path / "knee.json") == knee


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "good_per_s", "p99_s"), [(150.0, 150.0, 0.021), (320.0, 75.0, None)])
def test_a_point_tells_what_was_measured_in_its_phase(rate: float, good_per_s: float, p99_s: float | None) -> None:
    """At 320/s the queue grows by 20/s, the wait by 1/15 s a second: from T+14.7 s on nobody is answered in time."""
    search = msgspec.structs.replace(SEARCH, low=PerSecond(rate), at_most=1)
    knee = find_knee(_plan_at(SLO), search, BY_SLO, attempt=_queued, on_point=lambda knee: None).knee

    assert knee.points[0].offered_per_s == pytest.approx(rate, rel=0.01)
    assert knee.points[0].goodput_per_s == pytest.approx(good_per_s, rel=0.03)
    assert knee.points[0].latency_p99_s == (None if p99_s is None else pytest.approx(p99_s, abs=0.001))
    assert knee.points[0].timed == pytest.approx(20 * rate, rel=0.01)


def _nothing_to_judge(plan: Plan) -> Attempt:
    """A run whose record was never sealed: nothing can be concluded from it."""
    run = a_run().with_rate(50.0).expecting(*plan.expect).unsealed("it is damaged").built()
    return Attempt(run=run, verdicts=judge(run))


@pytest.mark.slow
def test_runs_that_say_nothing_end_the_search_undecided() -> None:
    search = msgspec.structs.replace(SEARCH, at_most=4)
    searched = find_knee(_plan_at(SLO), search, BY_SLO, attempt=_nothing_to_judge, on_point=lambda knee: None)

    assert (searched.exit_code, searched.knee.ending) == (ExitCode.INCONCLUSIVE, Ending.UNDECIDED)
    assert [point.outcome for point in searched.knee.points] == [Outcome.INCONCLUSIVE] * 4


@pytest.mark.slow
def test_a_rate_that_is_tried_again_has_other_arrivals() -> None:
    tried: list[tuple[str, int]] = []

    def attempt(plan: Plan) -> Attempt:
        tried.append((str(plan.load.rate), plan.load.seed))
        return _queued(plan)

    search = msgspec.structs.replace(SEARCH, resolution=Ratio(1.0))
    searched = find_knee(_plan_at(SLO), search, BY_SLO, attempt=attempt, on_point=lambda knee: None)

    assert searched.exit_code is ExitCode.PASS
    assert tried == [("100/s", 1), ("400/s", 1), ("100/s", 2), ("400/s", 2)]


@pytest.mark.slow
def test_a_run_that_could_not_be_driven_ends_the_search_with_its_code_and_keeps_what_is_known() -> None:
    def attempt(plan: Plan) -> Attempt:
        tried = _queued(plan)
        return tried if plan.load.rate < 400 else replace(tried, ended=ExitCode.BROKEN, why="the load died")

    searched = find_knee(_plan_at(SLO), SEARCH, BY_SLO, attempt=attempt, on_point=lambda knee: None)

    assert (searched.exit_code, searched.why) == (ExitCode.BROKEN, "the load died")
    assert [str(point.rate) for point in searched.knee.points] == ["100/s"]


def test_the_worst_of_several_objectives_of_the_phase_counts_and_others_do_not() -> None:
    assert BY_SLO.asks(SLO)
    assert not BY_SLO.asks(SloCheck(phase="disturbed", p99=Seconds(0.15)))
    assert not BY_SLO.asks(RecoveryCheck(rto=Seconds(10)))
    assert Question(judged_by="recovery", phase="baseline").asks(RecoveryCheck(rto=Seconds(10)))


@pytest.mark.parametrize(
    ("plan", "question", "why"),
    [
        (replaced(variables={}), BY_SLO, "its variable rate is not the arrival rate"),
        (replaced(variables={"rate": "99/s"}), BY_SLO, "its variable rate is not the arrival rate"),
        (
            replaced(),
            Question(judged_by="slo", phase="disturbed"),
            'has no phase "disturbed". It has: warm_up, baseline',
        ),
        (replaced(), Question(judged_by="slo", phase="warm_up"), "a check slo of phase warm_up is needed"),
        (replaced(), Question(judged_by="recovery", phase="baseline"), "a check recovery is needed"),
    ],
)
def test_an_experiment_that_cannot_be_searched_is_refused(plan: Plan, question: Question, why: str) -> None:
    with pytest.raises(ExperimentError, match=re.escape(why)):
        subject_of(plan, question)


def test_the_subject_is_what_all_points_have_in_common() -> None:
    subject = subject_of(a_plan(PerSecond(100), SLO), BY_SLO)

    assert (subject.regions, subject.replicas, subject.p99_limit) == (1, 2, 0.15)
    assert subject.objectives == ("slo in baseline: p99 ≤ 150ms, errors ≤ 1%",)
