"""What the past allows of a recommendation (horizontal.go): it is stabilized first, then its rate is limited.

Stabilizing takes the most careful recommendation of a window: the lowest when the size would grow, the highest when it
would shrink. The rate is limited by how much the size has changed within each policy's period. Without `behavior` older
rules hold: only shrinking is stabilized, and only growing is limited, to twice the size.
"""

import math

from reference_system.policies.autoscaling.memory import State, newer
from reference_system.policies.autoscaling.spec import Policy, PolicyType, Rules, Select, Spec

# horizontal.go: scaleUpLimitFactor and scaleUpLimitMinimum. A small system may at once become one of 4 replicas.
SCALE_UP_FACTOR = 2
SCALE_UP_AT_LEAST = 4


def kept_s(spec: Spec) -> float:
    """How long a recommendation may matter."""
    if spec.behavior is None:
        return spec.flags.downscale_stabilization_s
    return max(spec.behavior.scale_up.stabilization_window_s, spec.behavior.scale_down.stabilization_window_s)


def stabilized(state: State, recommended: int, current: int, now_s: float, *, spec: Spec) -> int:
    """The size nearest to the current one that lies between the window's lowest and highest recommendation."""
    past = state.recommendations
    if spec.behavior is None:
        # Subtle: a record of exactly the window's age counts here, and the highest one holds even if it is above the
        # current size.
        window_s = spec.flags.downscale_stabilization_s
        return max([recommended, *(record.replicas for record in past if record.at_s >= now_s - window_s)])
    up_window_s = spec.behavior.scale_up.stabilization_window_s
    down_window_s = spec.behavior.scale_down.stabilization_window_s
    lowest = min([recommended, *newer(past, now_s, up_window_s)])
    highest = max([recommended, *newer(past, now_s, down_window_s)])
    return min(max(current, lowest), highest)


def limited(state: State, wanted: int, current: int, now_s: float, *, spec: Spec) -> int:
    """`current` is within min and max. A limit may forbid a change, but never causes one the other way."""
    if spec.behavior is None:
        up_limit = max(SCALE_UP_FACTOR * current, SCALE_UP_AT_LEAST)
        return max(spec.min_replicas, min(wanted, spec.max_replicas, up_limit))
    if wanted > current:
        return min(wanted, spec.max_replicas, _up_limit(state, current, now_s, spec.behavior.scale_up))
    if wanted < current:
        return max(wanted, spec.min_replicas, _down_limit(state, current, now_s, spec.behavior.scale_down))
    return current


def _up_limit(state: State, current: int, now_s: float, rules: Rules) -> int:
    if rules.select is Select.DISABLED:
        return current
    sizes = [_grown(_size_at_start(state, current, now_s, policy), policy) for policy in rules.policies]
    return max(current, max(sizes) if rules.select is Select.MAX else min(sizes))


def _down_limit(state: State, current: int, now_s: float, rules: Rules) -> int:
    if rules.select is Select.DISABLED:
        return current
    sizes = [_shrunk(_size_at_start(state, current, now_s, policy), policy) for policy in rules.policies]
    return min(current, min(sizes) if rules.select is Select.MAX else max(sizes))


def _size_at_start(state: State, current: int, now_s: float, policy: Policy) -> int:
    """Of the policy's period that ends now."""
    added, removed = (sum(newer(records, now_s, policy.period_s)) for records in (state.added, state.removed))
    return current - added + removed


def _grown(size: int, policy: Policy) -> int:
    """Rounded up, so that any percentage lets a small system grow. In binary64: 10 % more than 50 are 56, not 55."""
    return size + policy.value if policy.type is PolicyType.PODS else math.ceil(size * (1 + policy.value / 100))


def _shrunk(size: int, policy: Policy) -> int:
    """Truncated. In binary64: 55 % less than 100 are 44, not 45."""
    return size - policy.value if policy.type is PolicyType.PODS else math.trunc(size * (1 - policy.value / 100))
