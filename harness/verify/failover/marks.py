"""The marks of one fail-over, T0 to T6, as the users of one region and their router tell them.

T0 the fault was there, T1 the first request failed, T2 the region was found to be unhealthy, T3 it was decided to send
its users elsewhere, T4 they were, T5 the first of them was answered by another region, T6 the first stretch began in
which all was well for them again: hardly anything failed, and as much was answered in time as before. Who refuses
everybody, or answers all of them late, has taken nobody over. Users' marks are what counts; the router's only say where
the time went.
"""

from dataclasses import dataclass

import numpy as np

from harness.verify.failover.cohorts import BLOCK_S, Cohort, blocks_of, first_good_window
from harness.verify.failover.routes import Routes
from harness.verify.moments import Moment
from harness.verify.windows import Bools

NAMES = ("fault", "first failure", "detected", "decided", "routed away", "first success", "recovered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """`None` for what did not happen, or what nobody tells."""

    began: Moment
    failed: Moment | None
    detected: Moment | None
    decided: Moment | None
    routed: Moment | None
    succeeded: Moment | None
    recovered: Moment | None
    mostly_served_by: str = ""  # the region that served most of the cohort since

    def in_order(self) -> tuple[Moment | None, ...]:
        """T0 to T6."""
        users = (self.succeeded, self.recovered)
        return (self.began, self.failed, self.detected, self.decided, self.routed, *users)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What is looked at: from T0 to the next outage or the end of the load, against which objective."""

    began: Moment
    until_s: float
    holds_s: float
    error_ratio: float

    @property
    def watched_s(self) -> float:
        return self.until_s - self.began.at_s


def marks_of(cohort: Cohort, routes: Routes | None, stretch: Stretch, *, unserved_ratio: float) -> Marks:
    """All is well where at most the share `unserved_ratio` of the cohort's requests goes without a good answer."""
    began, until_s = stretch.began, stretch.until_s
    routed = None if routes is None else routes.left(began, until_s)
    elsewhere = _served_elsewhere(cohort, routed or began, until_s)
    return Marks(
        began=began,
        failed=_first_failure(cohort, began, until_s),
        detected=None if routes is None else routes.detected(began, until_s),
        decided=None if routes is None else routes.decided(began, until_s),
        routed=routed,
        succeeded=Moment.exactly(float(cohort.finished_s[elsewhere].min()), "requests") if elsewhere.any() else None,
        recovered=_recovered(cohort, stretch, unserved_ratio),
        mostly_served_by=_most(cohort, elsewhere),
    )


def _first_failure(cohort: Cohort, began: Moment, until_s: float) -> Moment | None:
    """When the first request was scheduled that failed after the fault was there; under way then: at once."""
    hurt = cohort.bad & (cohort.finished_s >= began.earliest_s) & (cohort.scheduled_s < until_s)
    if not hurt.any():
        return None
    return Moment.exactly(max(began.at_s, float(cohort.scheduled_s[hurt].min())), "requests")


def _served_elsewhere(cohort: Cohort, since: Moment, until_s: float) -> Bools:
    """Answered as asked by another region, and sent since: travellers are served at their home at any time."""
    other = (cohort.served != cohort.region) & (cohort.served != "")
    found: Bools = cohort.ok & other & (cohort.sent_s >= since.earliest_s) & (cohort.scheduled_s < until_s)
    return found


def _most(cohort: Cohort, chosen: Bools) -> str:
    regions, many = np.unique(cohort.served[chosen].astype(str), return_counts=True)
    return str(regions[int(many.argmax())]) if len(regions) else ""


def _recovered(cohort: Cohort, stretch: Stretch, unserved_ratio: float) -> Moment | None:
    """The start of the first good window lies in the block before the one that was found, or at its end."""
    from_s = stretch.began.at_s
    offered, bad, unserved = (
        blocks_of(cohort, which, from_s, stretch.until_s)
        for which in (np.ones(len(cohort), dtype=bool), cohort.bad, ~cohort.good)
    )
    blocks = max(1, round(stretch.holds_s / BLOCK_S))
    limits = [(bad, stretch.error_ratio), (unserved, unserved_ratio)]
    first = first_good_window(offered, limits, blocks=blocks)
    if first is None:
        return None
    at_s = from_s + first * BLOCK_S
    return Moment(at_s=at_s, earliest_s=max(from_s, at_s - BLOCK_S), latest_s=at_s, source="requests")
