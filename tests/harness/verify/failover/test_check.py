from collections.abc import Callable
from dataclasses import replace

import msgspec
import pandas as pd
import pytest

from harness.experiment.expectations.failover import FailoverCheck, Operations
from harness.units import Ratio, Seconds
from harness.verify.failover.check import check_failover
from harness.verify.judge import judge
from harness.verify.verdict import Outcome, Verdict
from tests.harness.verify.a_failover import (
    AWAY,
    BACK_S,
    HEALTHY_AGAIN,
    HOME,
    RAMP,
    STRUCK_S,
    Failover,
    a_failover,
    answered_late,
    failed,
    refused,
)
from tests.harness.verify.a_full_run import figure, guilty

CHECK = FailoverCheck(
    cohort="us-east",
    rto=Seconds(5.0),
    holds=Seconds(10.0),
    first_success_within=Seconds(4.0),
    detect_within=Seconds(3.0),
    rpo=Seconds(1.0),
    rpo_writes=5,
    fail_overs_at_most=1,
    back_within=Seconds(30.0),
    others_error_ratio=Ratio(0.01),
)


def _judged(failover: Failover, check: FailoverCheck = CHECK) -> Verdict:
    return check_failover(failover.built(), check)


def _value(verdict: Verdict, name: str) -> float:
    value = figure(verdict, name).value
    assert value is not None
    return value


# --- the three outcomes ---------------------------------------------------------------------------------------------


def test_a_fail_over_within_its_objectives_passes() -> None:
    verdict = _judged(a_failover())

    assert (verdict.outcome, guilty(verdict)) == (Outcome.PASS, []), verdict.sentence
    assert verdict.sentence.startswith("Users of us-east could not be served for ")
    assert "us-west took over 1.9 s after the region died; nobody else noticed" in verdict.sentence


def test_the_marks_are_those_of_the_record() -> None:
    verdict = _judged(a_failover())

    assert _value(verdict, "recovery time") == 2.0  # the end of the second second of errors
    assert _value(verdict, "detected") == pytest.approx(1.896)
    assert _value(verdict, "from detected to decided") == 0.0
    assert _value(verdict, "from detected to routed away") == pytest.approx(0.004)
    assert _value(verdict, "first success elsewhere") == pytest.approx(1.95, abs=0.1)
    assert _value(verdict, "longest gap") == pytest.approx(1.95, abs=0.15)
    assert _value(verdict, "seconds with errors") == 2
    assert _value(verdict, "held down") == 15.0
    assert _value(verdict, "all users back home") == pytest.approx(HOME.at_s - BACK_S)


@pytest.mark.parametrize(
    ("sent_away_s", "outcome"),
    [
        (33.0, Outcome.PASS),
        (34.9, Outcome.PASS),  # 5 s, known to lie between 4 and 5
        (35.2, Outcome.INCONCLUSIVE),  # 6 s, may have been 5
        (36.5, Outcome.FAIL),
    ],
)
def test_three_valued_against_the_objective(sent_away_s: float, outcome: Outcome) -> None:
    check = FailoverCheck(cohort="us-east", rto=Seconds(5.0), holds=Seconds(10.0))

    assert _judged(a_failover().sent_away_at(sent_away_s), check).outcome is outcome


def test_scrapes_alone_tell_the_same_with_their_error() -> None:
    verdict = _judged(replace(a_failover(), logged=False))
    detected = figure(verdict, "detected")

    assert verdict.outcome is Outcome.PASS, verdict.sentence
    assert detected.interval is not None
    assert (detected.interval.low, detected.interval.high) == pytest.approx((1.45, 2.05))


def test_an_objective_within_the_error_of_the_scrapes_is_undecided() -> None:
    check = FailoverCheck(cohort="us-east", rto=Seconds(5.0), holds=Seconds(10.0), detect_within=Seconds(1.95))

    assert _judged(replace(a_failover(), logged=False), check).outcome is Outcome.INCONCLUSIVE
    assert _judged(a_failover(), check).outcome is Outcome.PASS


def test_how_far_the_others_were_behind_stands_beside_the_loss() -> None:
    failover = replace(a_failover(), lags_s=(("europe", 0.4), ("us-west", 0.1)))
    behind = figure(_judged(failover), "europe was behind")

    assert behind.value is not None
    assert 0.4 <= behind.value <= 1.0  # and what passed since the last scrape
    assert (behind.accept, behind.samples) == ("reported", 2)


@pytest.mark.parametrize(
    ("behind_s", "outcome"),
    [
        ((("europe", 0.3), ("us-west", 1.2)), Outcome.PASS),
        ((("europe", 0.3), ("us-west", 9.0)), Outcome.FAIL),
        ((), Outcome.INCONCLUSIVE),
    ],
)
def test_a_region_that_gets_its_users_back_has_to_know_what_the_others_wrote(
    behind_s: tuple[tuple[str, float], ...], outcome: Outcome
) -> None:
    check = FailoverCheck(cohort="us-east", rto=Seconds(5.0), holds=Seconds(10.0), behind_at_return=Seconds(3.0))
    verdict = _judged(replace(a_failover(), behind_s=behind_s), check)

    assert (verdict.outcome, guilty(verdict)) == (
        outcome,
        [] if outcome is Outcome.PASS else ["surely behind when its users returned"],
    )


@pytest.mark.parametrize(
    ("caught_up_s", "outcome", "why"),
    [
        (65.95, Outcome.PASS, "between the last scrape and the return"),
        (67.0, Outcome.PASS, "what is scraped a second later may have been known then"),
        (68.0, Outcome.FAIL, "and two seconds later not"),
    ],
)
def test_a_region_may_have_caught_up_before_its_metrics_show_it(caught_up_s: float, outcome: Outcome, why: str) -> None:
    failover = replace(a_failover(), behind_s=(("europe", 9.0),), caught_up_s=caught_up_s)
    check = FailoverCheck(cohort="us-east", rto=Seconds(5.0), holds=Seconds(10.0), behind_at_return=Seconds(3.0))

    assert _judged(failover, check).outcome is outcome, why


def test_users_who_were_home_before_the_fault_was_over_are_said_to_have_been() -> None:
    early = tuple(replace(step, at_s=step.at_s - 32.0) for step in (HEALTHY_AGAIN, *RAMP, HOME))
    verdict = _judged(a_failover().routed(AWAY, *early), FailoverCheck(cohort="us-east", rto=Seconds(5.0)))

    assert "all were back home 4.1 s before the fault was over" in verdict.sentence


# --- nothing measured -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "failover"),
    [
        ("never injected", replace(a_failover(), injected=False)),
        ("not shown to be there", replace(a_failover(), confirmed=False)),
        ("nobody asked for us-east", a_failover().altering(lambda frame: frame.assign(region_asked="europe"))),
        ("nobody asked for us-east", a_failover().altering(lambda frame: frame.head(0))),
    ],
)
def test_where_nothing_was_measured_nothing_is_said(why: str, failover: Failover) -> None:
    verdict = _judged(failover)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert why in verdict.sentence


def test_without_a_fault_on_the_region_nothing_is_said() -> None:
    verdict = _judged(a_failover(), FailoverCheck(cohort="europe", rto=Seconds(5.0)))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no fault strikes europe as a whole" in verdict.sentence


def test_without_a_router_that_tells_only_what_users_saw_is_known() -> None:
    silent = replace(a_failover(), logged=False, scraped=False)
    users_only = FailoverCheck(cohort="us-east", rto=Seconds(5.0), holds=Seconds(10.0), split_brain_writes=None)

    assert _judged(silent, users_only).outcome is Outcome.PASS
    assert guilty(_judged(silent)) == [
        "detected after",
        "all users back home after",
        "writes by more than one region",
        "fail-overs in the run",
    ]


def test_never_well_again_is_a_fail_if_that_was_watched_for_long_enough() -> None:
    lost = a_failover().routed(AWAY).with_failures("us-east", STRUCK_S, 999.0)

    assert _judged(lost, FailoverCheck(cohort="us-east", rto=Seconds(5.0))).outcome is Outcome.FAIL
    verdict = _judged(lost, FailoverCheck(cohort="us-east", rto=Seconds(60.0)))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "the run ended too early" in verdict.sentence


# --- by whom they were served ---------------------------------------------------------------------------------------

BY_US_WEST = FailoverCheck(cohort="us-east", rto=Seconds(5.0), holds=Seconds(10.0), taken_over_by="us-west")


@pytest.mark.parametrize(
    ("every", "outcome"),
    [(None, Outcome.PASS), (14, Outcome.PASS), (7, Outcome.INCONCLUSIVE), (4, Outcome.FAIL), (1, Outcome.FAIL)],
)
def test_what_they_read_is_answered_by_the_promised_region(every: int | None, outcome: Outcome) -> None:
    def moved(frame: pd.DataFrame) -> pd.DataFrame:
        away = frame["region_served"] == "us-west"
        away &= (frame["region_asked"] == "us-east") & (frame["operation"] != "post")
        if every is not None:
            frame.loc[away & (away.cumsum() % every == 0), "region_served"] = "europe"
        return frame

    verdict = _judged(a_failover().altering(moved), BY_US_WEST)
    told = figure(verdict, "reads answered by another region than us-west")

    assert (verdict.outcome, told.outcome) == (outcome, outcome), verdict.sentence
    if outcome is Outcome.FAIL:
        assert "were answered by europe" in verdict.sentence


def test_writes_of_those_who_travel_are_taken_elsewhere() -> None:
    def moved(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[(frame["region_asked"] == "us-east") & (frame["operation"] == "post"), "region_served"] = "europe"
        return frame

    check = msgspec.structs.replace(BY_US_WEST, split_brain_writes=None)
    told = figure(_judged(a_failover().altering(moved), check), "reads answered by another region")

    assert (told.outcome, told.value) == (Outcome.PASS, 0.0)


def test_who_answered_before_they_were_sent_away_and_after_they_returned_is_no_matter() -> None:
    def moved(frame: pd.DataFrame) -> pd.DataFrame:
        other_times = (frame["sent_s"] < AWAY.at_s) | (frame["sent_s"] > RAMP[0].at_s + 0.5)
        frame.loc[(frame["region_asked"] == "us-east") & other_times, "region_served"] = "europe"
        return frame

    told = figure(_judged(a_failover().altering(moved), BY_US_WEST), "reads answered by another region")

    assert (told.outcome, told.value) == (Outcome.PASS, 0.0)


@pytest.mark.parametrize(
    ("failover", "why"),
    [
        (replace(a_failover(), logged=False, scraped=False), "nobody tells where users are sent"),
        (a_failover().routed(), "its users were never all sent away"),
    ],
)
def test_where_nobody_was_sent_away_the_promise_is_not_known_to_be_kept(failover: Failover, why: str) -> None:
    told = figure(_judged(failover, BY_US_WEST), "reads answered by another region")

    assert (told.outcome, told.reason) == (Outcome.INCONCLUSIVE, why)


# --- refused, and answered late -------------------------------------------------------------------------------------


def _from_us_east(frame: pd.DataFrame, from_s: float, to_s: float, *, every: int = 1) -> "pd.Series[bool]":
    mine = (frame["region_asked"] == "us-east") & frame["scheduled_s"].between(from_s, to_s)
    return mine & (mine.cumsum() % every == 0)


NEVER_FAILING = replace(a_failover(), failing=())
USERS_ONLY = FailoverCheck(cohort="us-east", rto=Seconds(5.0), holds=Seconds(10.0))


@pytest.mark.parametrize(
    ("mistake", "change"),
    [
        ("all are refused", lambda frame: refused(frame, _from_us_east(frame, STRUCK_S, 999.0))),
        ("all are answered late", lambda frame: answered_late(frame, _from_us_east(frame, STRUCK_S, 999.0))),
        ("every eighth is refused", lambda frame: refused(frame, _from_us_east(frame, STRUCK_S, 999.0, every=8))),
    ],
)
def test_who_refuses_users_or_answers_them_late_has_taken_nobody_over(
    mistake: str, change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    verdict = _judged(NEVER_FAILING.altering(change), USERS_ONLY)

    told = figure(verdict, "recovery time")
    assert (verdict.outcome, told.outcome, told.value) == (Outcome.FAIL, Outcome.FAIL, None), mistake
    assert "requests 0 failed and " in told.reason
    assert "were refused or took longer than 1 s" in told.reason
    assert verdict.sentence.startswith("Users of us-east met no error, but ")


def test_recovered_is_since_no_more_was_refused_than_before() -> None:
    early = NEVER_FAILING.altering(lambda frame: refused(frame, _from_us_east(frame, STRUCK_S, 33.9)))
    late = NEVER_FAILING.altering(lambda frame: refused(frame, _from_us_east(frame, STRUCK_S, 41.9)))

    assert _value(_judged(early, USERS_ONLY), "recovery time") == 4.0
    assert guilty(_judged(late, USERS_ONLY)) == ["recovery time"]
    assert _value(_judged(late, USERS_ONLY), "recovery time") == 12.0


def test_what_was_refused_in_the_baseline_may_be_refused_again() -> None:
    """A tenth of all, and a twentieth of the rest may be missing."""
    always = NEVER_FAILING.altering(lambda frame: refused(frame, _from_us_east(frame, 0.0, 999.0, every=10)))

    assert _judged(always, USERS_ONLY).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("every", "outcome"), [(25, Outcome.PASS), (14, Outcome.INCONCLUSIVE), (8, Outcome.FAIL), (1, Outcome.FAIL)]
)
def test_who_was_taken_over_may_not_be_refused_later(every: int, outcome: Outcome) -> None:
    """In the seconds in which users return."""
    failover = a_failover().altering(lambda frame: refused(frame, _from_us_east(frame, 66.0, 88.0, every=every)))
    verdict = _judged(failover, USERS_ONLY)

    assert _value(verdict, "recovery time") == 2.0
    assert figure(verdict, "refused or late while users returned").outcome is outcome


def test_others_who_are_refused_are_said_to_have_noticed() -> None:
    failover = a_failover().altering(
        lambda frame: refused(frame, (frame["region_asked"] == "europe") & (frame["scheduled_s"] > STRUCK_S))
    )

    sentence = _judged(failover, USERS_ONLY).sentence
    assert "so did users of europe (2,046 of 2,046 requests were refused or late)" in sentence


# --- planted mistakes -----------------------------------------------------------------------------------------------


def _post_of_us_east_at(from_s: float, to_s: float, region: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """One acknowledged post of a user of us-east was taken by another region than the one that should."""

    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        posts = (frame["operation"] == "post") & (frame["region_asked"] == "us-east")
        first = frame.index[posts & frame["sent_s"].between(from_s, to_s)][0]
        return frame.assign(region_served=frame["region_served"].mask(frame.index == first, region))

    return changed


def _twice_at_once(frame: pd.DataFrame) -> pd.DataFrame:
    """One user's post was taken by us-east and, while it was under way, another one by europe."""
    posts = (frame["operation"] == "post") & (frame["region_asked"] == "us-east") & frame["scheduled_s"].between(90, 99)
    row = frame.loc[posts].head(1)
    return pd.concat([frame, row.assign(region_served="europe", written="key-again")], ignore_index=True)


def _by_a_third_region(frame: pd.DataFrame) -> pd.DataFrame:
    """While us-east is away its users are sent to us-west, and their posts to europe, one and all."""
    away = (frame["operation"] == "post") & (frame["region_asked"] == "us-east") & (frame["region_served"] == "us-west")
    return frame.assign(region_served=frame["region_served"].mask(away, "europe"))


def wherever_they_are(frame: pd.DataFrame) -> pd.DataFrame:
    """Users of us-east who post from elsewhere for a while have their posts taken there."""
    abroad = (frame["operation"] == "post") & (frame["region_asked"] == "us-east") & frame["scheduled_s"].between(6, 12)
    return frame.assign(region_served=frame["region_served"].mask(abroad, "europe"))


def _forgotten(frame: pd.DataFrame) -> pd.DataFrame:
    """Nobody but us-east ever shows what it acknowledged in the ten seconds before it was lost."""
    own = (frame["region_served"] == "us-east") & (frame["change"] == "add") & frame["finished_s"].between(20, 30)
    gone = set(frame.loc[own, "written"])
    seen = [",".join(name for name in names.split(",") if name not in gone) for names in frame["seen"]]
    return frame.assign(seen=frame["seen"].where(frame["region_served"] == "us-east", seen))


@pytest.mark.parametrize(
    ("mistake", "failover", "broken"),
    [
        ("too late", a_failover().sent_away_at(40.0), "recovery time"),
        ("found out too late", a_failover().altering_log(lambda log: _later(log, "decided", 5.0)), "detected after"),
        (
            "nobody else takes over in time",
            a_failover().altering(lambda f: failed(f, (f["region_served"] == "us-west") & f["sent_s"].between(31, 36)
                                                   & (f["region_asked"] == "us-east"))),
            "first success elsewhere after",
        ),
        ("bad again later", a_failover().with_failures("us-east", 90.0, 93.0), "error ratio since recovered"),
        ("a herd comes home", a_failover().with_failures("us-east", 78.0, 80.0), "error ratio since recovered"),
        (
            "errors at every step",
            a_failover().altering(lambda f: failed(f, (f["region_asked"] == "us-east") & f["sent_s"].between(66, 78)
                                                   & (f.index % 5 == 0))),
            "error ratio while users returned",
        ),
        ("others are hurt", a_failover().with_failures("europe", 30.0, 38.0), "error ratio of everybody else"),
        ("posts are lost", a_failover().altering(_forgotten), "acknowledged writes missing elsewhere"),
        ("the old one loses too far back", a_failover().altering(_forgotten), "loss reaches back"),
        (
            "the lost region still takes a post",
            a_failover().altering(_post_of_us_east_at(40, 60, "us-east")),
            "writes by more than one region",
        ),
        (
            "it takes one before writes come home",
            a_failover().altering(_post_of_us_east_at(75.5, 77.5, "us-east")),
            "writes by more than one region",
        ),
        ("a third region", a_failover().altering(_by_a_third_region), "writes by more than one region"),
        ("wherever users are", a_failover().altering(wherever_they_are), "writes by more than one region"),
        ("two regions at once", a_failover().altering(_twice_at_once), "writes by more than one region"),
        (
            "it flaps",
            a_failover().routed(AWAY, replace(RAMP[3], at_s=55.0), replace(AWAY, at_s=60.0), HOME),
            "fail-overs in the run",
        ),
        ("users never come home", a_failover().routed(AWAY, HEALTHY_AGAIN, *RAMP), "all users back home after"),
        (
            "they come home late",
            a_failover().routed(AWAY, HEALTHY_AGAIN, *RAMP, replace(HOME, at_s=95.0)),
            "all users back home after",
        ),
    ],
)  # fmt: skip
def test_each_planted_mistake_turns_the_verdict_red(mistake: str, failover: Failover, broken: str) -> None:
    verdict = _judged(failover)

    assert verdict.outcome is Outcome.FAIL, (mistake, verdict.sentence)
    assert figure(verdict, broken).outcome is Outcome.FAIL, (mistake, guilty(verdict))


def _later(lines: list[dict[str, object]], event: str, by_s: float) -> list[dict[str, object]]:
    return [{**line, "at_s": float(str(line["at_s"])) + by_s} if line["event"] == event else line for line in lines]


def test_one_error_breaks_none_at_all_for_everybody_else() -> None:
    check = FailoverCheck(cohort="us-east", rto=Seconds(5.0), holds=Seconds(10.0), others_error_ratio=Ratio(0.0))

    def one_error(frame: pd.DataFrame) -> pd.DataFrame:
        europe = (frame["region_asked"] == "europe") & (frame["scheduled_s"] > 40)
        return failed(frame, pd.Series(frame.index == frame.index[europe][0], index=frame.index))

    assert _judged(a_failover(), check).outcome is Outcome.PASS
    verdict = _judged(a_failover().altering(one_error), check)
    assert verdict.outcome is Outcome.FAIL
    assert "so did 1 user of europe" in verdict.sentence


# --- what is no mistake ---------------------------------------------------------------------------------------------


def test_counters_may_be_raised_where_some_users_are() -> None:
    """A like is taken by whatever region its user is in, also before writes come home."""

    def like(frame: pd.DataFrame) -> pd.DataFrame:
        changed = _post_of_us_east_at(75.5, 77.5, "us-east")(frame)
        moved = changed["region_served"] != frame["region_served"]
        return changed.assign(change=changed["change"].mask(moved, "count"))

    assert _judged(a_failover().altering(like)).outcome is Outcome.PASS


def test_a_post_that_was_under_way_when_the_routes_changed_is_no_stray() -> None:
    def slow(frame: pd.DataFrame) -> pd.DataFrame:
        posts = (frame["operation"] == "post") & (frame["region_asked"] == "us-east") & (frame["sent_s"] < STRUCK_S)
        last = frame.index == frame.index[posts][-1]
        return frame.assign(finished_s=frame["finished_s"].mask(last, 33.0))

    assert figure(_judged(a_failover().altering(slow)), "writes by more than one region").value == 0


def test_what_was_deleted_is_not_lost() -> None:
    def deleted(frame: pd.DataFrame) -> pd.DataFrame:
        gone = _forgotten(frame)
        posts = frame.loc[(frame["operation"] == "post") & frame["finished_s"].between(20, 30)]
        return pd.concat([gone, posts.assign(change="remove")], ignore_index=True)

    assert figure(_judged(a_failover().altering(deleted)), "acknowledged writes missing elsewhere").value == 0


def test_writes_can_be_judged_alone() -> None:
    """Reads go on from the refuge, posts fail for longer."""

    def no_posts(frame: pd.DataFrame) -> pd.DataFrame:
        posts = (frame["operation"] == "post") & (frame["region_asked"] == "us-east")
        return failed(frame, posts & frame["scheduled_s"].between(30, 40))

    failover = replace(a_failover().altering(no_posts), rate_per_s=400.0)
    check = FailoverCheck(cohort="us-east", rto=Seconds(5.0), holds=Seconds(10.0))
    writes, reads = (
        _judged(failover, msgspec.structs.replace(check, operations=kind))
        for kind in (Operations.WRITES, Operations.READS)
    )

    assert figure(writes, "recovery time").outcome is Outcome.FAIL
    assert reads.outcome is Outcome.PASS


def test_each_outage_is_judged() -> None:
    again = replace(a_failover(), struck=(STRUCK_S, 82.0))
    again = again.routed(AWAY, HEALTHY_AGAIN, *RAMP, HOME, replace(AWAY, at_s=85.5))
    verdict = _judged(again.with_failures("us-east", 82.0, 85.5))

    assert _value(verdict, "recovery time (fault-1)") == 2.0
    assert _value(verdict, "recovery time (fault-2)") == 4.0
    assert _value(verdict, "fail-overs in the run") == 2


@pytest.mark.slow
def test_the_judge_knows_the_check() -> None:
    run = a_failover().built()
    verdicts = judge(replace(run, plan=msgspec.structs.replace(run.plan, expect=(CHECK,))))

    assert [verdict.check for verdict in verdicts.verdicts] == ["validity", "failover"]
