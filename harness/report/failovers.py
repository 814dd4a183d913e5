"""Fail-overs as tables: when what happened, who was hurt and for how long, and who was not.

The figures are the check's own stories; nothing is measured or judged here.
"""

from dataclasses import dataclass

from harness.experiment.expectations.failover import FailoverCheck
from harness.record.reader import Run
from harness.report import wording
from harness.verify.failover.marks import NAMES
from harness.verify.failover.story import Return, Row, Story, stories_of
from harness.verify.moments import Moment, lapse


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A cohort in words; `share` is its seconds with errors against the worst cohort's, for the bar."""

    cohort: str
    judged: bool
    marks: tuple[str, ...]
    longest_gap: str
    bad_seconds: str
    share: float
    goodput_lost: str
    users_hurt: str
    hurt_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover:
    """One outage of a region: what it was, its marks' names, a line for each cohort, and the way home in words."""

    title: str
    names: tuple[str, ...]
    lines: tuple[Line, ...]
    way_home: str
    story: Story


def failovers_of(run: Run) -> tuple[Failover, ...]:
    checks = [check for check in run.plan.expect if isinstance(check, FailoverCheck)]
    return tuple(_failover(story) for check in checks for story in stories_of(run, check))


def _failover(story: Story) -> Failover:
    rows = (story.cohort, *story.parts, *story.others)
    worst = max([1, *(row.harm.bad_seconds for row in rows)])
    began = wording.moment(story.stretch.began.at_s)
    return Failover(
        title=f"Users of {story.cohort.cohort.name}, {story.outage.fault} at {began}",
        names=tuple(f"T{number} {name}" for number, name in enumerate(NAMES)),
        lines=tuple(_line(row, worst, judged=row is story.cohort) for row in rows),
        way_home=_way_home(story),
        story=story,
    )


def _line(row: Row, worst: int, *, judged: bool) -> Line:
    harm = row.harm
    return Line(
        cohort=row.cohort.name,
        judged=judged,
        marks=tuple(mark(row.marks.began, moment) for moment in row.marks.in_order()),
        longest_gap=wording.duration(harm.longest_gap_s),
        bad_seconds=wording.count(harm.bad_seconds),
        share=harm.bad_seconds / worst,
        goodput_lost=wording.NOTHING if harm.goodput_lost is None else wording.count(round(harm.goodput_lost)),
        users_hurt=f"{wording.count(harm.users_hurt)} of {wording.count(harm.users)}",
        hurt_for=f"{wording.number(harm.hurt_s_median)} s, worst {wording.number(harm.hurt_s_worst)} s"
        if harm.users_hurt
        else wording.NOTHING,
    )


def mark(began: Moment, moment: Moment | None) -> str:
    """Run time for the first mark, then seconds since it, with their error where it shows."""
    if moment is None:
        return wording.NOTHING
    if moment is began:
        return wording.moment(moment.at_s)
    took = lapse(began, moment)
    spread = f" ({took.low_s:.1f} to {took.high_s:.1f})" if took.high_s - took.low_s >= 0.1 else ""
    return f"+{took.value_s:.1f} s{spread}"


def _way_home(story: Story) -> str:
    returned = story.returned
    if returned is None:
        return "Its users did not come back in this run."
    steps = ", ".join(f"{wording.ratio(step.share)} at {wording.moment(step.since.at_s)}" for step in returned.steps)
    held = "" if returned.held_down_s is None else f" It was held down for {wording.duration(returned.held_down_s)}."
    return f"Its users came back: {steps}.{held}{_latency(returned)}"


def _latency(returned: Return) -> str:
    if returned.latency_s_p99 is None:
        return ""
    before = returned.latency_s_p99_before
    compared = "" if before is None else f", in the baseline {wording.duration(before)}"
    return f" Latency p99 meanwhile {wording.duration(returned.latency_s_p99)}{compared}."
