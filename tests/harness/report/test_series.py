import numpy as np
import pandas as pd
import pytest

from harness.report.series import MOST_BINS
from harness.report.summary import good_within_s
from tests.harness.a_run import a_run
from tests.harness.report import some


def test_each_second_adds_up_to_what_was_offered_in_it() -> None:
    run = some.a_full_run().with_slowness(from_s=50, to_s=55, service_s=0.7, share=0.3).built()
    series = some.series_in(run, within_s=good_within_s(run))

    rates = {name: line.value for name, line in series.rates.items()}
    ended = rates["good"] + rates["late"] + rates["shed"] + rates["disabled"] + rates["errors"]
    assert np.array_equal(ended, rates["offered"])
    assert rates["late"][52] == pytest.approx(30, abs=15)
    assert rates["late"][20] == 0
    assert rates["offered"].sum() == len(run.requests)


def test_the_offered_rate_is_the_planned_one() -> None:
    series = some.series_in(a_run().with_rate(100).with_overload(from_s=30, to_s=40, per_s=300).built())

    offered = series.rates["offered"].value
    assert offered[10] == pytest.approx(100, abs=1)
    assert offered[35] == pytest.approx(300, abs=1)


def test_a_generator_that_stalls_shows_in_the_achieved_rate_not_in_the_offered_one() -> None:
    def stalled(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(sent_s=frame["sent_s"].mask(frame["sent_s"].between(20, 25), 25.5))

    rates = some.series_in(a_run().with_rate(100).altering_requests(stalled).built()).rates

    assert list(rates["offered"].value[20:26]) == pytest.approx([100] * 6, abs=1)
    assert list(rates["achieved"].value[20:26]) == pytest.approx([0, 0, 0, 0, 0, 600], abs=3)


@pytest.mark.parametrize(("rate", "bin_s"), [(400, 1.0), (100, 5.0), (40, 10.0)])
def test_a_percentile_takes_bins_as_wide_as_its_samples_need(rate: float, bin_s: float) -> None:
    p99 = some.series_in(a_run().with_rate(rate).without_shedding().built()).quantiles[2]

    assert (p99.p, p99.bin_s) == (0.99, bin_s)
    assert np.isfinite(p99.line.value).all()


def test_a_percentile_without_samples_is_a_gap_not_a_guess() -> None:
    run = a_run().with_errors(from_s=30, to_s=40).built()
    p50 = some.series_in(run).quantiles[0]

    assert np.isnan(p50.line.value[32])
    assert np.isfinite(p50.line.value[20])


def test_the_shed_ratio_lies_near_the_promised_one() -> None:
    run = a_run().with_overload(from_s=25, to_s=55, per_s=300).built()
    series = some.series_in(run)

    for priority, promised in {2: 0.10, 3: 0.30, 4: 0.50}.items():
        steady = slice(30, 54)
        assert np.nanmean(series.shed_ratio[priority].value[steady]) == pytest.approx(promised, abs=0.06)
        assert np.nanmean(series.shed_promised[priority].value[steady]) == pytest.approx(promised, abs=0.02)
    assert np.nanmax(series.shed_ratio[1].value) == 0
    assert 1 not in series.shed_promised


def test_a_shedder_that_does_nothing_leaves_the_promised_curve_where_it_is() -> None:
    series = some.series_in(a_run().with_overload(from_s=25, to_s=55, per_s=400).without_shedding().built())

    assert np.nanmax(series.shed_ratio[4].value) == 0
    assert series.shed_promised[4].value[40] == pytest.approx(0.75, abs=0.02)


def test_the_level_is_told_by_answers_controller_and_inputs() -> None:
    levels = some.series_in(a_run().with_inputs(from_s=30, to_s=40, latency_p99_ms=450).built()).levels
    (controller,) = levels.controllers.values()
    (called_for,) = levels.called_for.values()

    assert levels.shown.value[35] == 2
    assert controller.value[np.searchsorted(controller.at_s, 35.0)] == 2
    assert called_for.value[np.searchsorted(called_for.at_s, 35.0)] == 2
    assert called_for.value[np.searchsorted(called_for.at_s, 42.0)] == 0  # the level itself is left only later
    assert controller.value[np.searchsorted(controller.at_s, 42.0)] == 2


def test_nothing_recorded_gives_empty_lines_and_no_error() -> None:
    series = some.series_in(some.an_empty_run())

    assert series.rates["offered"].value.sum() == 0
    assert np.isnan(series.slowest.value).all()
    assert (len(series.shed_ratio), len(series.shed_promised), len(series.levels.controllers)) == (0, 0, 0)


@pytest.mark.slow
def test_a_long_run_gets_no_more_points_than_a_screen_can_show() -> None:
    run = a_run().with_rate(0.05).with_phases(baseline=1.5 * MOST_BINS).built()
    series = some.series_in(run)

    assert len(series.rates["offered"].value) <= MOST_BINS
    assert series.rates["offered"].value.mean() == pytest.approx(0.05, rel=0.05)
