"""What an autoscaler sees at one sync: the wanted size, the pods, and the metrics' latest values.

All times are of the same clock as the sync's `now_s`. Amounts are whole thousandths as in Kubernetes, so that sums
are exact.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


class Phase(StrEnum):
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """The condition `Ready`, and when it last changed; a status Unknown is not modelled."""

    ready: bool
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """`requests_milli` is by resource; None where the kubelet has not said anything yet."""

    name: str
    phase: Phase = Phase.RUNNING
    deleted: bool = False  # has a deletion timestamp
    started_s: float | None = None
    readiness: Readiness | None = None
    requests_milli: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A pod's value, averaged over the `window_s` before `at_s`; these two matter for CPU only."""

    value_milli: int
    at_s: float = 0.0
    window_s: float = 0.0

    def __post_init__(self) -> None:
        if self.value_milli < 0:
            raise ValueError(f"{self}: a negative value has no meaning for a size")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """By name of the metric, `samples` of the pods (a pod without one is *missing*) and `totals_milli` for all of them.

    A metric that is in neither could not be read.
    """

    replicas: int  # wanted, the scale's spec
    existing: int  # the scale's status
    pods: tuple[Pod, ...] = ()
    samples: Mapping[str, Mapping[str, Sample]] = field(default_factory=dict)
    totals_milli: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if min(self.replicas, self.existing, *self.totals_milli.values()) < 0:
            raise ValueError(f"{self}: neither sizes nor totals are negative")


def milli(value: float) -> int:
    """Thousandths, rounded up (Quantity.MilliValue), of the number as it is written: 1.1 has 1100, 1.1001 has 1101."""
    return math.ceil(Decimal(repr(value)) * 1000)
