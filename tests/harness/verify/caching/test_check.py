"""The whole check on built runs: each broken promise turns its own figure red, and nothing else."""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pandas as pd
import pytest

from harness.experiment.expectations.caching import CachingCheck
from harness.experiment.faults import KillFault
from harness.record.reader import Run
from harness.record.rows import NO_AGE, FaultEdge
from harness.units import Seconds
from harness.verify.caching.check import check_caching
from harness.verify.verdict import Outcome
from tests.harness.a_run import a_run
from tests.harness.verify.a_full_run import figure, guilty
from tests.harness.verify.caching.a_cached_system import CHECK, EMPTIED_AT_S, REDIS, TAKEN_AT_S, Caches

SOUND = Caches()


@pytest.fixture(scope="module")
def sound() -> Run:
    return SOUND.run()


def test_caches_that_keep_their_promises(sound: Run) -> None:
    verdict = check_caching(sound, CHECK)

    assert guilty(verdict) == []
    assert figure(verdict, "hit ratio of redis").value == pytest.approx(0.985, abs=0.01)
    assert figure(verdict, "builds of one key (home)").value == pytest.approx(1.5)
    assert figure(verdict, "block").samples > 50


def shown(operation: str, for_s: float) -> Caches:
    return SOUND.but(shown_for_s={**SOUND.shown_for_s, operation: for_s})


MUTATIONS = [
    ("Redis has less", SOUND.but(hit_ratio={"process": 0.95, "redis": 0.85}), ["hit ratio of redis in baseline"]),
    (
        "processes have less",
        SOUND.but(hit_ratio={"process": 0.8, "redis": 0.985}),
        ["hit ratio of process in baseline"],
    ),
    (
        "each request that meets the empty cache makes its content",
        SOUND.but(builds_per_key=2.5),
        [f"builds of one key ({kind}) after the cache was emptied" for kind in ("home", "profile")],
    ),
    (
        "processes keep things for too long",
        SOUND.but(oldest_s={"process": 40, "redis": 60}),
        ["answers from process older than 30 s"],
    ),
    (
        "Redis keeps things for too long",
        SOUND.but(oldest_s={"process": 30, "redis": 70}),
        ["answers from redis older than 60 s"],
    ),
    ("blocks are forgotten", shown("block", 3.0), ["block: longest that what it took away was still shown"]),
    ("homes are not emptied", shown("unfollow", 30.0), ["unfollow: longest that what it took away was still shown"]),
    ("profiles stay", shown("edit_profile", 30.0), ["edit_profile: longest that what it took away was still shown"]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("caches", "red"), [row[1:] for row in MUTATIONS], ids=[row[0] for row in MUTATIONS])
def test_each_broken_promise_turns_its_own_figure_red(caches: Caches, red: list[str]) -> None:
    verdict = check_caching(caches.run(), CHECK)

    assert verdict.outcome is Outcome.FAIL
    assert guilty(verdict) == red


@pytest.mark.slow
def test_what_was_blocked_and_shown_is_told_with_both_requests() -> None:
    verdict = check_caching(shown("block", 3.0).run(), CHECK)

    told = [item.sentence for item in verdict.evidence if item.sentence.startswith("block")]
    assert len(told) == 3
    assert 'took "user-99 for user-' in told[0]
    assert "still showed it; X-Cache: " in told[0]
    assert figure(verdict, "block").value == pytest.approx(3.0, abs=1.5)


def test_without_a_promise_there_is_nothing_to_judge(sound: Run) -> None:
    promises = msgspec.structs.replace(sound.plan.target.promises, caching=None)
    target = msgspec.structs.replace(sound.plan.target, promises=promises)

    verdict = check_caching(replace(sound, plan=msgspec.structs.replace(sound.plan, target=target)), CHECK)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "the target promises nothing of them" in verdict.sentence


def test_a_run_that_shows_nothing_decides_nothing(sound: Run) -> None:
    nothing = replace(sound, requests=sound.requests.iloc[:0], metrics=sound.metrics.iloc[:0])

    verdict = check_caching(nothing, CHECK)

    assert len(guilty(verdict)) == len(verdict.figures) == 9
    assert verdict.outcome is Outcome.INCONCLUSIVE


def with_requests(run: Run, **columns: pd.Series | str | int) -> Run:
    return replace(run, requests=run.requests.assign(**columns))


def without(run: Run, metric: str) -> Run:
    return replace(run, metrics=run.metrics[run.metrics["metric"] != metric])


def in_its_last_seconds(run: Run, metric: str) -> Run:
    frame = run.metrics
    kept = (frame["metric"] != metric) | (frame["at_s"] > 24.0)
    return replace(run, metrics=frame[kept])


def not_confirmed(run: Run) -> Run:
    edges = (msgspec.structs.replace(one, confirmed=False) if isinstance(one, FaultEdge) else one for one in run.events)
    return replace(run, events=tuple(edges))


def nobody_looks(run: Run) -> Run:
    """At any page after 40 s."""
    frame = run.requests
    pages = (frame["change"] == "") & (frame["sent_s"] > TAKEN_AT_S)
    return with_requests(run, object=frame["object"].mask(pages, ""))


DOUBTS = [
    ("layers without counters", lambda run: without(run, "cache_requests_total"), "hit ratio", "it was asked 0 times"),
    (
        "layers that are hardly asked",
        lambda run: in_its_last_seconds(run, "cache_requests_total"),
        "hit ratio",
        "it was asked 100 times, 200 are needed",
    ),
    ("no ages", lambda run: with_requests(run, age_s=NO_AGE), "answers from", "no answer from it said how old it was"),
    (
        "builds that nobody counts",
        lambda run: without(run, "cache_builds_total"),
        "builds",
        "nobody counts what is made",
    ),
    ("no page was made", lambda run: with_requests(run, cache="redis"), "builds", "0 keys were asked for"),
    ("a cache that is still away", not_confirmed, "builds", "nobody knows when the emptied cache was back"),
    ("nobody takes anything away", lambda run: with_requests(run, change=""), "block", "nobody did that"),
    ("nobody looks again", nobody_looks, "block", "no page that had shown it was read again"),
]


@pytest.mark.parametrize(("change", "begins", "why"), [row[1:] for row in DOUBTS], ids=[row[0] for row in DOUBTS])
def test_what_was_not_put_to_the_test_is_not_decided(
    sound: Run, change: Callable[[Run], Run], begins: str, why: str
) -> None:
    found = figure(check_caching(change(sound), CHECK), begins)

    assert found.outcome is Outcome.INCONCLUSIVE
    assert why in found.reason


@pytest.mark.slow
def test_after_a_kill_it_counts_from_when_the_cache_is_started_again() -> None:
    """Which is two seconds after everything was made."""
    killed = SOUND.but(fault=KillFault(service=REDIS, at=Seconds(EMPTIED_AT_S - 25.0), lasts=Seconds(3.0)))

    assert figure(check_caching(killed.run(), CHECK), "builds").value == 0.0


@pytest.mark.slow
def test_a_run_without_a_fault_has_no_emptied_cache() -> None:
    found = figure(check_caching(SOUND.but(fault=None).run(), CHECK), "builds")

    assert (found.outcome, found.reason) == (Outcome.INCONCLUSIVE, "no fault emptied a cache")


def test_what_is_made_while_the_cache_cannot_be_used_is_no_stampede(sound: Run) -> None:
    """Both replicas make everything three more times, and say that Redis is unavailable until then."""
    assert figure(check_caching(_away(sound, until_s=None), CHECK), "builds").outcome is Outcome.FAIL
    assert figure(check_caching(_away(sound, until_s=32.0), CHECK), "builds").outcome is Outcome.PASS


def _away(run: Run, *, until_s: float | None) -> Run:
    frame = run.metrics
    builds = (frame["metric"] == "cache_builds_total").to_numpy()
    late = frame.assign(value=frame["value"].mask(builds & (frame["at_s"] > 31.3), frame["value"] + 60.0))
    if until_s is None:
        return replace(run, metrics=late)
    scrapes = frame[builds & (frame["labels"] == 'kind="home"').to_numpy()]
    away = scrapes.assign(metric="cache_requests_total", labels='layer="redis",result="unavailable"')
    away["value"] = 10.0 * away["at_s"].clip(30.0, until_s)
    return replace(run, metrics=pd.concat([late, away], ignore_index=True))


def test_stale_content_that_is_shown_while_it_is_made_anew_is_a_hit(sound: Run) -> None:
    labels = sound.metrics["labels"].astype(str).str.replace('result="hit"', 'result="stale"')

    verdict = check_caching(replace(sound, metrics=sound.metrics.assign(labels=labels)), CHECK)

    assert verdict.outcome is Outcome.PASS


@pytest.mark.slow
def test_a_layer_that_nobody_asked_about_is_not_counted_and_its_ages_still_are() -> None:
    check = CachingCheck(still_shown={"block": Seconds(0.0)})
    old = SOUND.but(oldest_s={"process": 40, "redis": 60})

    assert guilty(check_caching(old.run(), check)) == ["answers from process older than 30 s"]


def test_a_check_of_ages_alone_is_one(sound: Run) -> None:
    verdict = check_caching(sound, CachingCheck())

    assert verdict.name == "caching: ages"
    assert verdict.outcome is Outcome.PASS


def test_what_is_asked_is_in_its_name() -> None:
    named = msgspec.structs.replace(CHECK, layers=("redis",), phase="disturbed")

    assert check_caching(a_run().built(), named).name == (
        "caching: hits of redis in disturbed; no stampede; nothing shown after block, unfollow, edit_profile"
    )
