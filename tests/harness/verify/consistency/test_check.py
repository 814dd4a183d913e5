"""The expectation as a whole: from a record to one verdict with its figures, rows and scenes."""

from collections.abc import Iterable

import pytest

from harness.experiment.expectations.consistency import ConsistencyCheck, Counting, Reach
from harness.experiment.faults import DestroyFault
from harness.units import Seconds
from harness.verify.consistency.check import check_consistency
from harness.verify.consistency.history import Ending, Operation
from harness.verify.consistency.sound import SOUND
from harness.verify.verdict import Arrow, Outcome, Verdict
from tests.harness.a_run import a_run
from tests.harness.verify.a_full_run import figure, guilty
from tests.harness.verify.consistency.a_history import REGIONS, added, counted, deleted, finally_saw, saw, wrote
from tests.harness.verify.consistency.a_recorded_history import recorded
from tests.harness.verify.consistency.test_mutations import MUTATIONS, Change

Scraped = tuple[float, str, str, str, float]
LINKS = [(a, b) for a in REGIONS for b in REGIONS if a != b]


def judged(*operations: Operation, check: ConsistencyCheck | None = None) -> Verdict:
    return check_consistency(recorded(*operations), check or ConsistencyCheck())


def a_sound_verdict(check: ConsistencyCheck | None = None) -> Verdict:
    return judged(*SOUND.values(), check=check)


def posts(*more: Operation, regions: Iterable[str] = REGIONS) -> list[Operation]:
    """One post, found in every region in the end."""
    return [wrote(1, "p1", at_s=1.0), *more, *(finally_saw(region, "p1") for region in regions)]


def test_a_sound_history_passes_and_says_what_it_was_put_to() -> None:
    verdict = a_sound_verdict()

    assert (verdict.outcome, guilty(verdict)) == (Outcome.PASS, [])
    assert "5 acknowledged writes were looked for in 3 regions in the end" in verdict.sentence
    assert "read your writes, monotonic reads, monotonic writes, writes follow reads, counters" in verdict.sentence
    assert verdict.scenes == ()


def test_a_run_in_which_nobody_wrote_or_read_anything_is_inconclusive() -> None:
    verdict = judged()

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert all(each.outcome is Outcome.INCONCLUSIVE for each in verdict.figures)


def test_a_counter_of_which_nobody_can_tell_whether_it_is_right_is_inconclusive() -> None:
    doubtful = [added(1000 + n, float(7**17 + 3**n), at_s=2.0, ending=Ending.INFO) for n in range(30)]
    reads = [counted(2000 + n, 14.0 * 7**17, at_s=90.0, region=region, final=True) for n, region in enumerate(REGIONS)]
    verdict = judged(*posts(), *doubtful, *reads)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert guilty(verdict) == ["counters off", "counters that nobody can tell"]


def test_counters_that_nobody_read_in_the_end_are_no_pass() -> None:
    on_the_way = counted(11, 1.0, at_s=3.0)
    verdict = judged(*posts(), added(10, 1.0, at_s=2.0), on_the_way)

    assert (verdict.outcome, guilty(verdict)) == (
        Outcome.INCONCLUSIVE,
        ["counters off", "counters not read in the end"],
    )
    assert "no counter was read in every region in the end" in verdict.sentence


@pytest.mark.parametrize("shown", [7.0, 0.0])
def test_an_impossible_number_on_the_way_is_a_fail_though_nobody_read_it_in_the_end(shown: float) -> None:
    verdict = judged(*posts(), added(10, 1.0, at_s=2.0), counted(11, shown, at_s=3.0))

    assert (verdict.outcome, guilty(verdict)) == (Outcome.FAIL, ["counters off", "counters not read in the end"])
    assert verdict.sentence.startswith("counters off: expected 0, measured 1 (n = 1): likes shows ")


def test_a_number_that_nothing_was_added_to_can_be_impossible_too() -> None:
    verdict = judged(*posts(), counted(11, 7.0, at_s=3.0))

    assert (verdict.outcome, guilty(verdict)) == (Outcome.FAIL, ["counters off"])


@pytest.mark.parametrize(
    ("rpo", "outcome", "red"),
    [(Seconds(2.0), Outcome.PASS, []), (Seconds(1.0), Outcome.FAIL, ["lost"]), (None, Outcome.FAIL, ["lost"])],
)
def test_what_went_down_with_destroyed_data_is_held_against_the_objective(
    rpo: Seconds | None, outcome: Outcome, red: list[str]
) -> None:
    fault = DestroyFault(service="us-east-worker", at=Seconds(5.0), lasts=Seconds(10.0))
    phases = {"warm_up": 5.0, "baseline": 20.0, "disturbed": 50.0, "recovery": 25.0, "final_reads": 10.0}
    run = recorded(
        *posts(wrote(2, "p2", at_s=28.5), saw(3, "p2", at_s=29.0)),
        built=a_run().with_phases(**phases).with_fault(fault),
    )
    verdict = check_consistency(run, ConsistencyCheck(rpo=rpo))

    assert (verdict.outcome, guilty(verdict)) == (outcome, red)
    if outcome is Outcome.PASS:
        assert "1 more went down with us-east, acknowledged at most 1.4" in verdict.sentence
        assert figure(verdict, "went down with us-east").value == 1


GUILTY = {
    "lost": "lost",
    "unread": "not looked for in us-west",
    "undeleted": "undeleted",
    "unexpected": "unexpected",
    "duplicated": "duplicated",
    "resurrected": "resurrected",
    "counters": "counters off",
    "counters unread": "counters",
    "read your writes": "read your writes, sticky",
    "monotonic reads": "monotonic reads, sticky",
    "monotonic writes": "monotonic writes, remote",
}


@pytest.mark.parametrize(("why", "change", "red"), MUTATIONS, ids=[why for why, _, _ in MUTATIONS])
def test_each_mutation_turns_the_figure_red_that_it_breaks(why: str, change: Change, red: set[str]) -> None:
    verdict = judged(*change(SOUND).values())

    broken = {name for name in red if name not in ("causal", "writes follow reads")}  # not promised to remote readers
    assert all(any(each.startswith(GUILTY[name]) for each in guilty(verdict)) for name in broken), why
    assert len(guilty(verdict)) >= len(broken)
    if not broken:
        assert verdict.outcome is Outcome.PASS
    elif any("unread" in name for name in broken):
        assert verdict.outcome is Outcome.INCONCLUSIVE
    else:
        assert verdict.outcome is Outcome.FAIL
        assert all(each.invariant for each in verdict.figures if each.outcome is Outcome.FAIL)
        assert verdict.scenes[0].promised
        assert verdict.evidence[0].sentence in {scene.sentence for scene in verdict.scenes}


def test_what_is_broken_beyond_the_promise_is_counted_and_shown_but_passes() -> None:
    change = next(change for why, change, _ in MUTATIONS if why.startswith("a reply comes without"))
    reported = judged(*change(SOUND).values())
    promised = judged(*change(SOUND).values(), check=ConsistencyCheck(writes_follow_reads=Reach.REMOTE))

    share = figure(reported, "writes follow reads, remote")
    assert (reported.outcome, share.accept) == (Outcome.PASS, "not promised")
    assert share.value == pytest.approx(1 / 8)
    assert share.interval is not None
    assert "Beyond what was promised" in reported.sentence
    assert [scene.promised for scene in reported.scenes] == [False, False]
    assert (promised.outcome, guilty(promised)) == (Outcome.FAIL, ["writes follow reads, remote"])


# --- three values ---------------------------------------------------------------------------------------------------


def test_what_the_file_does_not_say_is_left_out_where_there_was_no_occasion() -> None:
    verdict = judged(*posts())

    assert verdict.outcome is Outcome.PASS
    named = {each.name for each in verdict.figures}
    assert not {"resurrected", "undeleted", "counters off", "read your writes, sticky"} & named


@pytest.mark.parametrize(
    ("check", "red"),
    [
        (ConsistencyCheck(resurrected=0), ["resurrected"]),
        (ConsistencyCheck(undeleted=0), ["undeleted"]),
        (ConsistencyCheck(counters=Counting.EXACT), ["counters off"]),
        (ConsistencyCheck(read_your_writes=Reach.STICKY), ["read your writes, sticky"]),
        (ConsistencyCheck(read_your_writes=Reach.MOVED), ["read your writes, sticky", "read your writes, moved"]),
        (ConsistencyCheck(read_your_writes=Reach.NONE), []),
    ],
)
def test_what_the_file_says_needs_an_occasion(check: ConsistencyCheck, red: list[str]) -> None:
    verdict = judged(*posts(), check=check)

    assert guilty(verdict) == red
    assert verdict.outcome is (Outcome.INCONCLUSIVE if red else Outcome.PASS)


def test_a_region_without_final_reads_is_inconclusive_and_named() -> None:
    verdict = judged(*posts(regions=REGIONS[:2]))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert guilty(verdict) == ["not looked for in europe", "lost"]
    assert "posts of user-17" in verdict.sentence


def test_something_lost_is_a_fail_even_where_another_region_was_not_read() -> None:
    verdict = judged(wrote(1, "p1", at_s=1.0), finally_saw("us-east"))

    assert verdict.outcome is Outcome.FAIL
    assert "us-east 1: p1 was acknowledged to session 1 in us-east at 1.100 s" in verdict.sentence


def test_a_number_of_losses_can_be_allowed_each_counted_once_for_all_regions() -> None:
    gone = [wrote(2, "p2", at_s=2.0), *posts()]

    assert judged(*gone).outcome is Outcome.FAIL
    allowed = judged(*gone, check=ConsistencyCheck(lost=1))
    assert (allowed.outcome, figure(allowed, "lost").value) == (Outcome.PASS, 1.0)
    assert "Within what is allowed: 1 lost" in allowed.sentence
    assert [row.violations for row in allowed.guarantees if row.name == "lost"] == [1, 1, 1]


def test_sessions_that_do_two_things_at_once_prove_nothing() -> None:
    verdict = judged(*posts(wrote(1, "p2", at_s=1.05)))

    assert (verdict.outcome, len(verdict.figures)) == (Outcome.INCONCLUSIVE, 1)
    assert "session 1 at 1.050 s" in verdict.sentence


def test_a_session_that_was_moved_breaks_only_a_promise_that_reaches_so_far() -> None:
    moved = posts(saw(1, at_s=2.0, region="europe"))

    assert judged(*moved).outcome is Outcome.PASS
    strict = judged(*moved, check=ConsistencyCheck(read_your_writes=Reach.MOVED))
    assert figure(strict, "read your writes, moved").outcome is Outcome.FAIL
    (row,) = [each for each in strict.guarantees if (each.name, each.cohort) == ("read your writes", "moved")]
    assert (row.promised, row.observed, row.violations) == (True, 1, 1)


# --- scenes ---------------------------------------------------------------------------------------------------------


def test_a_scene_shows_the_write_and_the_read_that_should_have_shown_it() -> None:
    scene = judged(wrote(1, "p1", at_s=1.0), saw(1, at_s=2.0), *(finally_saw(each, "p1") for each in REGIONS)).scenes[0]

    assert scene.title == "Somebody did not see what they had just written"
    assert [(act.kind, act.region, act.words) for act in scene.acts] == [
        ("write", "us-east", "wrote p1"),
        ("read", "us-east", "missed p1"),
    ]
    assert scene.arrows == (Arrow(source=0, target=1, missing=True),)


def test_a_scene_has_an_arrow_to_each_read_that_shows_something() -> None:
    verdict = judged(*posts(saw(2, "p1", at_s=2.0, region="europe"), saw(2, at_s=3.0, region="europe")))

    scene = next(each for each in verdict.scenes if "then it was gone" in each.title)
    assert scene.arrows == (Arrow(source=0, target=1, missing=True),)  # from the read that showed it
    lost = judged(wrote(1, "p1", at_s=1.0), saw(2, "p1", at_s=2.0), finally_saw("us-east")).scenes[0]
    assert lost.arrows == (Arrow(source=0, target=1, missing=False), Arrow(source=0, target=2, missing=True))


def test_a_scene_of_what_came_back_points_from_the_delete_to_who_shows_it() -> None:
    verdict = judged(*posts(deleted(1, "p1", at_s=2.0)))

    scene = next(each for each in verdict.scenes if "still there in the end" in each.title)
    assert [(act.kind, arrow.missing) for act, arrow in zip(scene.acts[1:2], scene.arrows, strict=True)] == [
        ("delete", True)
    ]


def test_a_scene_is_never_crowded() -> None:
    likes = [added(10 + n, 1.0, at_s=1.0 + n, ending=Ending.INFO) for n in range(30)]

    verdict = judged(*likes, *(counted(100 + n, 99.0, at_s=90.0, region=r, final=True) for n, r in enumerate(REGIONS)))

    assert 2 < len(verdict.scenes[0].acts) <= 10


# --- staleness ------------------------------------------------------------------------------------------------------


def stale(late: int, of: int, *, unseen: int = 0) -> list[Operation]:
    """Posts in us-east, each looked for in europe half a second later and again much later. The first `late` of them
    are missing at 2 s, too, and for the last `unseen` nobody looks before 50 s."""
    operations: list[Operation] = []
    for number in range(of):
        name, user, at_s = f"p{number}", f"posts of user-{number}", 1.0 + number * 0.01
        looks = [(0.5, ()), (2.0, ())] if number < late else [(0.5, (name,))] if number < of - unseen else []
        operations += [
            wrote(number, name, at_s=at_s, object=user, lasts_s=0.001),
            *(
                saw(of + number, *names, at_s=at_s + after_s, region="europe", object=user, lasts_s=0.001)
                for after_s, names in [*looks, (50.0, (name,))]
            ),
        ]
    return operations


@pytest.mark.parametrize(
    ("late", "of", "outcome"),
    [
        (0, 400, Outcome.PASS),
        (0, 200, Outcome.INCONCLUSIVE),
        (4, 400, Outcome.INCONCLUSIVE),
        (40, 400, Outcome.FAIL),
    ],
)
def test_staleness_is_judged_by_order_statistics_for_each_pair(late: int, of: int, outcome: Outcome) -> None:
    verdict = judged(*stale(late, of), check=ConsistencyCheck(staleness_p99=Seconds(1.0)))

    told = figure(verdict, "staleness p99 us-east→europe")
    assert (told.outcome, told.samples, told.invariant) == (outcome, of, False)
    assert figure(verdict, "staleness p99 europe→us-east").outcome is Outcome.INCONCLUSIVE
    assert (told.needed_samples == 299) is (of < 299)


@pytest.mark.parametrize(
    ("unseen", "outcome"), [(0, Outcome.PASS), (8, Outcome.INCONCLUSIVE), (400, Outcome.INCONCLUSIVE)]
)
def test_what_nobody_looked_for_in_time_was_not_shown_to_be_there(unseen: int, outcome: Outcome) -> None:
    """Each of them is found, and nobody knows since when."""
    verdict = judged(*stale(0, 400, unseen=unseen), check=ConsistencyCheck(staleness_p99=Seconds(1.0)))

    told = figure(verdict, "staleness p99 us-east→europe")
    assert (told.outcome, told.value) == (outcome, 0.0)
    assert told.interval is not None
    assert told.interval.high == pytest.approx(0.5 if outcome is Outcome.PASS else 50.0, abs=0.01)
    if unseen:
        assert told.reason == f"for {unseen} of 400 writes nobody looked in time"


def test_what_was_surely_missing_for_too_long_is_a_fail_whatever_nobody_looked_for() -> None:
    verdict = judged(*stale(40, 400, unseen=300), check=ConsistencyCheck(staleness_p99=Seconds(1.0)))

    told = figure(verdict, "staleness p99 us-east→europe")
    assert told.outcome is Outcome.FAIL
    assert told.value == pytest.approx(2.0, abs=0.01)
    assert "is missing in europe" in told.reason


# --- reported, and not judged ---------------------------------------------------------------------------------------


def sampled(*instants: tuple[float, dict[str, float]]) -> list[Scraped]:
    """What each region holds of one group of keys, and of another one that is the same everywhere."""
    return [
        sample
        for at_s, held in instants
        for region, digest in held.items()
        for sample in (
            (at_s, f"{region}-worker", "key_digest", 'keys="a"', digest),
            (at_s, f"{region}-worker", "key_digest", 'keys="b"', 1.0),
            (at_s, f"{region}-worker", "key_digest_at_seconds", "", 1000.0 + at_s),
        )
    ]


def test_how_much_all_regions_show_alike_is_told_as_it_usually_was_and_at_worst() -> None:
    same = dict.fromkeys(REGIONS, 7.0)
    metrics = sampled((10.0, same), (11.0, same), (12.0, same | {"europe": 8.0}), (40.0, same | {"europe": 8.0}))
    verdict = check_consistency(recorded(*posts(), metrics=metrics), ConsistencyCheck())

    usual = figure(verdict, "alike everywhere, median of the baseline")
    worst = figure(verdict, "alike everywhere, at worst")
    assert (usual.value, usual.samples, usual.accept, usual.outcome) == (1.0, 6, "reported", Outcome.PASS)
    assert (worst.value, worst.samples) == (0.5, 8)
    assert verdict.outcome is Outcome.PASS


def test_a_region_that_tells_nothing_leaves_nothing_to_compare() -> None:
    metrics = sampled((10.0, {"us-east": 7.0, "europe": 7.0}))
    verdict = check_consistency(recorded(*posts(), metrics=metrics), ConsistencyCheck())

    assert not [each.name for each in verdict.figures if each.name.startswith("alike")]


def test_how_soon_strangers_see_a_write_is_told_apart_where_a_fault_was_in_effect() -> None:
    calm, ill = wrote(1, "p1", at_s=1.0), wrote(1, "p2", at_s=32.0)
    looks = [
        saw(11, "p1", at_s=2.2, region="europe"),
        saw(12, "p1", at_s=33.2, region="europe"),
        *(finally_saw(region, "p1", "p2") for region in REGIONS),
    ]
    run = recorded(calm, ill, *looks, built=a_run().with_fault(at_s=30, lasts_s=10))
    found = check_consistency(run, ConsistencyCheck()).visibility

    shares = {
        (each.writer, each.reader, each.disturbed, age.from_s): age.share
        for each in found
        for age in each.ages
        if each.reader == "europe"
    }
    assert shares == {
        ("us-east", "europe", False, 1.0): 1.0,
        ("us-east", "europe", True, 1.0): 0.0,
        ("us-east", "europe", True, 20.0): 1.0,
        ("us-east", "europe", True, 50.0): 1.0,
    }


# --- convergence ----------------------------------------------------------------------------------------------------

FAULT_OVER_S = 40.0  # of a_run's fault


def scrapes(*rows: tuple[float, dict[str, int]], lags: dict[float, dict[str, float]]) -> list[Scraped]:
    """At each instant the digests by region, and how old the heartbeats are into each region (0.2 s if not said)."""
    samples: list[Scraped] = []
    for at_s, digests in rows:
        for region, digest in digests.items():
            samples.append((at_s, f"{region}-worker", "table_rows", 'table="posts"', 3.0))
            samples.append((at_s, f"{region}-worker", "table_digest", 'table="posts"', float(digest)))
    for at_s, into in lags.items():
        for a, b in LINKS:
            label = f'link="{a}.postgres->{b}.postgres"'
            samples.append((at_s, f"{b}-worker", "replication_lag_seconds", label, into.get(b, 0.2)))
    return samples


ALIKE = dict.fromkeys(REGIONS, 7)
LAGS: dict[float, dict[str, float]] = {41.0: {}, 46.0: {}, 60.0: {}}


def converging(samples: list[Scraped], within_s: float = 5.0) -> Verdict:
    operations = posts(wrote(1, "p2", at_s=50.0, ending=Ending.INFO))
    run = recorded(*operations, built=a_run().with_fault(at_s=30, lasts_s=10), metrics=samples)
    return check_consistency(run, ConsistencyCheck(converges_within=Seconds(within_s)))


def test_regions_that_agree_in_time_after_the_last_write_converge() -> None:
    verdict = converging(scrapes((51.0, ALIKE | {"europe": 8}), (52.0, ALIKE), (60.0, ALIKE), lags=LAGS))

    told = figure(verdict, "convergence")
    assert verdict.outcome is Outcome.PASS
    assert told.value == pytest.approx(1.9)  # the last write was given up at 50.1 s
    assert told.interval is not None
    assert told.interval.low == pytest.approx(0.9)


def test_regions_that_still_differ_do_not_and_the_link_that_stands_still_is_named() -> None:
    lags: dict[float, dict[str, float]] = {41.0: {"europe": 12.0}, 46.0: {"europe": 17.0}, 60.0: {"europe": 31.0}}
    verdict = converging(scrapes((51.0, ALIKE), (60.0, ALIKE | {"europe": 8}), lags=lags))

    assert guilty(verdict) == ["links that stand still", "convergence"]
    assert verdict.outcome is Outcome.FAIL
    assert not any(figure(verdict, name).invariant for name in guilty(verdict))
    assert "us-east→europe" in figure(verdict, "links").reason
    assert "europe got nothing that us-east wrote after the last revert" in verdict.evidence[0].sentence
    assert any("The regions differ in posts" in moment.sentence for moment in verdict.evidence)


def test_without_metrics_nobody_knows_whether_the_regions_agree() -> None:
    verdict = converging([])

    assert (verdict.outcome, guilty(verdict)) == (Outcome.INCONCLUSIVE, ["links that stand still", "convergence"])


def test_a_revert_that_was_not_confirmed_decides_nothing_about_convergence() -> None:
    run = recorded(*posts(), built=a_run().with_fault(reverted=False))
    verdict = check_consistency(run, ConsistencyCheck(converges_within=Seconds(5.0)))

    assert guilty(verdict) == ["convergence"]
    assert "not confirmed" in verdict.sentence
