"""The same autoscaler once more, slow and from the definition: no memory, only the whole history of single pods.

Everything is derived anew from all earlier syncs at each sync: what they recommended from their pods, the size at the
beginning of a period from the sizes that there were. Of all sizes within the bounds it takes the furthest one that
nothing forbids. `Rounding` makes it wrong on purpose.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from harness.experiment.expectations.autoscaler import (
    Autoscaler,
    MetricType,
    PolicyType,
    ScalingMetric,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)


@dataclass(frozen=True)
class Pod:
    """What a pod uses of each metric, in multiples of its resolution; no sample where the metric is not there."""

    use: Mapping[str, int]
    ready: bool = True


@dataclass(frozen=True, eq=False)
class Past:
    """A sync: when, at which size, over which pods, and what was decided. `blind`: metrics that were invalid."""

    at_s: float
    size: int
    pods: Sequence[Pod]
    decided: int = 0
    blind: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Rounding:
    proposal: Callable[[float], int] = math.ceil
    up: Callable[[float], int] = math.ceil
    down: Callable[[float], int] = math.trunc


RIGHT = Rounding()


def decided(hpa: Autoscaler, history: Sequence[Past], now: Past, rounding: Rounding = RIGHT) -> int:
    size, low, high = now.size, hpa.min_replicas, hpa.max_replicas
    if size == 0 or size < low or size > high:
        return 0 if size == 0 else low if size < low else high
    wanted = recommended(hpa, now, rounding)
    if wanted is None:
        return size

    def heard(window_s: float) -> list[int]:
        past = [(each.at_s, recommended(hpa, each, rounding)) for each in history]
        past += [(first.at_s, first.size) for first in [*history, now][:1]]
        return [value for at_s, value in past if value is not None and now.at_s - at_s < window_s] + [wanted]

    lowest, highest = min(heard(hpa.scale_up.stabilization)), max(heard(hpa.scale_down.stabilization))
    ups = [n for n in range(size + 1, high + 1) if n <= lowest and _may(hpa.scale_up, history, now, n, rounding)]
    downs = [n for n in range(low, size) if n >= highest and _may(hpa.scale_down, history, now, n, rounding)]
    return max(ups) if ups else min(downs) if downs else size


@lru_cache(100_000)  # to save time only
def recommended(hpa: Autoscaler, now: Past, rounding: Rounding = RIGHT) -> int | None:
    """None where nothing was: the size was out of bounds, metrics were invalid."""
    if not hpa.min_replicas <= now.size <= hpa.max_replicas or now.size == 0:
        return None
    wanted = [
        _of_metric(hpa, metric, now, rounding)
        for metric in hpa.metrics
        if metric.name not in now.blind and any(pod.ready and metric.name in pod.use for pod in now.pods)
    ]
    if not wanted or (len(wanted) < len(hpa.metrics) and max(wanted) < now.size):
        return None
    return max(wanted)


def _of_metric(hpa: Autoscaler, metric: ScalingMetric, now: Past, rounding: Rounding) -> int:
    percent = metric.type is MetricType.RESOURCE
    target = int(metric.target) if percent else round(metric.target / metric.resolution)

    def ratio(uses: list[int]) -> float:
        average = (100 * sum(uses)) // (100 * len(uses)) if percent else sum(uses) // len(uses)
        return average / target

    def close(to: float) -> bool:
        return to >= 1.0 - hpa.tolerance and to <= 1.0 + hpa.tolerance

    uses = [pod.use[metric.name] for pod in now.pods if pod.ready and metric.name in pod.use]
    silent = [pod for pod in now.pods if pod.ready and metric.name not in pod.use]
    unready = [pod for pod in now.pods if not pod.ready]
    before = ratio(uses)
    known = len(uses)
    if before > 1.0:
        uses += [0] * (len(silent) + len(unready))
    if before < 1.0:
        uses += [max(100, target) if percent else target] * len(silent)
    after = ratio(uses)
    if close(after) or (before > 1.0 > after) or (before < 1.0 < after):
        return now.size
    wanted = rounding.proposal(after * len(uses))
    against = len(uses) > known and ((after > 1.0 and wanted < now.size) or (after < 1.0 and wanted > now.size))
    return now.size if against else wanted


def _may(rules: ScalingRules, history: Sequence[Past], now: Past, size: int, rounding: Rounding) -> bool:
    """Whether the policies let it go there."""
    if rules.select is SelectPolicy.DISABLED:
        return False
    said = []
    for policy in rules.policies:
        start = _size_at(history, now, now.at_s - policy.period)
        said.append(_allows(policy, start, now, size, rounding))
    return any(said) if rules.select is SelectPolicy.MAX else all(said)


def _allows(policy: ScalingPolicy, start: int, now: Past, size: int, rounding: Rounding) -> bool:
    up = size > now.size
    if policy.type is PolicyType.PODS:
        return (size - start if up else start - size) <= policy.value
    if up:
        return size <= rounding.up(start * (1 + policy.value / 100))
    return size >= rounding.down(start * (1 - policy.value / 100))


def _size_at(history: Sequence[Past], now: Past, at_s: float) -> int:
    """What the last sync until then had decided; before the first one nothing had been."""
    sizes = [each.decided for each in history if each.at_s <= at_s]
    return sizes[-1] if sizes else [*history, now][0].size
