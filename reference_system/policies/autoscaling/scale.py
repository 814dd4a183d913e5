"""The same autoscaler in a smaller world: fewer replicas, and time that passes faster.

A laptop has no room for 500 replicas and an experiment no time for windows of five minutes. What is made smaller is
still a Spec that Kubernetes would accept.
"""

from dataclasses import replace

from reference_system.policies.autoscaling.spec import Behavior, Flags, Policy, PolicyType, Rules, Spec


def scaled(spec: Spec, *, time: int, replicas: int) -> Spec:
    """As a map is drawn 1 : n. A second stands for `time` seconds of `spec`, a replica for `replicas` of its replicas.

    All windows, periods and flags are divided by `time`. Windows and periods are whole seconds; one that would not be,
    is a ValueError, because a policy with a rounded period is another policy. Numbers of replicas (min, max, and the
    policies in Pods) are divided by `replicas` and rounded up: by less than one replica, and only 0 becomes 0. What is
    relative stays: percentages, tolerances, and the metrics' targets, which are one replica's share of the load.

    `scaled(TIMELINE_API, time=20, replicas=25)` has 2 to 20 replicas and windows of 3 and 15 s.
    """
    if time < 1 or replicas < 1:
        raise ValueError(f"1 : {time} in time and 1 : {replicas} in replicas: both must be at least 1")
    if spec.behavior is None:
        raise ValueError("without `behavior` limits are fixed numbers of replicas, which cannot be scaled")
    smallest, largest = _fewer(spec.min_replicas, replicas), _fewer(spec.max_replicas, replicas)
    if smallest == largest and spec.min_replicas < spec.max_replicas:
        raise ValueError(f"1 : {replicas} in replicas leaves nothing to scale: min and max would both be {largest}")
    return replace(
        spec,
        min_replicas=smallest,
        max_replicas=largest,
        behavior=Behavior(
            scale_up=_rules(spec.behavior.scale_up, time, replicas),
            scale_down=_rules(spec.behavior.scale_down, time, replicas),
        ),
        flags=_flags(spec.flags, time),
    )


def _rules(rules: Rules, time: int, replicas: int) -> Rules:
    return replace(
        rules,
        stabilization_window_s=_shorter(rules.stabilization_window_s, time),
        policies=tuple(_policy(policy, time, replicas) for policy in rules.policies),
    )


def _policy(policy: Policy, time: int, replicas: int) -> Policy:
    value = _fewer(policy.value, replicas) if policy.type is PolicyType.PODS else policy.value
    return replace(policy, value=value, period_s=_shorter(policy.period_s, time))


def _flags(flags: Flags, time: int) -> Flags:
    return replace(
        flags,
        sync_period_s=flags.sync_period_s / time,
        downscale_stabilization_s=flags.downscale_stabilization_s / time,
        cpu_initialization_period_s=flags.cpu_initialization_period_s / time,
        initial_readiness_delay_s=flags.initial_readiness_delay_s / time,
    )


def _fewer(count: int, replicas: int) -> int:
    return -(-count // replicas)


def _shorter(duration_s: int, time: int) -> int:
    if duration_s % time:
        raise ValueError(f"1 : {time} in time: {duration_s} s would not be a whole number of seconds")
    return duration_s // time
