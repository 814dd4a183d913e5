"""An edge in fast motion: probes of all regions each half second, with what a test wants to go wrong."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from reference_system.policies import region_failover
from reference_system.policies.failback import DEFAULT_RULES, Rules
from reference_system.policies.region_failover import AT_FIRST, PROBE_INTERVAL_S, Route, Seen, State
from reference_system.policies.regions import Region

Spans = list[tuple[float, float]]  # from, until (seconds; the end is outside)


def fine(region: Region, *, probe: bool = True, lag_s: float = 0.3) -> Seen:
    lags_s = {other: lag_s for other in Region if other is not region}
    return Seen(probe=probe, lag_s=lags_s, error_ratio=0.0, latency_p99_ms=100.0)


@dataclass(frozen=True)
class Moment:
    now_s: float
    state: State
    routes: dict[Region, Route]


def played(
    see: Callable[[Region, float], Seen], *, until_s: float, rules: Rules = DEFAULT_RULES, start_s: float = 0.0
) -> Iterator[Moment]:
    state = AT_FIRST
    for tick in range(int(until_s / PROBE_INTERVAL_S) + 1):
        now_s = tick * PROBE_INTERVAL_S
        seen = {region: see(region, now_s) for region in Region}
        state, routes = region_failover.decide(state, seen, start_s + now_s, rules=rules)
        yield Moment(now_s=now_s, state=state, routes=routes)


def after(down: Mapping[Region, Spans], at_s: float) -> dict[Region, Route]:
    """The routes at a moment, given who was down when and nothing else wrong."""
    *_, last = played(lambda region, now_s: fine(region, probe=not is_in(now_s, down.get(region, []))), until_s=at_s)
    return last.routes


def is_in(now_s: float, spans: Spans) -> bool:
    return any(start_s <= now_s < end_s for start_s, end_s in spans)
