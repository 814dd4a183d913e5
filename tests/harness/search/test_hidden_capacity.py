"""Metastable states: the oracle's own table, and that a search by recovery finds the hidden capacity that it has."""

from dataclasses import replace

import msgspec
import numpy as np
import pandas as pd
import pytest

from harness.clock import NS_PER_S
from harness.experiment.expectations.recovery import RecoveryCheck
from harness.plan import Plan
from harness.record.reader import Run
from harness.search.bisection import Ending, Search
from harness.searching import Attempt, Question, find_knee
from harness.units import PerSecond, Ratio, Seconds
from harness.verify.judge import judge
from harness.verify.verdict import Outcome
from tests.harness import simulation
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.search.a_retry_storm import Storm, attempts, evenly, goodput

NO_RETRIES = Storm(retries=0)
BUDGET = Storm(retry_budget=0.1)
SHEDS = Storm(refuses_after_s=0.5)
DROPS = Storm(drops_expired=True)


def served_again_after_s(storm: Storm, load: float, *, lasts_s: float) -> float | None:
    """From the end of the outage until goodput is at least 95 % of the load for good; None if that does not happen."""
    seconds = goodput(attempts(storm, evenly(load, lasts_s)), lasts_s)[: int(lasts_s) - 5]  # not those that still wait
    bad = np.flatnonzero(seconds < 0.95 * load)
    last = int(bad[-1]) + 1 if len(bad) else 0
    return None if last == len(seconds) else max(0.0, last - storm.outage[1])


@pytest.mark.parametrize(
    ("why", "storm", "load", "at_least_s", "at_most_s"),
    [
        ("four times 40 is less than 200", Storm(), 40, 20, 60),
        ("four times 48 is hardly less: it takes 34 s of load at 8/s", Storm(), 48, 150, 300),
        ("without retries", NO_RETRIES, 150, 20, 40),
        ("with a budget for retries", BUDGET, 150, 20, 90),
        ("where the queue is bounded", SHEDS, 150, 0, 5),
        ("where nothing is done for nobody", DROPS, 150, 0, 10),
        ("even close to the capacity", DROPS, 190, 0, 120),
    ],
)
def test_what_recovers_and_when(why: str, storm: Storm, load: float, at_least_s: float, at_most_s: float) -> None:
    again_s = served_again_after_s(storm, load, lasts_s=400)

    assert again_s is not None, why
    assert at_least_s <= again_s <= at_most_s, (why, again_s)


@pytest.mark.parametrize(
    ("why", "storm", "load", "lasts_s"),
    [
        ("four times 52 is more than 200: for ever", Storm(), 52, 1000),
        ("as far above the hidden capacity as may be", Storm(), 190, 100),
        ("the queue alone, at 95 %, for minutes", NO_RETRIES, 190, 150),
        ("a budget of a tenth is more than is left at 95 %", BUDGET, 190, 400),
    ],
)
def test_what_does_not(why: str, storm: Storm, load: float, lasts_s: float) -> None:
    assert served_again_after_s(storm, load, lasts_s=lasts_s) is None, why


def test_before_the_outage_nobody_notices_anything() -> None:
    done = attempts(Storm(), evenly(52, 9.0))

    assert all(attempt.ok and attempt.number == 1 for attempt in done)


def test_stuck_is_no_goodput_with_four_times_the_load() -> None:
    done = attempts(Storm(), evenly(52, 300.0))
    late = [attempt for attempt in done if 200 <= attempt.sent_s < 290]

    assert not any(attempt.ok for attempt in late)
    assert len(late) / 90 == pytest.approx(4 * 52, rel=0.02)


# --- the same as a record -------------------------------------------------------------------------------------------

OUTAGE_S = 3.0
WITHIN = RecoveryCheck(rto=Seconds(40.0), goodput_alone=True)
BY_RECOVERY = Question(judged_by="recovery", phase="recovery")


def _base(rate: float) -> RunBuilder:
    built = a_run().with_rate(rate).with_phases(warm_up=2.0, baseline=12.0, disturbed=4.0, recovery=60.0)
    return built.without_shedding().with_fault(at_s=14.0, lasts_s=OUTAGE_S).expecting(WITHIN)


def _stormy(rate: float, storm: Storm) -> Run:
    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        done = attempts(storm, frame["scheduled_s"].tolist())
        rows = frame.iloc[[0] * len(done)].reset_index(drop=True)
        sent_ns, ended_ns = (
            simulation.LOAD_START_NS + (np.array(times_s) * NS_PER_S).round().astype(np.int64)
            for times_s in ([one.sent_s for one in done], [one.ended_s for one in done])
        )
        failed = np.array([not one.ok for one in done])
        rows = rows.assign(
            scheduled_ns=sent_ns,
            sent_ns=sent_ns,
            finished_ns=ended_ns,
            attempt=np.array([one.number for one in done], dtype=np.int8),
            outcome=rows["outcome"].mask(failed, "failed"),
            error=rows["error"].mask(failed, "deadline"),
        )
        return simulation.with_run_time(rows)

    run = _base(rate).altering_requests(changed).built()
    return Run(**{**vars(run), "plan": _at(rate, run.plan)})


def _at(rate: float, plan: Plan) -> Plan:
    return msgspec.structs.replace(plan, variables={"rate": str(PerSecond(rate))})


def _found(storm: Storm, *, low: float, high: float) -> tuple[Ending, PerSecond | None, PerSecond | None]:
    search = Search(low=PerSecond(low), high=PerSecond(high), resolution=Ratio(0.04))

    def attempt(plan: Plan) -> Attempt:
        run = _stormy(float(plan.load.rate), storm)
        return Attempt(run=run, verdicts=judge(run))

    def plan_at(rate: PerSecond) -> Plan:
        return _at(rate, _base(rate).built().plan)

    knee = find_knee(plan_at, search, BY_RECOVERY, attempt=attempt, on_point=lambda knee: None).knee
    return knee.ending, knee.highest_pass, knee.lowest_fail


@pytest.mark.slow
def test_a_search_by_recovery_finds_the_hidden_capacity() -> None:
    """C / (1 + r) is 50/s; what is to be over within 40 s has to stay a little below, by what has queued up in 3 s (all
    of it sent up to three times) divided by 40 s."""
    storm = Storm(outage=(14.0, 14.0 + OUTAGE_S))

    ending, highest, lowest = _found(storm, low=30.0, high=70.0)

    assert ending is Ending.FOUND
    assert highest is not None
    assert lowest is not None
    assert 45.0 <= highest < lowest <= 50.0


@pytest.mark.slow
@pytest.mark.parametrize("storm", [NO_RETRIES, SHEDS, DROPS])
def test_without_what_sustains_it_the_same_load_recovers(storm: Storm) -> None:
    calm = replace(storm, outage=(14.0, 14.0 + OUTAGE_S))

    assert judge(_stormy(70.0, calm)).outcome is Outcome.PASS
