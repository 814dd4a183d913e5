"""What a region says of itself, to the edge and to other regions: `GET /region/health`, answered by any replica.

Healthy is a region whose database answers, or has done so a moment ago: where it is slow, or all of its connections are
in use, the region degrades and sheds by itself, and its users would take the trouble along to the next region. How late
the other regions' changes arrive, and how this replica has served lately, is said along with it; what that means for
users is the edge's to decide.
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from reference_system.data.backends import DependencyError
from reference_system.data.heartbeats import Heard, Heartbeats
from reference_system.policies.regions import Region
from reference_system.services.exchange import Observations

PATH = "/region/health"
DATABASE_ANSWERS_WITHIN_S = 0.5
SILENT_FOR_S = (
    3.0  # a database from which nothing has come for so long is gone; a statement may take two thirds of that
)
ANSWERED_WITHIN_S = 1.0  # for who asks; the edge's limit, too
WINDOW_S = 5.0  # as long as a step of the edge's ramp is held
FEWEST_ANSWERS = 20  # in the window; of fewer a single slow one would close the edge's gates

ReportedLag = Callable[[Mapping[Region, float]], Mapping[Region, float]]


class RegionHealth(msgspec.Struct, frozen=True):
    """Ages of the other regions' heartbeats in seconds; one that was never heard is missing."""

    lag_s: Mapping[Region, float]
    error_ratio: float | None
    latency_p99_ms: float | None


async def ask(heartbeats: Heartbeats, observations: Observations, reported_lag: ReportedLag) -> RegionHealth | None:
    """None: the database does not answer."""
    try:
        async with asyncio.timeout(DATABASE_ANSWERS_WITHIN_S):
            heard: Heard | None = await heartbeats.heard()
    except TimeoutError:
        heard = heartbeats.heard_lately(SILENT_FOR_S)
    except DependencyError:
        heard = None
    if heard is None:
        return None
    error_ratio, latency_p99_ms = served_lately(observations)
    return RegionHealth(lag_s=reported_lag(heard.age_s), error_ratio=error_ratio, latency_p99_ms=latency_p99_ms)


def served_lately(seen: Observations) -> tuple[float | None, float | None]:
    """Share of errors and p99 in milliseconds, of what was neither shed nor refused; None where that is too little."""
    answers = seen.ok + seen.error
    if answers < FEWEST_ANSWERS:
        return None, None
    return seen.error / answers, _quantile(sorted(seen.latencies_ms), 0.99)


def _quantile(ascending: Sequence[float], share: float) -> float:
    return ascending[math.ceil(share * len(ascending)) - 1]
