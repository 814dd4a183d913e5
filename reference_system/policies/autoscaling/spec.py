"""What an autoscaler is told: sizes, metrics and behavior (the API `autoscaling/v2`), and its controller's flags.

Names, limits and defaults are Kubernetes' (pkg/apis/autoscaling: v2/defaults.go and validation/validation.go; the flags
are kube-controller-manager's). What its API server refuses, is a ValueError here. Not modelled: metrics of a single
container, and label selectors, since an observation holds only what a selector would have chosen.
"""

from dataclasses import dataclass
from enum import StrEnum

MAX_STABILIZATION_WINDOW_S = 3600
MAX_PERIOD_S = 1800


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ValueError(otherwise)


class Source(StrEnum):
    """Where a metric comes from: each pod's use of a resource, each pod itself, or one number for all pods."""

    RESOURCE = "Resource"
    PODS = "Pods"
    OBJECT = "Object"
    EXTERNAL = "External"


class Target(StrEnum):
    UTILIZATION = "Utilization"
    VALUE = "Value"
    AVERAGE_VALUE = "AverageValue"


TARGETS = {
    Source.RESOURCE: {Target.UTILIZATION, Target.AVERAGE_VALUE},
    Source.PODS: {Target.AVERAGE_VALUE},
    Source.OBJECT: {Target.VALUE, Target.AVERAGE_VALUE},
    Source.EXTERNAL: {Target.VALUE, Target.AVERAGE_VALUE},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`wanted` is a percentage of the request for a Utilization, otherwise thousandths of the metric's unit."""

    source: Source
    name: str
    target: Target
    wanted: int

    def __post_init__(self) -> None:
        known = ", ".join(sorted(TARGETS[self.source]))
        _require(self.target in TARGETS[self.source], f"{self}: a {self.source} metric's target is one of {known}")
        _require(self.wanted > 0, f"{self}: the target must be greater than 0")


class PolicyType(StrEnum):
    PODS = "Pods"
    PERCENT = "Percent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """By how much the size may change within any period."""

    type: PolicyType
    value: int  # pods, or percent of the size at the period's start
    period_s: int

    def __post_init__(self) -> None:
        _require(self.value > 0, f"{self}: the value must be greater than 0")
        _require(1 <= self.period_s <= MAX_PERIOD_S, f"{self}: a period lasts 1 to {MAX_PERIOD_S} s")


class Select(StrEnum):
    """Which of several policies counts: the one that allows the most or the least change, or none: no change."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """For one direction. `tolerance` None: the controller's."""

    stabilization_window_s: int
    policies: tuple[Policy, ...]
    select: Select = Select.MAX
    tolerance: float | None = None

    def __post_init__(self) -> None:
        in_range = 0 <= self.stabilization_window_s <= MAX_STABILIZATION_WINDOW_S
        _require(in_range, f"{self}: a stabilization window lasts 0 to {MAX_STABILIZATION_WINDOW_S} s")
        _require(bool(self.policies), f"{self}: at least one policy is required")
        _require(self.tolerance is None or self.tolerance >= 0, f"{self}: a tolerance is not negative")

    @property
    def longest_period_s(self) -> int:
        return max(policy.period_s for policy in self.policies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """Of kube-controller-manager, all of which begin with --horizontal-pod-autoscaler-; its defaults."""

    tolerance: float = 0.1
    sync_period_s: float = 15.0  # how often to decide; the caller's business
    downscale_stabilization_s: float = 300.0  # without `behavior`; with one, its scale-down's window counts
    cpu_initialization_period_s: float = 300.0
    initial_readiness_delay_s: float = 30.0

    def __post_init__(self) -> None:
        _require(self.tolerance >= 0, f"{self}: a tolerance is not negative")
        _require(self.sync_period_s > 0, f"{self}: the sync period must be greater than 0")


DEFAULT_FLAGS = Flags()

# v2/defaults.go: of a `behavior` that says nothing of a direction. What it says in part, is replaced in part.
DEFAULT_SCALE_UP = Rules(
    stabilization_window_s=0,
    policies=(
        Policy(type=PolicyType.PODS, value=4, period_s=15),
        Policy(type=PolicyType.PERCENT, value=100, period_s=15),
    ),
)
DEFAULT_SCALE_DOWN = Rules(
    stabilization_window_s=300, policies=(Policy(type=PolicyType.PERCENT, value=100, period_s=15),)
)
assert DEFAULT_SCALE_DOWN.stabilization_window_s == DEFAULT_FLAGS.downscale_stabilization_s  # one default, by two ways


@dataclass(frozen=True, slots=True, kw_only=True)
class Behavior:
    scale_up: Rules = DEFAULT_SCALE_UP
    scale_down: Rules = DEFAULT_SCALE_DOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """`behavior` None is not the default Behavior: see `limits`."""

    min_replicas: int = 1
    max_replicas: int
    metrics: tuple[Metric, ...]
    behavior: Behavior | None = None
    flags: Flags = DEFAULT_FLAGS

    def __post_init__(self) -> None:
        for_all_pods = any(metric.source in (Source.OBJECT, Source.EXTERNAL) for metric in self.metrics)
        at_least = 0 if for_all_pods else 1  # without pods, only such a metric can tell that there should be some
        _require(self.min_replicas >= at_least, f"min_replicas is {self.min_replicas}, must be at least {at_least}")
        _require(self.max_replicas >= 1, f"max_replicas is {self.max_replicas}, must be at least 1")
        _require(
            self.min_replicas <= self.max_replicas,
            f"min_replicas is {self.min_replicas}, must be at most max_replicas, {self.max_replicas}",
        )
        _require(bool(self.metrics), "at least one metric is required")

    def tolerates(self, ratio: float) -> bool:
        """Whether a metric this near its target changes nothing (replica_calculator.go, `isWithin`).

        In binary64: with a tolerance of 0.1 both 0.9 and 1.1 are still within.
        """
        up = down = self.flags.tolerance
        if self.behavior is not None:
            up = _first(self.behavior.scale_up.tolerance, up)
            down = _first(self.behavior.scale_down.tolerance, down)
        return 1.0 - down <= ratio <= 1.0 + up


def _first(given: float | None, otherwise: float) -> float:
    return otherwise if given is None else given
