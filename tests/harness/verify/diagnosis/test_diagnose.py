"""The reference system's runbook on runs with each cause planted, and what it says where evidence is missing."""

import msgspec
import numpy as np
import pandas as pd
import pytest

from harness.record.reader import Run
from harness.target.runbook import GaugeSignal, QuotientSignal, RateSignal, Runbook, Signal, Take
from harness.units import Seconds
from harness.verify.diagnosis.bounds import Answer
from harness.verify.diagnosis.diagnose import Episode, Finding, diagnose
from harness.verify.diagnosis.signals import Evidence, Signals, evidence_of, services_of
from harness.verify.windows import Window
from tests.harness.simulation import REPLICAS, the_target
from tests.harness.verify.diagnosis.some import a_watched_run


def findings(run: Run) -> dict[str, Finding]:
    return {finding.symptom: finding for finding in diagnose(evidence_of(run), run.plan.target)}


def episode(run: Run, symptom: str) -> Episode:
    (only,) = findings(run)[symptom].episodes
    return only


def test_a_quiet_run_shows_no_symptom() -> None:
    found = findings(a_watched_run().built())

    assert list(found) == ["timeline_latency", "fan_out_backlog", "connections_exhausted"]
    assert all(finding.known and not finding.episodes for finding in found.values())


SLOW, LATE, FULL = {"p99_ms": 450.0}, {"fanout_lag": 8.0}, {"pool_busy": 1.0}
PLANTED: list[tuple[str, str, dict[str, float]]] = [
    ("timeline_latency", "invalidation_storm", SLOW | {"hits": 5, "misses": 15, "invalidations": 40}),
    ("timeline_latency", "hit_rate_dropped", SLOW | {"hits": 5, "misses": 15}),
    ("timeline_latency", "hit_rate_dropped", SLOW | {"hits": 5, "misses": 15, "invalidations": 2, "db_s": 5}),
    ("timeline_latency", "redis_slow", SLOW | {"redis_s": 9.0}),
    ("timeline_latency", "database", SLOW | {"db_s": 4.0}),
    ("timeline_latency", "fan_out", SLOW | LATE),
    ("timeline_latency", "user_service", SLOW | {"login_s": 0.6}),
    ("timeline_latency", "elsewhere", SLOW),
    ("timeline_latency", "elsewhere", SLOW | {"login_s": 0.6, "home_s": 6.0}),  # all are slow alike
    ("timeline_latency", "elsewhere", SLOW | {"home_s": 0.1}),  # logins are what they were
    ("fan_out_backlog", "celebrity_post", LATE | {"to_popular": 30}),
    ("fan_out_backlog", "store_fails", LATE | {"redis_failures": 10}),
    ("fan_out_backlog", "store_fails", LATE | {"db_failures": 10}),
    ("fan_out_backlog", "too_few_workers", LATE | {"posts": 16}),
    ("fan_out_backlog", "worker", LATE),
    ("connections_exhausted", "database_away", FULL | {"pool_in_use": 0.01, "db_s": 0.01}),
    ("connections_exhausted", "leak", FULL | {"pool_in_use": 10, "db_s": 0.2}),
    ("connections_exhausted", "leak", FULL | {"pool_in_use": 10, "db_s": 0.001, "db_calls": 1.0}),  # of all connections
    ("connections_exhausted", "long_queries", FULL | {"pool_in_use": 10, "db_s": 12.0}),
    ("connections_exhausted", "too_many", FULL | {"pool_in_use": 10, "db_s": 10.0, "db_calls": 400}),
]


@pytest.mark.parametrize(("symptom", "cause", "ill"), PLANTED)
def test_a_planted_cause_is_named(symptom: str, cause: str, ill: dict[str, float]) -> None:
    found = episode(a_watched_run(**ill).built(), symptom)

    assert found.cause == cause, found.steps
    assert (found.since_s, found.until_s) == pytest.approx((30.0, 41.0), abs=1.0)


def test_a_replica_that_was_killed_lends_no_connections() -> None:
    """Whoever is left has more than its own calls, which are long; it gives its connections back all the same."""

    def the_first_is_gone(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[(frame["service"] != REPLICAS[0]) | (frame["at_s"] < 29.0)]

    run = a_watched_run(pool_busy=1.0, pool_in_use=10.0, db_s=10.5).altering_metrics(the_first_is_gone).built()

    assert episode(run, "connections_exhausted").cause == "long_queries"


def test_every_cause_of_the_runbook_is_planted() -> None:
    runbook = the_target().runbook
    assert runbook is not None

    written = {(name, cause) for name, symptom in runbook.symptoms.items() for cause in symptom.causes}
    assert {(symptom, cause) for symptom, cause, _ in PLANTED} == written


def test_steps_tell_what_was_seen_and_what_is_usual() -> None:
    hit_rate, storm = episode(a_watched_run(p99_ms=450, hits=5, misses=15).built(), "timeline_latency").steps

    assert (hit_rate.step, hit_rate.answer, hit_rate.surely) == ("hit_rate", Answer.YES, True)
    assert hit_rate.seen.usual == pytest.approx(0.75, abs=0.01)
    assert hit_rate.seen.value is not None
    assert hit_rate.seen.value < 0.45
    assert hit_rate.bound == "less than 0.7 times the usual"
    assert (storm.step, storm.answer, storm.bound) == (
        "storm",
        Answer.NO,
        "above 10 /s and more than 3 times the usual",
    )


def test_a_metric_that_is_missing_leaves_open_what_it_would_decide() -> None:
    ill = {"p99_ms": 450.0, "hits": 5.0, "misses": 15.0}

    found = episode(a_watched_run("cache_invalidations_total", **ill).built(), "timeline_latency")

    assert found.cause is None
    assert found.causes == ("invalidation_storm", "hit_rate_dropped")
    assert found.not_known == ("invalidations",)


def test_what_comes_after_an_open_question_is_asked_and_not_sure() -> None:
    run = a_watched_run("dependency_seconds_count", p99_ms=450.0).built()

    found = episode(run, "timeline_latency")

    assert found.causes == ("redis_slow", "database", "elsewhere")
    assert [(looked.step, looked.surely) for looked in found.steps] == [
        ("hit_rate", True),
        ("redis_time", True),
        ("database_time", False),
        ("delivery", False),
        ("logins", False),
    ]


def test_a_symptom_that_nobody_can_see_is_not_known() -> None:
    found = findings(a_watched_run("fanout_lag_seconds", fanout_lag=8.0).built())

    assert (found["fan_out_backlog"].known, found["fan_out_backlog"].episodes) == (False, ())


def test_without_any_metrics_nothing_is_known() -> None:
    run = a_watched_run().altering_metrics(lambda frame: frame.iloc[:0]).built()

    assert [finding.known for finding in findings(run).values()] == [False, False, False]


def test_a_short_moment_is_no_symptom() -> None:
    def calm_after_a_second(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(value=frame["value"].mask((frame["value"] == 450.0) & (frame["at_s"] > 31.0), 35.0))

    run = a_watched_run(p99_ms=450.0).altering_metrics(calm_after_a_second).built()

    assert findings(run)["timeline_latency"].episodes == ()


def test_each_region_is_asked_by_itself() -> None:
    def elsewhere_too(frame: pd.DataFrame) -> pd.DataFrame:
        """Europe is well; what it shows must not thin out what us-east shows."""
        usual = a_watched_run().built().metrics
        mine = usual["service"].astype(str).str.replace("us-east", "europe")
        return pd.concat([frame, usual.assign(service=mine)], ignore_index=True)

    run = a_watched_run(p99_ms=450.0, db_s=4.0).altering_metrics(elsewhere_too).built()
    target = run.plan.target
    services = {
        name.replace("us-east", "europe"): msgspec.structs.replace(service, region="europe")
        for name, service in target.services.items()
        if service.region == "us-east"
    }
    both = msgspec.structs.replace(target, regions=("us-east", "europe"), services={**target.services, **services})

    found = {(each.region, each.symptom): each for each in diagnose(evidence_of(run), both)}

    assert found["us-east", "timeline_latency"].episodes[0].cause == "database"
    assert found["europe", "timeline_latency"].known
    assert found["europe", "timeline_latency"].episodes == ()


def test_without_what_is_usual_a_drop_is_not_known() -> None:
    """As when a running target is watched."""
    run = a_watched_run(p99_ms=450, db_s=4.0).built()
    evidence = Evidence(samples=run.metrics, stretch=Window(name="", start_s=28.0, end_s=38.0), usual=None)

    (found,) = diagnose(evidence, run.plan.target)[0].episodes

    assert found.not_known == ("redis_hit_ratio",)
    assert found.causes == ("hit_rate_dropped", "database")


# --- signals --------------------------------------------------------------------------------------------------------

REGION = services_of(the_target(), "us-east")


def _measured(signal: GaugeSignal | RateSignal, *rows: tuple[str, str, float, float]) -> float | None:
    """Of one metric from 0 to 10 s. Rows: service, labels, when, value."""
    names = ["service", "labels", "at_s", "value"]
    frame = pd.DataFrame([dict(zip(names, row, strict=True)) for row in rows], columns=names).assign(metric="some")
    book = Runbook(lead=Seconds(0.0), signals={"it": signal}, symptoms={})
    return Signals(frame, book, REGION).value("it", Window(name="", start_s=0.0, end_s=10.0))


ONE, TWO, WORKER = "us-east-api-1", "us-east-api-2", "us-east-worker"
GAUGED = [(ONE, 'a="x"', 1.0, 3.0), (ONE, 'a="x"', 2.0, 5.0), (TWO, 'a="x"', 1.0, 1.0), (TWO, 'a="x"', 2.0, 1.0)]
COUNTED = [(ONE, 'a="x"', 0.0, 100.0), (ONE, 'a="x"', 5.0, 110.0), (ONE, 'a="x"', 10.0, 130.0)]


@pytest.mark.parametrize(("take", "value"), [("max", 5.0), ("mean", 2.5), ("min", 1.0), ("sum", 5.0)])
def test_a_gauge_over_services_and_time(take: str, value: float) -> None:
    assert _measured(GaugeSignal(metric="some", take=Take(take)), *GAUGED) == value


@pytest.mark.parametrize(
    ("until_s", "value"), [(10.0, 4.0), (5.0, 2.5), (1.0, 1.3), pytest.param(0.0, 1.0, id="gone before the window")]
)
def test_the_sum_of_a_gauge_has_each_service_for_as_long_as_it_was_there(until_s: float, value: float) -> None:
    """Of ten scrapes; one service shows 1 all the time, the other 3 until it is gone."""
    there = [(ONE, "", at_s, 1.0) for at_s in np.arange(0.5, 10.0)]
    gone = [(TWO, "", at_s, 3.0) for at_s in np.arange(-5.5, until_s)]

    assert _measured(GaugeSignal(metric="some", take=Take.SUM), *there, *gone) == pytest.approx(value)


def test_a_gauge_that_is_not_a_number_is_not_known() -> None:
    assert _measured(GaugeSignal(metric="some"), (ONE, "", 1.0, np.nan)) is None


def test_labels_that_are_not_there_are_not_known_of_a_gauge_and_nothing_of_a_counter() -> None:
    assert _measured(GaugeSignal(metric="some", where={"a": "y"}), *GAUGED) is None
    assert _measured(RateSignal(metric="some", where={"a": "y"}), *COUNTED) == 0.0


def test_a_counter_rises_over_the_time_it_was_seen() -> None:
    assert (
        _measured(RateSignal(metric="some"), (ONE, "", 2.0, 90.0), (ONE, "", 4.0, 95.0), (ONE, "", 7.0, 105.0)) == 3.0
    )


def test_a_counter_that_begins_anew_has_risen_since() -> None:
    rows = [(ONE, "", 0.0, 900.0), (ONE, "", 4.0, 910.0), (ONE, "", 8.0, 20.0)]

    assert _measured(RateSignal(metric="some"), *rows) == (10.0 + 20.0) / 8.0


def test_a_counter_that_appears_after_its_service_has_risen_from_nothing() -> None:
    rows = [(ONE, 'a="y"', 0.0, 3.0), (ONE, 'a="x"', 5.0, 40.0), (ONE, 'a="x"', 10.0, 40.0), (ONE, 'a="y"', 9.0, 3.0)]

    assert _measured(RateSignal(metric="some", where={"a": "x"}), *rows) == 40.0 / 10.0


def test_a_counter_that_is_not_a_number_is_not_known() -> None:
    assert _measured(RateSignal(metric="some"), (ONE, "", 1.0, np.nan), (ONE, "", 5.0, np.nan)) is None
    assert (
        _measured(RateSignal(metric="some"), (ONE, "", 1.0, 2.0), (ONE, "", 5.0, np.nan), (ONE, "", 9.0, 10.0)) == 1.0
    )


def test_only_the_services_of_the_role_count() -> None:
    rows = [*GAUGED, (WORKER, 'a="x"', 1.0, 99.0), ("europe-api-1", 'a="x"', 1.0, 999.0)]

    assert _measured(GaugeSignal(metric="some", role="api"), *rows) == 5.0
    assert _measured(GaugeSignal(metric="some"), *rows) == 99.0


def test_a_quotient_by_next_to_nothing_says_nothing() -> None:
    signals: dict[str, Signal] = {
        "hits": RateSignal(metric="some", where={"a": "x"}),
        "all": RateSignal(metric="some"),
        "ratio": QuotientSignal(of="hits", by="all", by_above=50.0),
    }
    book = Runbook(lead=Seconds(0.0), signals=signals, symptoms={})
    frame = pd.DataFrame(COUNTED, columns=["service", "labels", "at_s", "value"]).assign(metric="some")

    assert Signals(frame, book, REGION).value("ratio", Window(name="", start_s=0.0, end_s=10.0)) is None
