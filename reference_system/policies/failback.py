"""How a region gets its users back after a fail-over: when it has stayed healthy for a while, and then in steps.

Caches of a region that comes back are cold, so everybody at once (the herd) would bring it down again: 1, 10, 25, 50,
100 % of its users return. Every step is held for a while and taken only if all gates are open. A gate that closes takes
one step back: at once after a step forward, otherwise after a hold, because figures still cover the time before. A
region that comes and goes must not drag its users along: it has to stay healthy the longer, the more often it failed.

Does not know whether the region is healthy: `region_failover` does, and ends a ramp when it is not.
"""

from dataclasses import dataclass, replace

# A canary, then roughly doubling: no step more than doubles the load once it is big enough to hurt. 0: the hold-down.
SHARES = (0.0, 0.01, 0.10, 0.25, 0.50, 1.0)
LAST = len(SHARES) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Times are scaled to experiments of minutes; a production system would take tenfold."""

    # Three times the 5 s at which a flapping region comes and goes, and longer than Postgres takes to have its links
    # again after a half-open cut (wal_sender_timeout 10 s + retry 1 s).
    hold_down_s: float = 15.0
    hold_down_s_at_most: float = 240.0  # four doublings; somebody should be looking at it by then
    fail_over_counts_for_s: float = 600.0
    hold_s: float = 5.0  # at each step; no shorter than the window that the gates' figures are taken over
    # Four heartbeats of 250 ms: less is what a healthy link shows, too.
    replication_lag_s_at_most: float = 1.0
    error_ratio_at_most: float = 0.01  # specification, section 4: above it a region is in level CRITICAL
    latency_p99_ms_at_most: float = 300.0  # specification, section 6: above it the API's dashboard alerts

    def __post_init__(self) -> None:
        # Otherwise a fail-over is forgotten while its region is still held down for it, and H falls by waiting.
        assert self.hold_down_s <= self.hold_down_s_at_most < self.fail_over_counts_for_s


DEFAULT_RULES = Rules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """What the steps depend on. None: too few requests to tell, which holds nobody up; unknown lag does."""

    replication_lag_s: float | None = None  # the greatest of the links towards the region
    error_ratio: float | None = None
    latency_p99_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """Where a region is on its way back; a region without a ramp has all its users."""

    step: int = 0
    entered_s: float
    went_back: bool = False

    @property
    def share(self) -> float:
        return SHARES[self.step]


def hold_down_s(failed_over_s: tuple[float, ...], now_s: float, rules: Rules) -> float:
    """How long the region must have been healthy: twice as long for each further fail-over that still counts."""
    further = max(0, len(still_counting(failed_over_s, now_s, rules)) - 1)
    return min(rules.hold_down_s_at_most, rules.hold_down_s * 2.0 ** min(further, 32))  # 32: no overflow, cap long past


def still_counting(failed_over_s: tuple[float, ...], now_s: float, rules: Rules) -> tuple[float, ...]:
    return tuple(at_s for at_s in failed_over_s if now_s - at_s < rules.fail_over_counts_for_s)


def closed_gate(gates: Gates, rules: Rules) -> str:
    """The first closed gate in words, empty if all are open."""
    if gates.replication_lag_s is None:
        return "replication lag unknown"
    if gates.replication_lag_s > rules.replication_lag_s_at_most:
        return f"replication not caught up to {rules.replication_lag_s_at_most:g} s"
    if gates.error_ratio is not None and gates.error_ratio > rules.error_ratio_at_most:
        return f"errors above {rules.error_ratio_at_most:.2%}"
    if gates.latency_p99_ms is not None and gates.latency_p99_ms > rules.latency_p99_ms_at_most:
        return f"p99 above {rules.latency_p99_ms_at_most:g} ms"
    return ""


def decide(ramp: Ramp, gates: Gates, now_s: float, *, steady: bool, rules: Rules) -> tuple[Ramp | None, str]:
    """The ramp after one observation (None: it is over), and why.

    `steady`: the region's latest probe succeeded, and at 0 % also its hold-down is over.
    """
    held = now_s - ramp.entered_s >= rules.hold_s
    closed = closed_gate(gates, rules)
    if closed and ramp.step > 0 and (held or not ramp.went_back):
        back = Ramp(step=ramp.step - 1, entered_s=now_s, went_back=True)
        return back, f"{_returning(back)}, a step back: {closed}"
    if ramp.step == 0 and not steady:
        return ramp, "held down until it has stayed healthy for long enough"
    if closed:
        return ramp, f"{_returning(ramp)}: {closed}"
    if not held or not steady:
        return ramp, f"{_returning(ramp)}: the step is being held"
    if ramp.step == LAST:
        return None, "all its users are back"
    forward = replace(ramp, step=ramp.step + 1, entered_s=now_s, went_back=False)
    return forward, f"{_returning(forward)}: all gates are open"


def _returning(ramp: Ramp) -> str:
    return f"returning, {ramp.share:.0%}"
