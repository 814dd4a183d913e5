"""Where the users of each region go, decided from probes: the edge's decision.

A region that fails several probes in a row loses its users at once, to its stand-in or, if that is down too, to the
next healthy region; it gets them back by `failback`. Meanwhile its stand-in takes its users' writes, until the last
step of the ramp, whose gates say that replication has caught up: the writer changes twice per outage, and users who
return early read at home and write abroad.

If no region is healthy, nobody is moved: it would help nobody, and it may be the edge that cannot see. If a region is
the only healthy one, its users come home without a ramp. Edges with the same observations decide the same, in whatever
order they list the regions and whenever their clocks began.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace

from reference_system.policies import failback
from reference_system.policies.failback import DEFAULT_RULES, LAST, Gates, Ramp, Rules
from reference_system.policies.regions import Region, stand_in_of

UNHEALTHY_AFTER = 3  # failed probes in a row; the default of AWS Route 53: one lost packet is no outage
PROBE_INTERVAL_S = 0.5  # ours; so an outage is seen within 1.5 s


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What an edge saw of a region since the last decision.

    `probe` is None if none ended. `lag_s` is the age of each other region's heartbeat as replicated to this one.
    `error_ratio` and `latency_p99_ms` are of the answers this region gave, None if those were too few.
    """

    probe: bool | None = None
    lag_s: Mapping[Region, float] = field(default_factory=dict)
    error_ratio: float | None = None
    latency_p99_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is remembered of a region; the first one trusts it."""

    healthy: bool = True
    probes_succeed: bool = True  # the latest ones, how many in a row, and since when
    probes: int = 0
    since_s: float = 0.0
    probed_s: float = 0.0
    ramp: Ramp | None = None  # None: it has all its users
    refuge: Region | None = None  # where the others go
    takes_writes: bool = True
    failed_over_s: tuple[float, ...] = ()

    @property
    def share(self) -> float:
        return 1.0 if self.ramp is None else self.ramp.share


State = Mapping[Region, Standing]


def at_first(regions: Iterable[Region]) -> State:
    """Of a system that has these regions."""
    return {region: Standing() for region in regions}


AT_FIRST = at_first(Region)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`share` of the region's users go to it (which ones: `user_share`), the others to `others_go_to`.

    `takes_writes`: it takes the writes of the users whose home it is; otherwise its stand-in does.
    """

    share: float
    others_go_to: Region | None  # None: there are no others
    takes_writes: bool
    healthy: bool
    reason: str


def decide(
    state: State,
    observation: Mapping[Region, Seen],
    now_s: float,
    *,
    probe_interval_s: float = PROBE_INTERVAL_S,
    unhealthy_after: int = UNHEALTHY_AFTER,
    rules: Rules = DEFAULT_RULES,
) -> tuple[State, dict[Region, Route]]:
    """One evaluation, of the state's regions. A region that is missing in the observation was not probed."""
    seen = {region: observation.get(region, Seen()) for region in state}
    gap_s = unhealthy_after * probe_interval_s
    probed = {
        region: _probed(state[region], seen[region].probe, now_s, unhealthy_after=unhealthy_after, gap_s=gap_s)
        for region in state
    }
    after, routes = {}, {}
    for region in state:
        after[region], reason = _moved(region, probed, seen[region], now_s, rules)
        routes[region] = _route(after[region], reason)
    return after, routes


def _probed(
    standing: Standing, succeeded: bool | None, now_s: float, *, unhealthy_after: int, gap_s: float
) -> Standing:
    """One success makes a region healthy: it may be the only one left, and `failback` is careful anyway.

    Successes too far apart are not in a row: an edge that was paused has not seen the region healthy meanwhile.
    Failures are, however long each one took to time out.
    """
    if succeeded is None:
        return standing
    gap = succeeded and now_s - standing.probed_s > gap_s
    if standing.probes == 0 or succeeded != standing.probes_succeed or gap:
        standing = replace(standing, probes_succeed=succeeded, probes=0, since_s=now_s)
    probes = standing.probes + 1
    healthy = succeeded or (standing.healthy and probes < unhealthy_after)
    return replace(standing, probes=probes, healthy=healthy, probed_s=now_s)


def _moved(region: Region, state: State, seen: Seen, now_s: float, rules: Rules) -> tuple[Standing, str]:
    standing = state[region]
    healthy = {other for other in state if state[other].healthy}
    refuge = _refuge(region, state, healthy)
    if refuge is None:
        return _alone(standing)
    if not standing.healthy:
        return _away(standing, refuge, now_s, rules), f"unhealthy: its users go to {refuge}"
    if standing.ramp is None:
        return standing, "healthy"
    steady = standing.probes_succeed and (standing.ramp.step > 0 or _served_its_hold_down(standing, now_s, rules))
    gates = Gates(
        replication_lag_s=_greatest_lag_s(seen.lag_s, healthy - {region}),
        error_ratio=seen.error_ratio,
        latency_p99_ms=seen.latency_p99_ms,
    )
    ramp, reason = failback.decide(standing.ramp, gates, now_s, steady=steady, rules=rules)
    return _returned(standing, ramp, refuge, stand_in_healthy=stand_in_of(region) in healthy), reason


def _refuge(region: Region, state: State, healthy: Set[Region]) -> Region | None:
    """Where users go who are not sent to the region itself; None if no other region is healthy.

    They stay where they are as long as that is healthy. Otherwise regions with all their users come first: one that has
    just come back may go again, and has no room yet.
    """
    current = state[region].refuge
    candidates = [other for other in (stand_in_of(region), *Region) if other is not region and other in healthy]
    if current in candidates:
        return current
    return next((other for other in candidates if state[other].ramp is None), next(iter(candidates), None))


def _alone(standing: Standing) -> tuple[Standing, str]:
    """No other region is healthy."""
    if not standing.healthy:
        return standing, "no region is healthy: its users stay where they are"
    return replace(standing, ramp=None, refuge=None, takes_writes=True), "the only healthy region: it keeps its users"


def _away(standing: Standing, refuge: Region, now_s: float, rules: Rules) -> Standing:
    """An unhealthy region has no users; it counts as a fail-over only if it had some."""
    if standing.ramp is not None and standing.ramp.step == 0:
        return replace(standing, refuge=refuge, takes_writes=False)
    counting = failback.still_counting(standing.failed_over_s, now_s, rules)
    return replace(
        standing, ramp=Ramp(entered_s=now_s), refuge=refuge, takes_writes=False, failed_over_s=(*counting, now_s)
    )


def _served_its_hold_down(standing: Standing, now_s: float, rules: Rules) -> bool:
    """Healthy without interruption: a single failed probe starts the time anew."""
    return now_s - standing.since_s >= failback.hold_down_s(standing.failed_over_s, now_s, rules)


def _greatest_lag_s(lag_s: Mapping[Region, float], healthy_others: Set[Region]) -> float | None:
    """Of the links from healthy regions; a dead region's heartbeat ages for ever. None if one is unknown."""
    if not healthy_others <= lag_s.keys():
        return None
    return max(lag_s[other] for other in healthy_others)


def _returned(standing: Standing, ramp: Ramp | None, refuge: Region, *, stand_in_healthy: bool) -> Standing:
    """Writes come home with the last step, or at once if the stand-in cannot take them either.

    They leave only with the last user. Going back from 100 % to 50 % keeps them: each change of the writer costs order.
    """
    back = ramp is None or ramp.step == LAST
    emptied = ramp is not None and ramp.step == 0 and standing.share > 0
    takes_writes = back or not stand_in_healthy or (standing.takes_writes and not emptied)
    return replace(standing, ramp=ramp, refuge=None if ramp is None else refuge, takes_writes=takes_writes)


def _route(standing: Standing, reason: str) -> Route:
    return Route(
        share=standing.share,
        others_go_to=standing.refuge if standing.share < 1.0 else None,
        takes_writes=standing.takes_writes,
        healthy=standing.healthy,
        reason=reason,
    )
