from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import msgspec
import pandas as pd
import pytest

from harness.experiment.expectations.autoscaler import Autoscaler
from harness.record.reader import Run
from harness.verify.scaling.hpa import Reading, scaled
from harness.verify.scaling.trace import Trace, traces_of
from tests.harness.a_run import a_run
from tests.harness.simulation import CONTROLLER, REPLICAS, at
from tests.harness.verify.scaling.a_scaled_system import CPU, HPA, P99, RATE, a_scaled_run

SMALL = scaled(HPA)
NAN = float("nan")
Samples = Mapping[str, float]


def _shown(number: float, *, desired: float = 5.0, rate: float = 12.345, **others: float) -> dict[str, float]:
    """What one scrape shows; a label is written behind a bar."""
    return {
        "autoscaler_syncs_total": number,
        "autoscaler_current_replicas": 5.0,
        "autoscaler_desired_replicas": desired,
        "autoscaler_ready_replicas": 4.0,
        f"autoscaler_metric|{CPU}": 31.0,
        f"autoscaler_metric|{RATE}": rate,
        f"autoscaler_metric|{P99}": 37.5,
        "autoscaler_counted_pods": 3.0,
        "autoscaler_missing_pods": 1.0,
        "autoscaler_unready_pods": 1.0,
        **others,
    }


def _frame(scrapes: Mapping[float, Samples], service: str = CONTROLLER) -> pd.DataFrame:
    rows = []
    for at_s, samples in scrapes.items():
        for key, value in samples.items():
            metric, _, of = key.partition("|")
            rows.append((at(at_s), service, metric, f'metric="{of}"' if of else "", value, at_s))
    return pd.DataFrame(rows, columns=["at_ns", "service", "metric", "labels", "value", "at_s"])


def _traces(scrapes: Mapping[float, Samples], hpa: Autoscaler = SMALL) -> list[Trace]:
    return traces_of(replace(_short_run(), metrics=_frame(scrapes)), hpa)


@cache
def _short_run() -> Run:
    return a_run().with_phases(warm_up=1.0).built()


@cache
def _longer_run() -> Run:
    return a_run().with_phases(warm_up=12.0).built()


def test_each_sync_is_one_row_as_the_first_scrape_that_saw_it_shows_it() -> None:
    [trace] = _traces({1.0: _shown(7), 1.5: _shown(7), 2.0: _shown(8, desired=6)})

    assert (trace.service, trace.region, trace.doubt, trace.missed) == (CONTROLLER, "us-east", "", 0)
    assert [(sync.number, sync.at_s, sync.seen.current, sync.desired, sync.ready) for sync in trace.syncs] == [
        (7, 1.0, 5, 5, 4),
        (8, 2.0, 5, 6, 4),
    ]
    assert trace.syncs[1].change == 1


def test_a_sync_was_after_the_scrape_that_did_not_show_it_yet() -> None:
    [trace] = _traces({1.0: _shown(7), 1.5: _shown(7), 2.25: _shown(8), 4.0: _shown(9)})

    assert [sync.seen.error_s for sync in trace.syncs] == [0.75, 0.75, 1.75]  # of the first: a sync period


def test_metrics_become_whole_multiples_of_their_resolution() -> None:
    [trace] = _traces({1.0: _shown(7, rate=12.345)})

    assert trace.syncs[0].seen.readings == {
        CPU: Reading(value=31, counted=3, missing=1, unready=1),
        RATE: Reading(value=12345, counted=3, missing=1, unready=1),
        P99: Reading(value=37500, counted=3, missing=1, unready=1),
    }
    [small] = _traces({1.0: _shown(7, rate=0.043)})  # divided by 0.001 it is 42.99999999999999
    assert small.syncs[0].seen.readings[RATE].value == 43


def test_a_metric_may_have_pods_of_its_own() -> None:
    own = {f"autoscaler_{name}_pods|{CPU}": value for name, value in (("counted", 4.0), ("unready", 0.0))}

    [trace] = _traces({1.0: _shown(7, **own)})

    assert trace.syncs[0].seen.readings[CPU] == Reading(value=31, counted=4, missing=1, unready=0)
    assert trace.syncs[0].seen.readings[RATE].counted == 3


def test_an_invalid_metric_is_known_to_be_invalid() -> None:
    [trace] = _traces({1.0: _shown(7, rate=NAN), 2.0: _shown(8)})

    assert trace.syncs[0].seen.readings[RATE] == Reading(value=None, counted=0)
    assert trace.syncs[1].seen.readings[RATE].value == 12345


@pytest.mark.parametrize(
    "lost", ["autoscaler_desired_replicas", "autoscaler_current_replicas", "autoscaler_missing_pods"]
)
def test_a_sync_without_what_a_prediction_needs_counts_as_missed(lost: str) -> None:
    [trace] = _traces({1.0: _shown(7), 2.0: _shown(8, **{lost: NAN}), 3.0: _shown(9)})

    assert [sync.number for sync in trace.syncs] == [7, 9]
    assert trace.missed == 1


def test_holes_and_restarts_are_noticed() -> None:
    [trace] = _traces({at_s: _shown(number) for at_s, number in [(1.0, 7), (2.0, 10), (3.0, 11), (4.0, 3), (5.0, 4)]})

    assert (trace.missed, trace.restarts) == (2 + 2, 1)  # 8 and 9; after the restart 1 and 2


def test_the_longest_silence_is_between_scrapes_that_show_the_same_sync() -> None:
    [trace] = _traces({0.5 * number: _shown(7 + (number > 4) + (number > 6)) for number in range(12)})

    assert trace.silent_s == 2.0


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ("autoscaler_syncs_total", "a sync"),
        ("autoscaler_desired_replicas", "autoscaler_desired_replicas"),
        ("autoscaler_counted_pods", "autoscaler_counted_pods"),
        (f"autoscaler_metric|{RATE}", f"autoscaler_metric of {RATE}"),
        ("", "a sync"),  # nothing any more
    ],
)
def test_what_is_not_shown_until_the_end_is_named(gone: str, named: str) -> None:
    scrapes = {float(at_s): _shown(7 + at_s) for at_s in range(12)}
    for at_s in range(6, 12):
        scrapes[at_s] = {key: value for key, value in scrapes[at_s].items() if gone and key != gone}

    [trace] = traces_of(replace(_longer_run(), metrics=_frame(scrapes)), SMALL)

    assert trace.ends_early == f"no scrape of {CONTROLLER} shows {named} after T+5.0 s"


def test_a_sync_that_is_shown_until_the_end_is_the_last_one() -> None:
    scrapes = {float(at_s): _shown(min(7.0 + at_s, 11.0)) for at_s in range(12)}

    [trace] = traces_of(replace(_longer_run(), metrics=_frame(scrapes)), SMALL)

    assert trace.ends_early == ""


def test_before_its_first_sync_an_autoscaler_shows_nothing() -> None:
    [trace] = _traces({1.0: _shown(0, desired=0.0), 2.0: _shown(1)})

    assert [sync.number for sync in trace.syncs] == [1]


@pytest.mark.parametrize("lost", [key for key in _shown(1) if key != "autoscaler_syncs_total"])
def test_a_series_that_never_appears_is_named(lost: str) -> None:
    [trace] = _traces({1.0: {key: value for key, value in _shown(7).items() if key != lost}})

    assert trace.syncs == ()
    assert trace.doubt == f"no scrape of {CONTROLLER} shows {lost.replace('|', ' of ')}"


def test_syncs_that_are_never_whole_are_a_doubt() -> None:
    [trace] = _traces({1.0: _shown(7, autoscaler_desired_replicas=NAN)})

    assert (trace.syncs, trace.doubt) == ((), f"no scrape of {CONTROLLER} shows a whole sync")


def test_who_shows_no_sync_has_no_trace() -> None:
    assert _traces({}) == []
    assert _traces({1.0: {"degradation_level": 0.0}}) == []
    assert _traces({1.0: _shown(0)}) == []
    elsewhere = replace(_short_run(), metrics=_frame({1.0: _shown(7)}, REPLICAS[0]))
    assert traces_of(elsewhere, SMALL) == []


def test_names_are_those_of_the_target() -> None:
    run = _short_run()
    names = msgspec.structs.replace(run.plan.target.metrics, autoscaler_desired="wanted")
    target = msgspec.structs.replace(run.plan.target, metrics=names)
    shown = {("wanted" if key == "autoscaler_desired_replicas" else key): value for key, value in _shown(7).items()}
    named = replace(run, plan=msgspec.structs.replace(run.plan, target=target), metrics=_frame({1.0: shown}))

    assert len(traces_of(named, SMALL)[0].syncs) == 1


@pytest.mark.slow
def test_of_a_whole_run_every_sync_is_there() -> None:
    [trace] = traces_of(a_scaled_run().built(), SMALL)

    assert trace.missed == 0
    assert len(trace.syncs) == pytest.approx(112 / 0.75, abs=2)
