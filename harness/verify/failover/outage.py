"""One outage as figures: the times on the way, what it cost, what was lost, and how users came home."""

from harness.experiment.expectations.failover import FailoverCheck
from harness.verify import moments
from harness.verify.failover.loss import Loss
from harness.verify.failover.story import Return, Story
from harness.verify.figures import bounded, reported, say, unknown
from harness.verify.moments import Moment, lapse
from harness.verify.verdict import Figure

RECOVERY_TIME = "recovery time"  # what a series of runs counts
FIRST_SUCCESS = "first success elsewhere after"
DETECTED = "detected after"
MISSING = "acknowledged writes missing elsewhere"
BEHIND = "surely behind when its users returned"
BACK_HOME = "all users back home after"
NOBODY_TELLS = "nobody tells where users are sent"


def of_outage(check: FailoverCheck, story: Story) -> list[Figure]:
    return [
        _recovery(check, story),
        *_first_success(check, story),
        *_detection(check, story),
        *_phases(story),
        *_harm(story),
        *_lost(check, story.loss, story.stretch.began),
        *_lag(story),
        *_returned(story.returned),
        *_behind(check, story.returned),
        *_back(check, story),
    ]


# --- times ----------------------------------------------------------------------------------------------------------


def _recovery(check: FailoverCheck, story: Story) -> Figure:
    marks, samples = story.cohort.marks, story.cohort.harm.offered
    if marks.recovered is not None:
        return moments.timed(RECOVERY_TIME, lapse(marks.began, marks.recovered), check.rto, samples=samples)
    why = (
        f"users of {check.cohort} were never again within their objective for {say(check.holds, 's')} on end: "
        f"{_in_the_end(check, story)}"
    )
    # No later than this could such a stretch have begun.
    watched_s = story.stretch.watched_s - check.holds
    return moments.never_within(RECOVERY_TIME, check.rto, watched_s=watched_s, samples=samples, why=why)


def _in_the_end(check: FailoverCheck, story: Story) -> str:
    cohort, until_s = story.cohort.cohort, story.stretch.until_s
    last = (cohort.scheduled_s >= until_s - check.holds) & (cohort.scheduled_s < until_s)
    bad, slighted = int((cohort.bad & last).sum()), int((cohort.refused_or_late & last).sum())
    asked, limit = int(last.sum()), say(check.within, "s")
    return f"of the last {asked:,} requests {bad:,} failed and {slighted:,} were refused or took longer than {limit}"


def _first_success(check: FailoverCheck, story: Story) -> list[Figure]:
    marks, samples = story.cohort.marks, story.cohort.harm.offered
    if marks.succeeded is not None:
        took = lapse(marks.began, marks.succeeded)
        return [moments.timed(FIRST_SUCCESS, took, check.first_success_within, samples=samples)]
    if check.first_success_within is None:
        return []
    return [
        moments.never_within(
            FIRST_SUCCESS, check.first_success_within, watched_s=story.stretch.watched_s, samples=samples,
            why="no other region served any of them",
        )
    ]  # fmt: skip


def _detection(check: FailoverCheck, story: Story) -> list[Figure]:
    marks, routes = story.cohort.marks, story.routes
    if marks.detected is not None:
        took = lapse(marks.began, marks.detected)
        return [moments.timed(DETECTED, took, check.detect_within, samples=1)]
    if check.detect_within is None:
        return []
    if routes is None:
        return [unknown(DETECTED, unit="s", accept=f"at most {say(check.detect_within, 's')}", reason=NOBODY_TELLS)]
    return [
        moments.never_within(
            DETECTED, check.detect_within, watched_s=story.stretch.watched_s, samples=len(routes.steps),
            why="the region was never found to be unhealthy",
        )
    ]  # fmt: skip


def _phases(story: Story) -> list[Figure]:
    """Where the time went."""
    marks = story.cohort.marks
    ways = [
        ("from detected to decided", marks.detected, marks.decided),
        ("from detected to routed away", marks.detected, marks.routed),
        ("from routed away to recovered", marks.routed, marks.recovered),
    ]
    return [
        moments.timed(name, lapse(start, end), None, samples=1)
        for name, start, end in ways
        if start is not None and end is not None
    ]


# --- what it cost ---------------------------------------------------------------------------------------------------


def _harm(story: Story) -> list[Figure]:
    harm = story.cohort.harm
    found = [
        reported("longest gap without success", harm.longest_gap_s, unit="s", samples=harm.offered),
        reported("seconds with errors", harm.bad_seconds, unit="s", samples=harm.offered),
        reported("users hurt", harm.users_hurt, unit="", samples=harm.users),
    ]
    if harm.goodput_lost is not None:
        found.append(reported("goodput lost", round(harm.goodput_lost), unit="requests", samples=harm.offered))
    return found


def _lost(check: FailoverCheck, loss: Loss, began: Moment) -> list[Figure]:
    """Acknowledgements and T0 are of one clock, so the loss has no error but what was never read."""
    if loss.known == 0:
        asked = check.rpo is not None or check.rpo_writes is not None
        reason = "no other region was read for what this one had acknowledged"
        return [unknown(MISSING, unit="", accept="some evidence", reason=reason)] if asked else []
    first = loss.missing[0] if loss.missing else None
    why = "" if first is None else f"{first.written} of {first.object} was not in {first.region_read}"
    reach_s = loss.reaches_back_s(began)
    found = [
        bounded(MISSING, len(loss.missing), check.rpo_writes, unit="", samples=loss.known, reason=why),
        bounded("loss reaches back", reach_s, check.rpo, unit="s", samples=loss.known, reason=why),
    ]
    if loss.known_in_the_end:
        name = "acknowledged writes missing in the end"
        found.append(reported(name, loss.missing_in_the_end, unit="", samples=loss.known_in_the_end))
    return found


def _lag(story: Story) -> list[Figure]:
    """Beside the loss: no more than this was to be expected."""
    if not story.lags:
        return []
    worst = max(story.lags, key=lambda lag: lag.lag_s)
    return [reported(f"{worst.other} was behind by", worst.lag_s, unit="s", samples=len(story.lags))]


# --- the way home ---------------------------------------------------------------------------------------------------


def _returned(returned: Return | None) -> list[Figure]:
    if returned is None:
        return []
    times = [
        ("held down once it was healthy", returned.held_down_s, len(returned.steps)),
        ("latency p99 while users returned", returned.latency_s_p99, returned.samples),
        ("latency p99 in the baseline", returned.latency_s_p99_before, returned.samples_before),
    ]
    return [reported(name, value, unit="s", samples=samples) for name, value, samples in times if value is not None]


def _behind(check: FailoverCheck, returned: Return | None) -> list[Figure]:
    """A region that gets its users back too early shows them an old world, and takes writes that know nothing of it."""
    limit_s = check.behind_at_return
    if returned is None or not returned.behind:
        why = "its users never returned" if returned is None else "nobody told how far it was behind"
        return [] if limit_s is None else [unknown(BEHIND, unit="s", accept=f"at most {say(limit_s, 's')}", reason=why)]
    worst = max(returned.behind, key=lambda lag: lag.lag_s)
    why = f"so old was what it knew of {worst.other}"
    return [bounded(BEHIND, worst.lag_s, limit_s, unit="s", samples=len(returned.behind), reason=why)]


def _back(check: FailoverCheck, story: Story) -> list[Figure]:
    returned, reverted_s, objective_s = story.returned, story.outage.reverted_s, check.back_within
    if returned is not None and returned.back is not None and reverted_s is not None:
        took = lapse(Moment.exactly(reverted_s, "events"), returned.back)
        return [moments.timed(BACK_HOME, took, objective_s, samples=len(returned.steps))]
    if objective_s is None:
        return []
    why_not = _why_back_is_unknown(story)
    if why_not or reverted_s is None:
        return [unknown(BACK_HOME, unit="s", accept=f"at most {say(objective_s, 's')}", reason=why_not)]
    share = 0.0 if returned is None else returned.steps[-1].share
    return [
        moments.never_within(
            BACK_HOME, objective_s, watched_s=story.stretch.until_s - reverted_s, samples=1,
            why=f"in the end {say(share, 'ratio')} of its users were sent to {check.cohort}",
        )
    ]  # fmt: skip


def _why_back_is_unknown(story: Story) -> str:
    if story.routes is None:
        return NOBODY_TELLS
    if story.cohort.marks.routed is None:
        return "its users were never sent away"
    return "the fault was never reverted" if story.outage.reverted_s is None else ""
