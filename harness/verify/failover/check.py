"""Whether the users of a lost region were taken over soon enough, without harm to what they wrote, and brought home.

What users saw decides; what the router tells only says where the time went. Every time has its known error (blocks of a
second, scrapes, the length of calls) and is decided only where that error is on one side of its objective. Averages
over all regions are never looked at: three of four being well is an outage.
"""

import msgspec

from harness.experiment.expectations.failover import FailoverCheck, Operations
from harness.record.reader import Run
from harness.verify import figures
from harness.verify.failover import words
from harness.verify.failover.cohorts import Cohort
from harness.verify.failover.faults import outages_of
from harness.verify.failover.outage import NOBODY_TELLS, RECOVERY_TIME, of_outage
from harness.verify.failover.refuge import of_refuge
from harness.verify.failover.routes import Routes
from harness.verify.failover.story import Story, stories_of
from harness.verify.failover.writers import Strays, strays_of
from harness.verify.figures import bounded, say, unknown
from harness.verify.verdict import Figure, Outcome, Verdict


def check_failover(run: Run, check: FailoverCheck) -> Verdict:
    name = name_of(check)
    doubt = _doubt(run, check)
    stories = stories_of(run, check)
    if doubt or not stories:
        why = doubt or f"nobody asked for {check.cohort} while it was struck"
        return figures.verdict_of("failover", name, [_nothing(why)], passed="")
    routes = stories[0].routes
    found: list[Figure] = []
    for story in stories:
        own = [*of_outage(check, story), *of_refuge(check, story), *_shares(check, story)]
        found += own if len(stories) == 1 else [_named(figure, story.outage.fault) for figure in own]
    refuge = stories[0].cohort.marks.mostly_served_by
    strays = None if routes is None else strays_of(run, routes, refuge=refuge)
    found += [*_writers(check, strays), *_flaps(check, routes)]
    told = " ".join(words.told(story) for story in stories)
    verdict = figures.verdict_of("failover", name, found, words.evidence(stories, strays), passed=told)
    if verdict.outcome is Outcome.PASS:
        return verdict
    return msgspec.structs.replace(verdict, sentence=f"{told} {verdict.sentence}")


def name_of(check: FailoverCheck) -> str:
    whose = check.cohort if check.operations is Operations.ALL else f"{check.cohort}, {check.operations.value}"
    return f"failover of {whose} within {check.rto}"


def _doubt(run: Run, check: FailoverCheck) -> str:
    """Why nothing can be said about any outage; empty where something can."""
    outages = outages_of(run, check.cohort)
    if not outages:
        return f"no fault strikes {check.cohort} as a whole"
    for outage in outages:
        if outage.began is None:
            return f"{outage.fault} was never injected"
        if outage.unverified:
            missing = f"{len(outage.unverified)} of its {outage.parts} parts" if outage.parts > 1 else "it"
            return f"{outage.fault} was not shown to be there: {missing} not confirmed ({outage.unverified[0]})"
    return ""


def _nothing(why: str) -> Figure:
    return figures.stated(
        RECOVERY_TIME, None, unit="s", samples=0, accept="some", outcome=Outcome.INCONCLUSIVE, reason=why
    )


def _named(figure: Figure, fault: str) -> Figure:
    return msgspec.structs.replace(figure, name=f"{figure.name} ({fault})")


# --- ratios and counts ----------------------------------------------------------------------------------------------


def _shares(check: FailoverCheck, story: Story) -> list[Figure]:
    """Errors, and what was refused or late, after the recovery and while users returned; errors of everybody else."""
    until_s, recovered, returned, found = story.stretch.until_s, story.cohort.marks.recovered, story.returned, []
    if recovered is not None and recovered.at_s < until_s:
        found += _own(check, story, "since recovered", (recovered.at_s, until_s))
    if returned is not None:
        found += _own(check, story, "while users returned", (returned.began.earliest_s, returned.until_s))
    if check.others_error_ratio is not None:
        others = [row.cohort for row in story.others]
        window = (story.stretch.began.at_s, until_s)
        found.append(_errors("error ratio of everybody else", others, window, check.others_error_ratio))
    return found


def _own(check: FailoverCheck, story: Story, when: str, window: tuple[float, float]) -> list[Figure]:
    cohort, most = story.cohort.cohort, story.cohort.unserved_ratio
    inside = (cohort.scheduled_s >= window[0]) & (cohort.scheduled_s < window[1])
    many, offered = int((cohort.refused_or_late & inside).sum()), int(inside.sum())
    reason = f"{many:,} of {offered:,} requests were refused or took longer than {say(check.within, 's')}"
    return [
        _errors(f"error ratio {when}", [cohort], window, check.error_ratio),
        figures.rarely(
            f"refused or late {when}", many, offered, passes_at=most, fails_above=figures.FAR_BEYOND * most,
            reason=reason,
        ),
    ]  # fmt: skip


def _errors(name: str, cohorts: list[Cohort], window: tuple[float, float], limit: float) -> Figure:
    """What happened to these users is a fact and no sample of anything; a little more than is allowed is a doubt."""
    bad = offered = 0
    for cohort in cohorts:
        inside = (cohort.scheduled_s >= window[0]) & (cohort.scheduled_s < window[1])
        bad, offered = bad + int((cohort.bad & inside).sum()), offered + int(inside.sum())
    if limit == 0:
        return figures.never(name, bad, offered, reason="there were to be none at all")
    reason = f"{bad:,} of {offered:,} requests failed"
    return figures.rarely(name, bad, offered, passes_at=limit, fails_above=figures.FAR_BEYOND * limit, reason=reason)


def _writers(check: FailoverCheck, strays: Strays | None) -> list[Figure]:
    name, allowed = "writes by more than one region", check.split_brain_writes
    if allowed is None:
        return []
    if strays is None or strays.judged == 0:
        why = NOBODY_TELLS if strays is None else "nothing was written"
        return [unknown(name, unit="", accept=f"at most {allowed}", reason=why)]
    why = strays.found[0].sentence if strays.found else ""
    return [figures.invariant(bounded(name, len(strays.found), allowed, unit="", samples=strays.judged, reason=why))]


def _flaps(check: FailoverCheck, routes: Routes | None) -> list[Figure]:
    name, allowed = "fail-overs in the run", check.fail_overs_at_most
    if routes is None:
        return [] if allowed is None else [unknown(name, unit="", accept=f"at most {allowed}", reason=NOBODY_TELLS)]
    times = routes.fail_overs()
    why = f"the last one at {figures.at(times[-1].at_s)}" if times else ""
    return [bounded(name, len(times), allowed, unit="", samples=len(routes.steps), reason=why)]
