"""The whole check on built runs: what turns which figure red, and what proves nothing."""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pandas as pd
import pytest

from harness.record.reader import Run
from harness.units import Seconds
from harness.verify.fan_out.check import check_fan_out
from harness.verify.verdict import Outcome
from tests.harness.a_run import a_run
from tests.harness.simulation import WORKER
from tests.harness.verify.a_full_run import figure, guilty
from tests.harness.verify.fan_out.a_delivering_system import (
    CHECK,
    COUNTER,
    FINAL_S,
    GAUGES,
    Delivery,
    always,
    from_to,
)

DELAY, LAG, DRAINED = "post missed for p95", "longest lag", "drained after"
MISSED, LETTERS, WAITING = "posts missed in the end", "posts given up", "posts that wait in the end"
UNACCOUNTED = "acknowledged posts that are neither"


@pytest.fixture(scope="module")
def sound() -> Run:
    return Delivery().built()


def test_posts_that_are_soon_where_followers_look(sound: Run) -> None:
    verdict = check_fan_out(sound, CHECK)

    assert verdict.outcome is Outcome.PASS, verdict.sentence
    assert figure(verdict, DELAY).value == pytest.approx(0.15, abs=0.1)
    assert figure(verdict, DELAY).samples > 400
    assert msgspec.json.encode(verdict), "numbers are Python's own"


REDS = [
    ("all are late", Delivery(delay=always(1.5)), [DELAY]),
    ("late for a fifth of the time", Delivery(delay=from_to(40, 55, 1.5, 0.1)), [DELAY]),
    ("one never comes", Delivery(delay=from_to(74.0, 74.2, np.inf, 0.1)), [MISSED]),
    ("the queue is late", Delivery(lag=from_to(42, 43, 4.0)), [LAG]),
    ("the queue is late for long", Delivery(lag=from_to(42, 47, 2.5)), [DRAINED]),
    ("the queue is never done", Delivery(lag=from_to(42, 99, 2.5)), [DRAINED]),
    ("posts are given up", Delivery(letters=from_to(42, 99, 2.0)), [LETTERS]),
    ("posts wait in the end", Delivery(depth=from_to(42, 99, 2.0)), [WAITING]),
    ("a post is lost", Delivery(lost=1), [UNACCOUNTED]),
    ("a post is lost where others were given up before", Delivery(lost=1, before=3.0), [UNACCOUNTED, LETTERS]),
]


@pytest.mark.parametrize(("delivery", "red"), [row[1:] for row in REDS], ids=[row[0] for row in REDS])
def test_what_turns_it_red(delivery: Delivery, red: list[str]) -> None:
    verdict = check_fan_out(delivery.built(), CHECK)

    assert verdict.outcome is Outcome.FAIL
    assert [name[: len(begins)] for name, begins in zip(guilty(verdict), red, strict=True)] == red


def _without(run: Run, metric: str) -> Run:
    return replace(run, metrics=run.metrics[run.metrics["metric"] != metric])


def _unknown(run: Run, metric: str, *, from_s: float) -> Run:
    """The worker shows it, as NaN."""
    frame = run.metrics
    hit = (frame["metric"] == metric) & (frame["at_s"] > from_s)
    return replace(run, metrics=frame.assign(value=frame["value"].mask(hit)))


def _until(run: Run, end_s: float) -> Run:
    """The worker is not scraped any more."""
    frame = run.metrics
    return replace(run, metrics=frame[(frame["service"] != WORKER) | (frame["at_s"] < end_s)])


def _another_worker(run: Run, region: str = "europe") -> Run:
    target = run.plan.target
    another = msgspec.structs.replace(target.services[WORKER], region=region)
    services = {**target.services, "europe-worker": another}
    plan = msgspec.structs.replace(run.plan, target=msgspec.structs.replace(target, services=services))
    return replace(run, plan=plan)


def _two_workers(run: Run) -> Run:
    """That take turns with one queue, and show it both."""
    both = _another_worker(run, "us-east")
    shown = run.metrics[run.metrics["metric"].str.startswith("fanout")].assign(service="europe-worker")
    delivered = shown["value"].mask(shown["metric"] == COUNTER, shown["value"] // 2)
    return replace(both, metrics=pd.concat([run.metrics, shown.assign(value=delivered)], ignore_index=True))


def _no_final_reads(run: Run) -> Run:
    return replace(run, requests=run.requests[run.requests["operation"] != "last_look"])


DEPTH_SHOWN, LAG_SHOWN, LETTERS_SHOWN = GAUGES
DOUBTS: list[tuple[str, Callable[[Run], Run], list[str], str]] = [
    ("no final read", _no_final_reads, [MISSED], "nothing measured"),
    ("nobody counts deliveries", lambda run: _without(run, COUNTER), ["queues"], "does not show " + COUNTER),
    ("nobody shows the lag", lambda run: _without(run, LAG_SHOWN), ["queues"], "does not show " + LAG_SHOWN),
    ("another worker is silent", _another_worker, ["queues"], "europe-worker does not show"),
    ("workers that share a queue", _two_workers, [UNACCOUNTED, UNACCOUNTED], "share a queue"),
    (
        "a lag that is not known afterwards",
        lambda run: _unknown(run, LAG_SHOWN, from_s=41.0),
        [LAG, DRAINED],
        "did not always show its lag",
    ),
    (
        "what waits is not known in the end",
        lambda run: _unknown(run, DEPTH_SHOWN, from_s=80.0),
        [UNACCOUNTED, LETTERS, WAITING],
        "did not know what it had",
    ),
    (
        "dead letters are not known in the end",
        lambda run: _unknown(run, LETTERS_SHOWN, from_s=80.0),
        [UNACCOUNTED, LETTERS, WAITING],
        "did not show it 5 s after the last post",
    ),
    (
        "the worker is not scraped after the fault",
        lambda run: _until(run, 39.0),
        [DRAINED, LETTERS, WAITING],
        "did not always show its lag after T+40.1 s",
    ),
    (
        "the worker is not scraped after the last posts",
        lambda run: _until(run, FINAL_S + 1.0),
        [LETTERS, WAITING],
        "did not show it 5 s after the last post",
    ),
]


@pytest.mark.parametrize(("change", "open_", "why"), [row[1:] for row in DOUBTS], ids=[row[0] for row in DOUBTS])
def test_what_the_record_does_not_tell(sound: Run, change: Callable[[Run], Run], open_: list[str], why: str) -> None:
    verdict = check_fan_out(change(sound), CHECK)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert [name[: len(begins)] for name, begins in zip(guilty(verdict), open_, strict=True)] == open_
    assert any(why in each.reason for each in verdict.figures)


def test_an_empty_record_proves_nothing() -> None:
    verdict = check_fan_out(a_run().altering_requests(lambda frame: frame.iloc[:0]).built(), CHECK)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert all(each.outcome is not Outcome.PASS for each in verdict.figures)


def test_where_nobody_looked_in_time_nobody_knows_that_posts_were_there() -> None:
    """Everything is there at once, and everybody looks for a moment every other second."""
    seldom = Delivery(looks=lambda at_s: (at_s % 2 < 0.2) | (at_s > FINAL_S))

    found = figure(check_fan_out(seldom.built(), CHECK), DELAY)

    assert found.outcome is Outcome.INCONCLUSIVE
    assert "nobody looked in time" in found.reason


def test_a_backlog_that_the_run_ended_too_early_to_see_the_end_of() -> None:
    patient = msgspec.structs.replace(CHECK, drained_within=Seconds(60.0))

    found = figure(check_fan_out(Delivery(lag=from_to(42, 99, 2.5)).built(), patient), DRAINED)

    assert found.outcome is Outcome.INCONCLUSIVE
    assert "the run ended too early" in found.reason


def test_drained_is_known_to_a_scrape() -> None:
    delivery = Delivery(lag=from_to(42, 44.1, 2.5)).built()
    within = [msgspec.structs.replace(CHECK, drained_within=Seconds(limit_s)) for limit_s in (3.8, 4.2, 4.6)]

    outcomes = [figure(check_fan_out(delivery, check), DRAINED).outcome for check in within]

    assert outcomes == [Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS]


def test_a_post_that_the_first_final_reads_are_too_early_for_is_not_missed_in_the_end() -> None:
    verdict = check_fan_out(Delivery(delay=from_to(73, 76, 0.8, 0.1)).built(), CHECK)

    assert verdict.outcome is Outcome.PASS, verdict.sentence


def test_posts_that_are_late_together_are_no_proof_that_one_in_twenty_is() -> None:
    """Of 600 posts 48 are late, in the six seconds after one stall: as single ones they would be too many by far."""
    stall = Delivery(delay=from_to(40.5, 46.4, 1.5, 0.1)).built()

    assert figure(check_fan_out(stall, CHECK), DELAY).outcome is Outcome.INCONCLUSIVE
