"""What a target promises of itself, as `target.yaml` declares it. Checks hold it to that."""

from enum import StrEnum
from typing import Literal

from msgspec import field

from harness.target.strict import Strict
from harness.units import PerSecond, Ratio, Seconds


class LevelPromise(Strict, frozen=True, kw_only=True):
    """A degradation level: entered when any input is above its bound; turns `features_off` off, and all of the lower
    levels' features too."""

    name: str
    value: int
    when_above: dict[str, float] = field(default_factory=dict)
    features_off: tuple[str, ...] = ()


class DegradationPromise(Strict, frozen=True, kw_only=True):
    """The ladder. A worse level is entered at the first evaluation that shows it; it is left one level at a time
    after `leaves_after` healthier evaluations in a row."""

    levels: tuple[LevelPromise, ...]
    leaves_after: int
    evaluation_period: Seconds
    input_window: Seconds
    banner_from: int
    alert_from: int


class SheddingPromise(Strict, frozen=True, kw_only=True):
    """Shed ratio by priority: linear through (1, 0) and the points of `curve` (overload → ratio by priority), last
    slope continued, capped. From level `emergency_from` on the target rate is multiplied by `emergency_share`. What
    is shed for another reason than `reason` is not what the curve is about; priority 1 is not to be shed for any."""

    policy: Literal["table", "formula"] = "table"
    target_rate_per_replica: PerSecond
    rate_window: Seconds
    curve: dict[str, dict[str, Ratio]]
    cap: Ratio
    emergency_from: int
    emergency_share: Ratio
    cut_off_below: float = 1.0
    reason: str = "overload"


class AlertPromise(Strict, frozen=True, kw_only=True):
    """Fires once the input has been above (or below) the bound for `fires_after` without a break, and resolves once it
    has not been for `resolves_after`."""

    alert: str
    input: str
    above: float | None = None
    below: float | None = None
    fires_after: Seconds
    resolves_after: Seconds


class CacheLayer(Strict, frozen=True, kw_only=True):
    """A layer as answers name it (`X-Cache`): the share of what it is asked for that it has, and how long ago its
    answers may have been made. That is its own time to live, the time in which it may show what is stale while it is
    made anew, and both of the layers that it is filled from. Without `oldest` no answer is that layer's alone: what it
    has is a part of answers that others have."""

    layer: str
    hit_ratio: Ratio
    oldest: Seconds | None = None


class CachingPromise(Strict, frozen=True, kw_only=True):
    """The layers from the outermost to the innermost, and the route by which each kind of content is asked for.
    `kept_only_by`: the layers that may hold a kind that not all of them may. Answers are named as in `made` that no
    layer had, as in `fallback` that were made because one could not be reached, and as in `joined` that were given what
    another request had made. `never_asks`: commands that no cache may be given."""

    layers: tuple[CacheLayer, ...]
    kinds: dict[str, str] = field(default_factory=dict)
    kept_only_by: dict[str, tuple[str, ...]] = field(default_factory=dict)
    made: tuple[str, ...] = ("built", "fallback")
    fallback: tuple[str, ...] = ("fallback",)
    joined: tuple[str, ...] = ()
    never_asks: tuple[str, ...] = ()


class BreakersPromise(Strict, frozen=True, kw_only=True):
    """An open circuit breaker waits for `open_for`, and up to `jitter` of it more, evenly drawn, before each probe."""

    open_for: Seconds
    jitter: Ratio


class Promises(Strict, frozen=True, kw_only=True):
    degradation: DegradationPromise | None = None
    shedding: SheddingPromise | None = None
    alerts: tuple[AlertPromise, ...] = ()
    caching: CachingPromise | None = None
    breakers: BreakersPromise | None = None


class Promise(StrEnum):
    """The fields of `Promises`."""

    DEGRADATION = "degradation"
    SHEDDING = "shedding"
    ALERTS = "alerts"
