"""The replaceable parts that services are put together from.

Each service takes its decisions through one of these, so that a planted defect can replace a part at start-up and the
ordinary code knows nothing of defects.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from reference_system.data.dependency import DependencyPolicies
from reference_system.data.reads import OnCacheLoss, fall_back
from reference_system.policies import degradation, load_shedding
from reference_system.services.admission import Serve, shed_before_work
from reference_system.services.outcomes import Outcome

Evaluate = Callable[[degradation.State, degradation.Inputs, float, int], tuple[degradation.State, degradation.Decision]]


def evaluate(
    state: degradation.State, inputs: degradation.Inputs, now_s: float, leave_after: int
) -> tuple[degradation.State, degradation.Decision]:
    return degradation.decide(state, inputs, now_s, leave_after=leave_after)


def as_it_is(outcome: Outcome) -> Outcome:
    return outcome


def the_decided(level: int) -> int:
    return level


def always(level: int) -> bool:
    del level
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiParts:
    """`features_off` is what handlers obey, `features_reported_off` what the metrics say."""

    shed_ratio: load_shedding.ShedRatio = load_shedding.shed_ratio_by_table
    serve: Serve = shed_before_work
    features_off: Callable[[int], frozenset[str]] = degradation.features_off
    features_reported_off: Callable[[int], frozenset[str]] = degradation.features_off
    banner: Callable[[int], str | None] = degradation.banner
    reported_outcome: Callable[[Outcome], Outcome] = as_it_is
    dependencies: DependencyPolicies = field(default_factory=DependencyPolicies)
    on_cache_loss: OnCacheLoss = fall_back


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerParts:
    """`announced` is the level that replicas are told, given the decided one."""

    evaluate: Evaluate = evaluate
    features_off: Callable[[int], frozenset[str]] = degradation.features_off
    alert_fires: Callable[[int], bool] = degradation.alert_fires
    announced: Callable[[int], int] = the_decided
    logs_change_to: Callable[[int], bool] = always
