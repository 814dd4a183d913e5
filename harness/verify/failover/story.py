"""All that is known of an outage of a region and of how its users were taken over: what is judged, what is shown."""

from dataclasses import dataclass, replace

from harness.experiment.expectations.failover import FailoverCheck, Operations
from harness.record.reader import Run
from harness.verify import windows
from harness.verify.failover.cohorts import (
    Cohort,
    Harm,
    cohort_of,
    harm_of,
    latency_p99,
    regions_asked,
    unserved_ratio,
)
from harness.verify.failover.faults import Outage, outages_of
from harness.verify.failover.lag import Lag, lags_of_its_own, lags_of_others
from harness.verify.failover.loss import Loss, loss_of
from harness.verify.failover.marks import Marks, Stretch, marks_of
from harness.verify.failover.routes import Routes, Step, routes_of
from harness.verify.moments import Moment
from harness.verify.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A cohort, when what happened to it, and how much it was hurt. Where all is well for it at most the share
    `unserved_ratio` of its requests goes without a good answer."""

    cohort: Cohort
    marks: Marks
    harm: Harm
    unserved_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """How users came back: each step of the ramp, since when the region was healthy again, and the cohort's latency
    meanwhile and in the baseline (p99; None where too few were answered). `behind`: how far it surely was behind with
    what each other region had written, when the first users were sent to it."""

    steps: tuple[Step, ...]
    behind: tuple[Lag, ...]
    healthy: Moment | None
    back: Moment | None  # it has all its users
    until_s: float  # for a while after that, as a herd shows only then
    latency_s_p99: float | None
    latency_s_p99_before: float | None
    samples: int
    samples_before: int

    @property
    def began(self) -> Moment:
        return self.steps[0].since

    @property
    def held_down_s(self) -> float | None:
        """From healthy again to the first users."""
        return None if self.healthy is None else max(0.0, self.began.at_s - self.healthy.at_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """`cohort` is the one that is judged; `parts` are its reads and writes, `others` the users of all other regions.

    `lags`: how far each other region was behind when the cohort's was lost.
    """

    outage: Outage
    stretch: Stretch
    routes: Routes | None
    cohort: Row
    parts: tuple[Row, ...]
    others: tuple[Row, ...]
    returned: Return | None
    loss: Loss
    lags: tuple[Lag, ...]


def stories_of(run: Run, check: FailoverCheck) -> list[Story]:
    """One for each outage of the region that was injected while somebody asked for it."""
    outages = [outage for outage in outages_of(run, check.cohort) if outage.began is not None]
    cohorts = _Cohorts.of(run, check)
    end_s = windows.end_of_load_s(run)
    found = []
    for number, outage in enumerate(outages):
        later = outages[number + 1].began if number + 1 < len(outages) else None
        until_s = end_s if later is None else later.at_s
        assert outage.began is not None
        stretch = Stretch(
            began=outage.began, until_s=until_s, holds_s=float(check.holds), error_ratio=float(check.error_ratio)
        )
        story = _story(run, outage, stretch, cohorts)
        if story.cohort.harm.offered:
            found.append(story)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cohorts:
    judged: Cohort
    parts: tuple[Cohort, ...]
    others: tuple[Cohort, ...]
    baseline: Window | None

    @classmethod
    def of(cls, run: Run, check: FailoverCheck) -> "_Cohorts":
        region = check.cohort
        apart = check.operations is Operations.ALL
        kinds = [kind for kind in Operations if kind is not Operations.ALL] if apart else []
        return cls(
            judged=cohort_of(run, region, check, check.operations),
            parts=tuple(cohort_of(run, region, check, kind) for kind in kinds),
            others=tuple(cohort_of(run, other, check) for other in regions_asked(run) if other != region),
            baseline=windows.phase_window(run.plan, "baseline"),
        )


def _story(run: Run, outage: Outage, stretch: Stretch, cohorts: _Cohorts) -> Story:
    routes = routes_of(run, cohorts.judged.region)
    baseline = cohorts.baseline
    judged = _row(cohorts.judged, routes, stretch, baseline)
    returned = _return(run, cohorts, routes, judged.marks, stretch)
    return Story(
        outage=outage,
        stretch=stretch,
        routes=routes,
        cohort=judged,
        parts=tuple(_row(part, routes, stretch, baseline) for part in cohorts.parts if len(part)),
        others=tuple(_spared(_row(other, None, stretch, baseline)) for other in cohorts.others),
        returned=returned,
        loss=_loss(run, outage, judged, returned, stretch),
        lags=lags_of_others(run, judged.cohort.region, stretch.began),
    )


def _row(cohort: Cohort, routes: Routes | None, stretch: Stretch, baseline: Window | None) -> Row:
    harm = harm_of(
        cohort, baseline, from_s=stretch.began.at_s, until_s=stretch.until_s, error_ratio=stretch.error_ratio
    )
    most = unserved_ratio(cohort, baseline)
    marks = marks_of(cohort, routes, stretch, unserved_ratio=most)
    return Row(cohort=cohort, marks=marks, harm=harm, unserved_ratio=most)


def _spared(row: Row) -> Row:
    """Users of a region that was not lost are not taken over; travellers are served elsewhere at any time."""
    return replace(row, marks=replace(row.marks, succeeded=None, mostly_served_by=""))


def _return(run: Run, cohorts: _Cohorts, routes: Routes | None, marks: Marks, stretch: Stretch) -> Return | None:
    """None where its users never left, or none of them came back."""
    if routes is None or marks.routed is None:
        return None
    until_s = stretch.until_s
    steps = routes.ramp(marks.routed, until_s)
    first = next((place for place, step in enumerate(steps) if step.share > 0), None)
    if first is None:
        return None
    steps = steps[first:]
    back = steps[-1].since if steps[-1].share >= 1.0 else None
    end_s = until_s if back is None else min(until_s, back.latest_s + stretch.holds_s)
    value, samples = latency_p99(cohorts.judged, steps[0].since.earliest_s, end_s)
    baseline = cohorts.baseline
    before: tuple[float | None, int] = (None, 0)
    if baseline is not None:
        before = latency_p99(cohorts.judged, baseline.start_s, baseline.end_s)
    return Return(
        steps=steps,
        behind=lags_of_its_own(run, cohorts.judged.region, steps[0].since),
        healthy=routes.healthy_since(marks.routed, steps[0].since),
        back=back,
        until_s=end_s,
        latency_s_p99=value,
        latency_s_p99_before=before[0],
        samples=samples,
        samples_before=before[1],
    )


def _loss(run: Run, outage: Outage, judged: Row, returned: Return | None, stretch: Stretch) -> Loss:
    """While the region was away: since its users were sent elsewhere, or nobody could reach it."""
    away = judged.marks.routed or judged.marks.began
    ends_s = [stretch.until_s]
    if outage.reverted_s is not None:
        ends_s.append(outage.reverted_s)
    if returned is not None:
        ends_s.append(returned.began.earliest_s)
    back_s = min(ends_s)
    return loss_of(run, judged.cohort.region, began=stretch.began, away=away, back_s=back_s)
