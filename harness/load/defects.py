"""Planted defects of the load generator, so that the judge can be shown to find them; ordinary runs have none."""

from collections.abc import Callable

from harness.clock import NS_PER_S, now_ns

SLOW_GENERATOR = "slow_generator"
LOAD_SHARD_KILLED = "load_shard_killed"

LOAD_DEFECTS = {
    SLOW_GENERATOR: "The generator keeps its schedule: here it computes for 0.3 s of every second instead of sending.",
    LOAD_SHARD_KILLED: "A shard lives as long as its schedule: here shard 0 is killed after a third of the run.",
}

BUSY_NS = 300_000_000


def busy_loop(from_ns: int) -> Callable[[int], None]:
    """A function for the dispatcher to call with the time now: it wastes 0.3 s at the start of each second."""
    next_ns = from_ns

    def waste(at_ns: int) -> None:
        nonlocal next_ns
        if at_ns < next_ns:
            return
        next_ns = at_ns + NS_PER_S
        while now_ns() < at_ns + BUSY_NS:
            pass

    return waste
