import dataclasses
import re

import msgspec
import numpy as np
import pandas as pd
import pytest

from harness.experiment.expectations.shedding import SheddingCheck
from harness.experiment.load import Arrivals
from harness.target.promises import SheddingPromise
from harness.units import Ratio, Seconds
from harness.verify import overload, statistics
from harness.verify.shedding import check_shedding
from harness.verify.verdict import Figure, Outcome
from harness.verify.windows import Bools
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.simulation import the_target
from tests.harness.verify.a_full_run import figure, guilty

CHECK = SheddingCheck()


def _overloaded(arrivals: Arrivals = Arrivals.POISSON) -> RunBuilder:
    """0.6x, then 1.5x for 30 s and 2x for 20 s."""
    return (
        a_run()
        .with_rate(120.0, arrivals)
        .with_phases(warm_up=5.0, baseline=20.0, disturbed=50.0, recovery=15.0)
        .with_overload(from_s=25.0, to_s=55.0, per_s=300.0)
        .with_overload(from_s=55.0, to_s=75.0, per_s=400.0)
    )


def _promise() -> SheddingPromise:
    promise = the_target().promises.shedding
    assert promise is not None
    return promise


@pytest.mark.parametrize(
    ("at", "by_priority"),
    [
        (0.5, (0.0, 0.0, 0.0, 0.0)),
        (1.0, (0.0, 0.0, 0.0, 0.0)),
        (1.25, (0.0, 0.05, 0.15, 0.25)),
        (1.5, (0.0, 0.10, 0.30, 0.50)),
        (1.75, (0.0, 0.175, 0.40, 0.625)),
        (2.0, (0.0, 0.25, 0.50, 0.75)),
        (3.0, (0.0, 0.55, 0.90, 0.95)),  # the last slope goes on, up to the cap
        (9.0, (0.0, 0.95, 0.95, 0.95)),
    ],
)
def test_the_promised_curve(at: float, by_priority: tuple[float, ...]) -> None:
    found = overload.promised_ratio(_promise(), np.full(4, at), np.array([1.0, 2.0, 3.0, 4.0]))

    assert found == pytest.approx(by_priority)


@pytest.mark.parametrize(("at", "by_priority"), [(1.5, (0.0, 1 / 3, 0.4167, 0.5)), (2.0, (0.0, 2 / 3, 0.8333, 0.95))])
def test_the_sources_formula_as_another_promise(at: float, by_priority: tuple[float, ...]) -> None:
    promise = msgspec.structs.replace(_promise(), policy="formula")
    found = overload.promised_ratio(promise, np.full(4, at), np.array([1.0, 2.0, 3.0, 4.0]))

    assert found == pytest.approx(by_priority, abs=1e-3)


def test_overload_is_the_answering_replicas_own() -> None:
    run = a_run().with_overload(from_s=25.0, to_s=55.0, per_s=300.0).built()
    load = overload.of_requests(run, _promise()).overload
    at_s = run.requests["sent_s"].to_numpy()

    assert load[(at_s > 10) & (at_s < 24)].mean() == pytest.approx(0.5, abs=0.02)
    assert load[(at_s > 30) & (at_s < 54)].mean() == pytest.approx(1.5, abs=0.02)


def test_emergency_shedding_halves_the_target() -> None:
    run = a_run().with_inputs(from_s=30.0, to_s=50.0, cpu_ratio=0.3, latency_p99_ms=1500.0).built()
    load = overload.of_requests(run, _promise()).overload
    at_s = run.requests["sent_s"].to_numpy()

    assert load[(at_s > 35) & (at_s < 48)].mean() == pytest.approx(1.0, abs=0.05)


def test_requests_that_nobody_answered_count_for_all_replicas() -> None:
    quiet = a_run().built()
    half_lost = a_run().with_errors(from_s=0.0, to_s=80.0, share=0.5, error="reset").built()

    for run in (quiet, half_lost):
        assert np.nanmean(overload.of_requests(run, _promise()).overload) == pytest.approx(0.5, abs=0.03)


def test_an_empty_record_decides_nothing() -> None:
    run = a_run().altering_requests(lambda frame: frame.iloc[:0]).built()

    assert check_shedding(run, CHECK).outcome is Outcome.INCONCLUSIVE


CALM = SheddingCheck(expect_shedding=False)


def _refused(frame: pd.DataFrame, hit: Bools, words: dict[str, object]) -> pd.DataFrame:
    """These refused for overload by whoever had answered them; `words` say otherwise."""
    said = {"outcome": "shed", "status": 503, "service_s": 0.002, "shed_reason": "overload", **words}
    changed = frame.astype({"outcome": object, "shed_reason": object, "served_by": object})
    return changed.assign(**{column: changed[column].mask(hit, value) for column, value in said.items()})


def _calm(every: int = 3, priorities: tuple[int, ...] = (2, 3, 4), **words: object) -> RunBuilder:
    """A run at 0.5x in which each third, or so, of these priorities is refused."""

    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        hit = (np.arange(len(frame)) % every == 0) & frame["priority"].isin(priorities).to_numpy(dtype=bool)
        return _refused(frame, hit, words)

    return a_run().altering_requests(changed)


def test_what_is_shed_for_another_reason_is_not_what_the_curve_is_about_and_is_told() -> None:
    verdict = check_shedding(_calm(shed_reason="pool").built(), CALM)

    assert guilty(verdict) == []
    assert figure(verdict, 'refused for "pool"').value == pytest.approx(0.88 * 8000 / 3, rel=0.03)
    assert "shed at or below 0.8x" in guilty(check_shedding(_calm().built(), CALM))


def test_priority_1_is_to_be_shed_for_no_reason_and_by_nobody() -> None:
    for run in (
        _calm(100, (1,), shed_reason="pool"),
        _calm(100, (1,), served_by=""),
        _calm(100, (1,), level=-1),
    ):
        assert "priority 1 shed" in guilty(check_shedding(run.built(), CALM))


def test_another_priority_that_the_curve_spares_may_be_shed_for_another_reason() -> None:
    target = the_target()
    curve = {at: {**by, "2": Ratio(0.0)} for at, by in _promise().curve.items()}
    spared = msgspec.structs.replace(_promise(), curve=curve)
    target = msgspec.structs.replace(target, promises=msgspec.structs.replace(target.promises, shedding=spared))

    assert guilty(check_shedding(_calm(shed_reason="pool").with_target(target).built(), CALM)) == []
    assert "priority 2 shed" in guilty(check_shedding(_calm().with_target(target).built(), CALM))


@pytest.mark.parametrize(
    ("run", "origin"),
    [
        (_calm(served_by=""), '2,360 without X-Served-By; first at T+0.0 s for "overload"'),
        (_calm(served_by="edge"), "by edge, which is no replica"),
        (_calm(level=-1), "by us-east-api-1 without X-Degradation-Level"),
        (_calm(served_by="", shed_reason=""), "without X-Served-By"),
    ],
)
def test_refusals_that_no_replica_answers_for_are_not_unseen(run: RunBuilder, origin: str) -> None:
    """The overload that they met is not known; where none was expected, nothing excuses them."""
    name = "refusals at an overload that nobody knows"
    meant, unmeant = (figure(check_shedding(run.built(), check), name) for check in (CHECK, CALM))

    assert (meant.outcome, unmeant.outcome) == (Outcome.INCONCLUSIVE, Outcome.FAIL)
    assert origin in meant.reason


def test_a_single_refusal_that_no_replica_answers_for_blames_nobody() -> None:
    verdict = check_shedding(_calm(7999, served_by="").built(), CALM)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "without X-Served-By" in verdict.sentence


def test_where_no_answer_names_a_replica_refusals_are_still_seen() -> None:
    nameless = _calm().altering_requests(lambda frame: frame.assign(served_by="")).built()

    assert check_shedding(nameless, CALM).outcome is Outcome.FAIL
    assert check_shedding(nameless, CHECK).outcome is Outcome.INCONCLUSIVE


def test_a_run_without_overload_proves_nothing_unless_that_was_meant() -> None:
    run = a_run().built()

    assert check_shedding(run, CHECK).outcome is Outcome.INCONCLUSIVE
    assert check_shedding(run, SheddingCheck(expect_shedding=False)).outcome is Outcome.PASS


def test_shedding_by_the_curve_passes() -> None:
    verdict = check_shedding(_overloaded().built(), CHECK)

    assert verdict.outcome is Outcome.PASS, verdict.sentence
    assert "priority 4 shed whenever overloaded" in verdict.sentence


def test_too_few_answers_are_undecided_with_the_number_that_would_decide() -> None:
    verdict = check_shedding(_overloaded().built(), SheddingCheck(tolerance=Ratio(0.012)))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "samples would decide" in verdict.sentence


def _in_waves(frame: pd.DataFrame) -> pd.DataFrame:
    """As much of priority 4 as the curve says, but 15 % more for 4 s and then 15 % less for 4 s."""
    at_s = frame["sent_s"].to_numpy()
    wanted = np.where(at_s < 55, 0.5, 0.75) + np.where(np.floor(at_s / 4) % 2 == 0, 0.15, -0.15)
    of_it = (frame["priority"] == 4) & frame["sent_s"].between(27, 75)
    shed = of_it & (np.random.default_rng(3).random(len(frame)) < wanted)
    words = frame.astype({"outcome": object, "shed_reason": object})
    return words.assign(
        outcome=words["outcome"].mask(of_it, "ok").mask(shed, "shed"),
        shed_reason=words["shed_reason"].mask(of_it, "").mask(shed, "overload"),
        status=words["status"].mask(of_it, 200).mask(shed, 503),
        service_s=words["service_s"].mask(shed, 0.002),
    )


def test_a_priority_of_which_too_little_came_is_undecided() -> None:
    """Ninety of priority 4 while overloaded, none of them shed, where the curve sheds more than half."""

    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        busy = (frame["priority"] == 4) & frame["sent_s"].between(25, 77)
        return frame.assign(
            priority=frame["priority"].mask(busy & (busy.cumsum() > 90), 1),
            outcome=frame["outcome"].mask(busy, "ok"),
            shed_reason=frame["shed_reason"].mask(busy, ""),
        )

    run = _overloaded().altering_requests(changed).built()
    verdict = check_shedding(run, CHECK)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert guilty(verdict) == ["priority 4 shed whenever overloaded"]
    assert "at least 100 answers are needed" in verdict.sentence
    assert check_shedding(run, CALM).outcome is Outcome.PASS


def test_what_is_shed_in_waves_is_known_less_well() -> None:
    """What varies while nothing is done to the system is chance, so a few waves do not show what the share is."""
    verdict = check_shedding(_overloaded().altering_requests(_in_waves).built(), CHECK)
    pooled = figure(verdict, "priority 4 shed whenever overloaded")

    assert pooled.outcome is Outcome.INCONCLUSIVE
    assert _width(pooled) > 0.08


def _width(found: Figure) -> float:
    assert found.interval is not None
    low, high = statistics.ends(found.interval)
    return high - low


def test_that_the_parts_of_a_run_differ_is_no_error_bar() -> None:
    """Where nothing is shed, half of priority 4 is missing at 1.5x and three quarters at 2x: how many is sure."""
    verdict = check_shedding(_overloaded().without_shedding().built(), CHECK)

    for priority in (2, 3, 4):
        pooled = figure(verdict, f"priority {priority} shed whenever overloaded")
        assert pooled.outcome is Outcome.FAIL
        assert _width(pooled) < 0.04


def _hit(priority: int, share: float, outcome: str = "ok", *, was: str = "shed") -> RunBuilder:
    """Turn a share of one priority's refusals into answers, or the other way round, while overloaded."""

    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        drawn = np.random.default_rng(7).random(len(frame)) < share
        hit = (frame["priority"] == priority) & (frame["outcome"] == was) & drawn & frame["sent_s"].between(30, 74)
        frame = frame.copy()
        frame.loc[hit, "outcome"] = outcome
        if outcome == "shed":
            frame.loc[hit, ["status", "service_s"]] = (503, 0.002)
            frame.loc[hit, "shed_reason"] = "overload"
        return frame

    return _overloaded().altering_requests(changed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("defect", "run", "culprit"),
    [
        ("no shedding at all", _overloaded().without_shedding(), "priority 2 shed whenever overloaded"),
        ("half as much of priority 4", _hit(4, 0.5), "priority 4 shed whenever overloaded"),
        ("more of priority 2", _hit(2, 0.15, "shed", was="ok"), "priority 2 shed whenever overloaded"),
        ("priority 1 is shed", _hit(1, 0.01, "shed", was="ok"), "priority 1 shed"),
        ("the important go first", _hit(2, 0.9, "shed", was="ok"), "priority 2 shed less than 3"),
        (
            "shed without need",
            _overloaded().altering_requests(
                lambda f: f.assign(
                    outcome=f["outcome"].mask((f["sent_s"] < 25) & (f.index % 50 == 0), "shed"),
                )
            ),
            "shed at or below 0.8x",
        ),
        (
            "refusals without marker",
            _overloaded().altering_requests(lambda f: f.assign(shed_reason="")),
            "refusals without marker or status 503",
        ),
        (
            "refused after the work was done",
            _overloaded().altering_requests(
                lambda f: f.assign(service_s=f["service_s"].mask(f["outcome"] == "shed", 0.016))
            ),
            "median refusal",
        ),
        (
            "refusals wait for a slot",
            _overloaded().altering_requests(
                lambda f: f.assign(service_s=f["service_s"].mask(f["outcome"] == "shed", 0.2))
            ),
            "refusal p99",
        ),
    ],
)
def test_each_broken_part_of_the_promise_is_found(defect: str, run: RunBuilder, culprit: str) -> None:
    verdict = check_shedding(run.built(), CHECK)

    assert verdict.outcome is Outcome.FAIL, defect
    assert figure(verdict, culprit).outcome is Outcome.FAIL, (defect, guilty(verdict))


def test_noise_of_the_arrivals_around_the_target_is_no_false_shedding() -> None:
    run = a_run().with_rate(200.0, Arrivals.POISSON).built()  # 1x on average, above it half of the time

    assert check_shedding(run, SheddingCheck(expect_shedding=False)).outcome is Outcome.PASS


def test_a_target_without_that_promise_is_not_judged() -> None:
    target = msgspec.structs.replace(
        the_target(), promises=msgspec.structs.replace(the_target().promises, shedding=None)
    )
    run = dataclasses.replace(a_run(), target=target).built()

    assert check_shedding(run, CHECK).outcome is Outcome.INCONCLUSIVE


def test_slow_refusals_within_their_limit_pass() -> None:
    assert check_shedding(_overloaded().built(), SheddingCheck(refusal_p99=Seconds(0.003))).outcome is Outcome.PASS


def test_what_is_accepted_names_the_ends_that_a_share_may_be_close_to() -> None:
    accept = figure(check_shedding(_overloaded().built(), CHECK), "priority 2 shed whenever overloaded").accept

    promised, tolerance, low, high = map(float, re.findall(r"[\d.]+", accept))
    assert accept == f"{promised} % ± {tolerance:g} %, so {low} % to {high} %"
    assert (low, high) == pytest.approx((promised - tolerance, promised + tolerance), abs=0.1)
