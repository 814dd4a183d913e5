"""What the load saw lately, merged over its shards: for people and for stop conditions, never for verdicts."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from harness.load.latency_buckets import quantile_s
from harness.load.messages import Second
from harness.record.rows import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """`offered` counts requests by their scheduled time, the outcomes by when they ended; `sent` those that were sent.

    Over a whole run that has drained, `offered` is the sum of the six outcomes.
    """

    offered: int = 0
    sent: int = 0
    ok: int = 0
    shed: int = 0
    disabled: int = 0
    failed: int = 0
    unknown: int = 0
    not_sent: int = 0

    @property
    def ended(self) -> int:
        return self.ok + self.shed + self.disabled + self.failed + self.unknown + self.not_sent


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFigures:
    """`second` is the newest second of the load that all living shards have reported, `number` its place (0 is the
    first; None before there is one); `total` everything reported so far.

    `latency_s_p99` counts from the scheduled time, over the sent requests that ended in that second, to 2 %; None where
    there was none. `in_flight` adds the shards up, `lag_s_p99` is the worst shard's.
    """

    number: int | None = None
    second: Counts = Counts()
    total: Counts = Counts()
    latency_s_p99: float | None = None
    in_flight: int = 0
    lag_s_p99: float = 0.0
    shards_alive: int = 0

    @property
    def error_ratio(self) -> float | None:
        """Failed, unknown and unsent over all that ended in the second; None where nothing ended."""
        errors = self.second.failed + self.second.unknown + self.second.not_sent
        return errors / self.second.ended if self.second.ended else None


def merged(reports: Iterable[tuple[int, Second]], *, alive: frozenset[int]) -> LiveFigures:
    """The figures from all reports so far, each with its shard."""
    by_number: dict[int, dict[int, Second]] = {}
    everything: list[Second] = []
    for shard, second in reports:
        by_number.setdefault(second.number, {})[shard] = second
        everything.append(second)
    whole = [number for number, of_shard in by_number.items() if alive <= of_shard.keys()]
    if not whole:
        return LiveFigures(total=_counts(everything), shards_alive=len(alive))
    number = max(whole)
    latest = list(by_number[number].values())
    latencies: Counter[int] = Counter()
    for second in latest:
        latencies.update(second.latencies)
    return LiveFigures(
        number=number,
        second=_counts(latest),
        total=_counts(everything),
        latency_s_p99=quantile_s(latencies, 0.99),
        in_flight=sum(second.in_flight for second in latest),
        lag_s_p99=max(second.lag_s_p99 for second in latest),
        shards_alive=len(alive),
    )


def _counts(seconds: list[Second]) -> Counts:
    outcomes: Counter[str] = Counter()
    for second in seconds:
        outcomes.update(second.outcomes)
    return Counts(
        offered=sum(second.scheduled for second in seconds),
        sent=sum(second.sent for second in seconds),
        **{outcome.value: outcomes[outcome.value] for outcome in Outcome},
    )
