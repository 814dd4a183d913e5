"""Points and results of searches, made by hand."""

from harness.search.bisection import Search
from harness.search.knee import Knee, Point, Subject, knee_of
from harness.units import PerSecond, Seconds
from harness.verify.verdict import Outcome

SEARCH = Search(low=PerSecond(100), high=PerSecond(400))
SUBJECT = Subject(
    experiment="timeline_capacity",
    title="A region answers in time",
    target="twitter-unprotected",
    runtime="processes",
    defect=None,
    regions=1,
    replicas=2,
    phase="baseline",
    judged_by="slo",
    objectives=("slo in baseline: p99 ≤ 150ms",),
    p99_limit=Seconds(0.15),
)


def point(rate: float, outcome: Outcome, *, p99_s: float | None = 0.04) -> Point:
    return Point(
        rate=PerSecond(rate),
        outcome=outcome,
        sentence=f"latency p99 at {rate:g}/s.",
        run=f"run-{rate:g}",
        offered_per_s=rate,
        goodput_per_s=min(rate, 300.0),
        latency_p99_s=p99_s,
        timed=int(60 * rate),
    )


def a_knee(*points: Point, subject: Subject = SUBJECT) -> Knee:
    """The whole search's, or of these points."""
    found = (
        point(100, Outcome.PASS),
        point(400, Outcome.FAIL, p99_s=None),
        point(290, Outcome.PASS),
        point(295, Outcome.FAIL, p99_s=0.3),
        point(290, Outcome.PASS),
        point(295, Outcome.FAIL, p99_s=0.28),
    )
    return knee_of(subject, SEARCH, points or found)
