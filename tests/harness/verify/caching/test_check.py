"""The whole check on built runs: each broken promise turns its own figure red, and nothing else."""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pandas as pd
import pytest

from harness.experiment.expectations.caching import CachingCheck
from harness.experiment.faults import KillFault, StopFault
from harness.record.reader import Run
from harness.record.rows import NO_AGE, FaultEdge
from harness.units import Seconds
from harness.verify.caching.at_once import most_at_once
from harness.verify.caching.check import check_caching
from harness.verify.verdict import Outcome
from tests.harness.a_run import a_run
from tests.harness.simulation import REPLICAS
from tests.harness.verify.a_full_run import figure, guilty
from tests.harness.verify.caching.a_cached_system import CHECK, EMPTIED_AT_S, REDIS, TAKEN_AT_S, Caches
from tests.harness.verify.test_crowding import machine

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
    ("a cache is given what it must not be given", SOUND.but(asks=("get", "keys")), ["KEYS asked of a cache"]),
    ("a layer has what is not for it", SOUND.but(a_profile_from="disk"), ["profile answered from disk"]),
    (
        "each request that meets the empty cache makes its content",
        SOUND.but(builds_per_key=2.5),
        [f"builds of one key ({kind}) after the cache was emptied" for kind in ("home", "profile")],
    ),
    (
        "who asks for what is being made makes it, too",
        SOUND.but(builds_at_once=3),
        [f"builds of one key at once ({kind}) after the cache was emptied" for kind in ("home", "profile")],
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
@pytest.mark.parametrize(
    ("operation", "for_s", "crowded_s", "own_doing"),
    [
        ("block", 3.0, 0, True),
        ("block", 3.0, 20, True),  # which may never be shown, however long anybody waits
        ("unfollow", 30.0, 10, True),
        ("unfollow", 8.0, 20, False),
    ],
)
def test_what_is_shown_for_longer_than_the_machine_was_crowded_is_the_caches_own_doing(
    operation: str, for_s: float, crowded_s: int, *, own_doing: bool
) -> None:
    run = shown(operation, for_s).run()
    events = machine(waited=0.9, others=0.6, from_s=5, to_s=5 + crowded_s)([*run.events])
    told = figure(check_caching(replace(run, events=tuple(events)), CHECK), operation)

    assert (told.outcome, told.invariant) == (Outcome.FAIL, own_doing)


@pytest.mark.slow
def test_what_was_blocked_and_shown_is_told_with_both_requests() -> None:
    verdict = check_caching(shown("block", 3.0).run(), CHECK)

    told = [item.sentence for item in verdict.evidence if item.sentence.startswith("block")]
    assert len(told) == 3
    assert 'took "user-99 for user-' in told[0]
    assert "still showed it; X-Cache: " in told[0]
    assert figure(verdict, "block").value == pytest.approx(3.0, abs=1.5)


def test_a_forbidden_command_is_told_with_when_it_was_counted() -> None:
    verdict = check_caching(SOUND.but(asks=("get", "keys")).run(), CHECK)

    told = [item.sentence for item in verdict.evidence if "KEYS" in item.sentence]
    assert told == [f"{REDIS} counts 3 more KEYS than before."] * 2
    assert figure(verdict, "KEYS").value == figure(verdict, "KEYS").samples / 2


def test_without_a_promise_there_is_nothing_to_judge(sound: Run) -> None:
    promises = msgspec.structs.replace(sound.plan.target.promises, caching=None)
    target = msgspec.structs.replace(sound.plan.target, promises=promises)

    verdict = check_caching(replace(sound, plan=msgspec.structs.replace(sound.plan, target=target)), CHECK)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "the target promises nothing of them" in verdict.sentence


def test_a_run_that_shows_nothing_decides_nothing(sound: Run) -> None:
    nothing = replace(sound, requests=sound.requests.iloc[:0], metrics=sound.metrics.iloc[:0])

    verdict = check_caching(nothing, CHECK)

    assert len(guilty(verdict)) == len(verdict.figures) == 12
    assert verdict.outcome is Outcome.INCONCLUSIVE


def with_requests(run: Run, **columns: pd.Series | str | int) -> Run:
    return replace(run, requests=run.requests.assign(**columns))


def without(run: Run, metric: str) -> Run:
    return replace(run, metrics=run.metrics[run.metrics["metric"] != metric])


def in_its_last_seconds(run: Run) -> Run:
    """Of the baseline, nobody was scraped before."""
    return replace(run, metrics=run.metrics[run.metrics["at_s"] > 24.0])


def relabelled(run: Run, old: str, new: str) -> Run:
    labels = run.metrics["labels"].astype(str).str.replace(old, new)
    return replace(run, metrics=run.metrics.assign(labels=labels))


def nameless(run: Run) -> Run:
    made = run.requests["cache"] == "built"
    return with_requests(run, object=run.requests["object"].mask(made, ""))


def unavailable_for_long(run: Run) -> Run:
    frame = run.metrics
    scrapes = frame[(frame["metric"] == "cache_builds_total") & (frame["labels"] == 'kind="home"')]
    away = scrapes.assign(metric="cache_requests_total", labels='layer="redis",result="unavailable"')
    away["value"] = 10.0 * away["at_s"].clip(30.0, 45.0)
    return replace(run, metrics=pd.concat([frame, away], ignore_index=True))


def looked_at_soon_only(run: Run) -> Run:
    """Whoever unfollowed reads their home again within the second that is allowed, and never after it."""
    frame = run.requests
    removals = frame[(frame["operation"] == "unfollow").to_numpy()]
    until_s = frame["user"].map(removals.set_index("user")["finished_s"] + 1.0)
    homes = frame["object"].str.startswith("home of") & (frame["sent_s"] > until_s)
    return with_requests(run, object=frame["object"].mask(homes, ""))


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
        in_its_last_seconds,
        "hit ratio",
        "it was asked 100 times, 200 are needed",
    ),
    (
        "misses that nobody counts",
        lambda run: relabelled(run, "miss", "unavailable"),
        "hit ratio",
        "nobody counts what it did not have",
    ),
    (
        "lookups that are neither",
        lambda run: relabelled(run, "miss", "expired"),
        "hit ratio",
        "expired is neither a hit nor a miss",
    ),
    ("no ages", lambda run: with_requests(run, age_s=NO_AGE), "answers from", "no answer from it said how old it was"),
    (
        "no answers from a layer",
        lambda run: with_requests(run, cache="disk"),
        "answers from process older",
        "no answer from it said how old it was",
    ),
    (
        "builds that nobody counts",
        lambda run: without(run, "cache_builds_total"),
        "builds",
        "nobody counts what is made",
    ),
    ("no page was made", lambda run: with_requests(run, cache="redis"), "builds", "0 keys were asked for"),
    ("a cache that is still away", not_confirmed, "builds", "nobody knows when the emptied cache was back"),
    (
        "a cache that stays away",
        unavailable_for_long,
        "builds",
        "the emptied cache could not be used for as long as that",
    ),
    ("pages without a name", nameless, "builds", "does not name"),
    (
        "nobody looks when it has to be gone",
        looked_at_soon_only,
        "unfollow",
        "no page that had shown it was read again more than 1 s later",
    ),
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


def test_a_layer_that_has_answered_nobody_has_shown_nothing_old_where_it_could_not(sound: Run) -> None:
    """As a gateway whose answers all go to the edge, in a run that is shorter than anything it keeps."""
    silent = _promising(with_requests(sound, cache="disk"), Seconds(86400.0))

    assert not [
        one for one in check_caching(silent, CHECK).figures if one.name.startswith("answers from process older")
    ]


def test_what_nobody_counted_before_the_stampede_is_part_of_it(sound: Run) -> None:
    """Counters of kinds that were never made are not shown: their first sample is the stampede."""
    frame = sound.metrics
    builds = frame["metric"] == "cache_builds_total"
    many = frame.assign(value=frame["value"].mask(builds, 4.0 * frame["value"]))
    lazily = replace(sound, metrics=many[~(builds & (many["value"] == 0.0))])

    found = figure(check_caching(lazily, CHECK), "builds of one key (home)")

    assert (found.outcome, found.value) == (Outcome.FAIL, 6.0)


def test_what_was_never_answered_may_have_been_made_too(sound: Run) -> None:
    """Four times as much was made as there are keys, and so many pages were asked for in vain."""
    frame = sound.metrics
    builds = frame["metric"] == "cache_builds_total"
    many = replace(sound, metrics=frame.assign(value=frame["value"].mask(builds, 2.0 * frame["value"])))
    lost = (many.requests["cache"] == "built") & (many.requests["scheduled_s"] < 32.0)
    unanswered = with_requests(
        many,
        outcome=many.requests["outcome"].mask(lost, "failed"),
        cache=many.requests["cache"].mask(lost, ""),
        object=many.requests["object"].mask(lost, ""),
    )

    assert figure(check_caching(many, CHECK), "builds of one key (home)").outcome is Outcome.FAIL
    found = figure(check_caching(unanswered, CHECK), "builds of one key (home)")
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "that were asked for were never answered" in found.reason


def test_what_was_made_again_and_again_at_once_is_named() -> None:
    verdict = check_caching(SOUND.but(builds_at_once=4).run(), CHECK)

    assert figure(verdict, "builds of one key at once (profile)").value == 4.0
    told = [item.sentence for item in verdict.evidence if "at once" in item.sentence]
    assert len(told) == 2
    assert told[1].startswith("profile of user-")
    assert told[1].endswith(f"by {REPLICAS[0]} was being made 4 times at once.")


def test_a_key_that_few_asked_for_at_once_could_not_be_made_so_often(sound: Run) -> None:
    """Nobody joined anybody."""
    alone = replace(sound, requests=sound.requests[sound.requests["cache"] != "joined"])

    found = figure(check_caching(alone, CHECK), "builds of one key at once (home)")

    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.reason == "no more than 2 asked for one key at once while no cache had it"


def test_two_servers_that_make_the_same_are_no_stampede() -> None:
    made = pd.DataFrame(
        {
            "object": ["a", "a", "a", "b"],
            "served_by": ["first", "second", "first", "first"],
            "sent_s": [1.0, 1.0, 2.0, 1.0],
            "finished_s": [2.0, 2.0, 3.0, 3.0],
        }
    )

    assert most_at_once(made) == (1, 1.0, "a by first")
    assert most_at_once(made.assign(served_by="first")) == (2, 1.0, "a by first")


def test_a_phase_that_the_run_does_not_have_has_no_hit_ratio(sound: Run) -> None:
    verdict = check_caching(sound, msgspec.structs.replace(CHECK, phase="final_reads"))

    assert (verdict.outcome, guilty(verdict)) == (Outcome.INCONCLUSIVE, ["hit ratios"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", [KillFault, StopFault])
def test_after_a_kill_it_counts_from_when_the_cache_is_started_again(kind: type[KillFault] | type[StopFault]) -> None:
    """Which is two seconds after everything was made."""
    killed = SOUND.but(fault=kind(service=REDIS, at=Seconds(EMPTIED_AT_S - 25.0), lasts=Seconds(3.0)))

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
def test_a_small_region_whose_cache_is_bad_does_not_hide_behind_a_large_one(sound: Run) -> None:
    """A tenth of the lookups, of which one in five is a miss."""
    services = sound.plan.target.services
    moved = msgspec.structs.replace(services["us-east-api-2"], region="europe")
    target = msgspec.structs.replace(sound.plan.target, services={**services, "us-east-api-2": moved})
    frame = sound.metrics
    theirs = (frame["service"] == "us-east-api-2") & (frame["metric"] == "cache_requests_total")
    hits = theirs & (frame["labels"] == 'layer="redis",result="hit"')
    misses = theirs & (frame["labels"] == 'layer="redis",result="miss"')
    value = frame["value"].mask(hits, frame["value"] // 9.0).mask(misses, 2.0 * frame["value"])
    run = replace(
        sound,
        plan=msgspec.structs.replace(sound.plan, target=target),
        metrics=frame.assign(value=value),
    )

    verdict = check_caching(run, CHECK)

    assert figure(verdict, "hit ratio of redis in").outcome is Outcome.PASS
    assert guilty(verdict) == ["hit ratio of redis of europe in baseline"]
    assert verdict.outcome is Outcome.FAIL


def test_a_layer_that_nobody_asked_about_is_not_counted_and_its_ages_still_are() -> None:
    check = CachingCheck(still_shown={"block": Seconds(0.0)})
    old = SOUND.but(oldest_s={"process": 40, "redis": 60})

    assert guilty(check_caching(old.run(), check)) == ["answers from process older than 30 s"]


def test_a_check_of_ages_alone_is_one(sound: Run) -> None:
    verdict = check_caching(sound, CachingCheck())

    assert verdict.name == "caching: ages"
    assert verdict.outcome is Outcome.PASS


def _promising(run: Run, oldest: Seconds | None) -> Run:
    promise = run.plan.target.promises.caching
    assert promise is not None
    layers = tuple(msgspec.structs.replace(layer, oldest=oldest) for layer in promise.layers)
    promises = msgspec.structs.replace(
        run.plan.target.promises, caching=msgspec.structs.replace(promise, layers=layers)
    )
    target = msgspec.structs.replace(run.plan.target, promises=promises)
    return replace(run, plan=msgspec.structs.replace(run.plan, target=target))


@pytest.mark.parametrize(
    ("oldest", "outcome"), [(None, Outcome.PASS), (Seconds(60.0), Outcome.INCONCLUSIVE)], ids=["no age", "an age"]
)
def test_a_layer_that_never_answers_alone_need_not_say_how_old_it_is(
    sound: Run, oldest: Seconds | None, outcome: Outcome
) -> None:
    silent = replace(sound, requests=sound.requests.assign(age_s=NO_AGE))

    verdict = check_caching(_promising(silent, oldest), CachingCheck(layers=("process", "redis")))

    assert verdict.outcome is outcome, verdict.sentence


def test_a_run_in_which_nothing_can_become_too_old_does_not_pass_for_that(sound: Run) -> None:
    """It takes 80 seconds, and five minutes are promised."""
    verdict = check_caching(_promising(sound, Seconds(300.0)), CachingCheck())

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "could have become too old in this run" in verdict.sentence


def test_only_answers_that_could_be_too_old_are_an_occasion(sound: Run) -> None:
    """Of Redis' answers those of the last 19 seconds; before, nothing in the run is a minute old."""
    early = replace(sound, requests=sound.requests[sound.requests["finished_s"] < 60.0])

    found = figure(check_caching(sound, CHECK), "answers from redis older")
    assert 0 < found.samples < 1000
    assert all(not each.name.startswith("answers from redis") for each in check_caching(early, CHECK).figures)


def test_what_is_asked_is_in_its_name() -> None:
    named = msgspec.structs.replace(CHECK, layers=("redis",), phase="disturbed")

    assert check_caching(a_run().built(), named).name == (
        "caching: hits of redis in disturbed; no stampede; nothing shown after block, unfollow, edit_profile"
    )


def test_what_came_from_a_layer_that_may_not_hold_it_has_a_witness_whatever_else_has_some() -> None:
    broken = shown("block", 3.0).but(a_profile_from="disk").run()

    told = [each.sentence for each in check_caching(broken, CHECK).evidence]
    assert "profile was answered from disk, which must not hold profile." in told
