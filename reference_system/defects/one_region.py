"""Defects of a single region: how it degrades, sheds, and lives with the loss of its stores."""

import math
from dataclasses import replace

from reference_system.data.dependency import DependencyError
from reference_system.defects.defect import Defect
from reference_system.policies import alerting, circuit_breaker, degradation, load_shedding, retry_budget
from reference_system.policies.alerting import Input, Rule
from reference_system.policies.degradation import Level
from reference_system.services.admission import Desk, shed_before_work
from reference_system.services.answers import SHED, Answer
from reference_system.services.operations import Call
from reference_system.services.outcomes import Outcome
from reference_system.services.parts import Evaluate, evaluate

# The ladder.


def _never_leaves(
    state: degradation.State, inputs: degradation.Inputs, now_s: float, leave_after: int
) -> tuple[degradation.State, degradation.Decision]:
    del leave_after
    return evaluate(state, inputs, now_s, 2**31)


def _leaves_at_once(
    state: degradation.State, inputs: degradation.Inputs, now_s: float, leave_after: int
) -> tuple[degradation.State, degradation.Decision]:
    del leave_after, now_s
    demanded = degradation.demanded_level(inputs)
    return degradation.State(level=demanded), degradation.Decision(
        level=demanded, previous=state.level, demanded=demanded
    )


def _skips_warning(
    state: degradation.State, inputs: degradation.Inputs, now_s: float, leave_after: int
) -> tuple[degradation.State, degradation.Decision]:
    after, decision = evaluate(state, inputs, now_s, leave_after)
    if after.level is not Level.WARNING:
        return after, decision
    return degradation.State(level=Level.ADVISORY), replace(decision, level=Level.ADVISORY)


def _without(**ignored: float) -> Evaluate:
    def blind(
        state: degradation.State, inputs: degradation.Inputs, now_s: float, leave_after: int
    ) -> tuple[degradation.State, degradation.Decision]:
        return evaluate(state, replace(inputs, **ignored), now_s, leave_after)

    return blind


def _at_twice_the_latency(
    state: degradation.State, inputs: degradation.Inputs, now_s: float, leave_after: int
) -> tuple[degradation.State, degradation.Decision]:
    return evaluate(state, replace(inputs, latency_p99_ms=inputs.latency_p99_ms / 2), now_s, leave_after)


def _all_but_search(level: int) -> frozenset[str]:
    return degradation.features_off(level) - {"search"}


def _all_but_those_in_home(level: int) -> frozenset[str]:
    return degradation.features_off(level) - {"algorithmic_timeline", "media_previews"}


def _no_banner(level: int) -> str | None:
    del level
    return None


def _alerted_from(level: Level) -> tuple[Rule, ...]:
    return tuple(replace(rule, bound=level - 1) if rule.input is Input.LEVEL else rule for rule in alerting.RULES)


def _alerting_after(for_s: float) -> tuple[Rule, ...]:
    return tuple(replace(rule, for_s=for_s) if rule.for_s > 0 else rule for rule in alerting.RULES)


def _alerting_for(keep_firing_for_s: float) -> tuple[Rule, ...]:
    return tuple(
        replace(rule, keep_firing_for_s=keep_firing_for_s) if rule.for_s > 0 else rule for rule in alerting.RULES
    )


def _never(level: int) -> bool:
    del level
    return False


def _always_normal(level: int) -> int:
    del level
    return Level.NORMAL


# Shedding.


def _priority_1_as_2(ratio: load_shedding.ShedRatio) -> load_shedding.ShedRatio:
    return lambda overload, priority: ratio(overload, max(priority, 2))


def _3_and_4_swapped(ratio: load_shedding.ShedRatio) -> load_shedding.ShedRatio:
    return lambda overload, priority: ratio(overload, {3: 4, 4: 3}.get(priority, priority))


def _too_early(ratio: load_shedding.ShedRatio) -> load_shedding.ShedRatio:
    return lambda overload, priority: ratio(overload + 0.2, priority)


async def _work_before_shedding(desk: Desk, call: Call) -> Answer:
    shed = desk.sheds(call)
    answer = desk.replaced(call) or await desk.work(call)
    return SHED if shed else answer


async def _normal_shedding(desk: Desk, call: Call) -> Answer:
    """As at the level below CRITICAL."""
    return await shed_before_work(desk, replace(call, level=min(call.level, Level.WARNING)))


async def _refused_is_shed(desk: Desk, call: Call) -> Answer:
    answer = await shed_before_work(desk, call)
    return SHED if answer.outcome is Outcome.DISABLED and answer.status != 200 else answer


def _shed_is_error(outcome: Outcome) -> Outcome:
    return Outcome.ERROR if outcome is Outcome.SHED else outcome


# Dependencies.


def _three_retries(
    state: retry_budget.State, failed: retry_budget.FailedAttempt, now_s: float
) -> tuple[retry_budget.State, bool]:
    del now_s
    return state, failed.tried <= 3


def _stays_open(
    state: circuit_breaker.State, observation: circuit_breaker.Observation, now_s: float
) -> tuple[circuit_breaker.State, bool]:
    if observation is circuit_breaker.Observation.PROBE:
        return state, False
    return circuit_breaker.decide(state, observation, now_s)


def _error_instead(error: DependencyError) -> None:
    raise error


DEFECTS: dict[str, Defect] = {
    "never_leaves_a_level": Defect(
        breaks="A level is left after a run of healthier evaluations; with this it is never left.",
        controller=lambda parts: replace(parts, evaluate=_never_leaves),
    ),
    "leaves_at_once": Defect(
        breaks="A level is left one step at a time after a run of healthier evaluations; with this it flaps.",
        controller=lambda parts: replace(parts, evaluate=_leaves_at_once),
    ),
    "skips_warning": Defect(
        breaks="Level WARNING is entered when its bounds are exceeded; with this ADVISORY holds in its place.",
        controller=lambda parts: replace(parts, evaluate=_skips_warning),
    ),
    "enters_levels_late": Defect(
        breaks="A level is entered when p99 is above its bound; with this when it is above twice as much.",
        controller=lambda parts: replace(parts, evaluate=_at_twice_the_latency),
    ),
    "ignores_cpu": Defect(
        breaks="Levels are entered for the load of the replicas, too; with this for latency and errors alone.",
        controller=lambda parts: replace(parts, evaluate=_without(cpu_ratio=0.0)),
    ),
    "ignores_errors": Defect(
        breaks="Levels are entered for errors, too; with this for latency and load alone.",
        controller=lambda parts: replace(parts, evaluate=_without(error_ratio=0.0)),
    ),
    "search_stays_on_at_critical": Defect(
        breaks="Search goes at level CRITICAL; with this it stays on at every level.",
        api=lambda parts: replace(parts, features_off=_all_but_search, features_reported_off=_all_but_search),
        controller=lambda parts: replace(parts, features_off=_all_but_search),
    ),
    "flag_says_off_but_feature_runs": Defect(
        breaks="A feature whose flag is off does not run; with this timelines stay ranked and with previews.",
        api=lambda parts: replace(parts, features_off=_all_but_those_in_home),
    ),
    "no_banner": Defect(
        breaks="Degraded answers carry a banner; with this none does.",
        api=lambda parts: replace(parts, banner=_no_banner),
    ),
    "alerts_already_at_advisory": Defect(
        breaks="Operations are alerted from WARNING up; with this already at ADVISORY.",
        controller=lambda parts: replace(parts, alert_rules=_alerted_from(Level.ADVISORY)),
    ),
    "no_alert_at_warning": Defect(
        breaks="Operations are alerted from WARNING up; with this only from CRITICAL up.",
        controller=lambda parts: replace(parts, alert_rules=_alerted_from(Level.CRITICAL)),
    ),
    "alerts_fire_late": Defect(
        breaks="An alert fires once its input has been beyond the bound for five seconds; with this for half a minute.",
        controller=lambda parts: replace(parts, alert_rules=_alerting_after(30.0)),
    ),
    "alerts_never_resolve": Defect(
        breaks="An alert resolves when its input is within the bound again; with this it goes on firing.",
        controller=lambda parts: replace(parts, alert_rules=_alerting_for(math.inf)),
    ),
    "no_level_log": Defect(
        breaks="A level change is logged with old level, new level and inputs; with this it is not.",
        controller=lambda parts: replace(parts, logs_change_to=_never),
    ),
    "level_not_pushed": Defect(
        breaks="Replicas act at the level that the controller decided; with this they are always told NORMAL.",
        controller=lambda parts: replace(parts, announced=_always_normal),
    ),
    "counts_shed_as_errors": Defect(
        breaks="Shed requests do not count as errors; with this shedding drives the level up by itself.",
        api=lambda parts: replace(parts, reported_outcome=_shed_is_error),
    ),
    "sheds_priority_1": Defect(
        breaks="Priority 1 is never shed; with this it is shed like priority 2.",
        api=lambda parts: replace(parts, shed_ratio=_priority_1_as_2(parts.shed_ratio)),
    ),
    "sheds_p3_before_p4": Defect(
        breaks="Priority 4 is shed before priority 3; with this the two are swapped.",
        api=lambda parts: replace(parts, shed_ratio=_3_and_4_swapped(parts.shed_ratio)),
    ),
    "sheds_at_0_9x": Defect(
        breaks="Nothing is shed at or below the target rate; with this shedding begins at 0.8 of it.",
        api=lambda parts: replace(parts, shed_ratio=_too_early(parts.shed_ratio)),
    ),
    "sheds_by_the_formula": Defect(
        breaks="The shed ratio follows the specification's table; with this it follows the formula.",
        api=lambda parts: replace(parts, shed_ratio=load_shedding.shed_ratio_by_formula),
    ),
    "sheds_after_the_handler": Defect(
        breaks="A request is shed before it costs anything; with this only after all its work is done.",
        api=lambda parts: replace(parts, serve=_work_before_shedding),
    ),
    "no_emergency_shedding": Defect(
        breaks="From CRITICAL on more is shed than below; with this as much as at any level.",
        api=lambda parts: replace(parts, serve=_normal_shedding),
    ),
    "read_only_is_shedding": Defect(
        breaks="Posts that read-only mode refuses are not shed; with this they are said to be.",
        api=lambda parts: replace(parts, serve=_refused_is_shed),
    ),
    "retries_without_budget": Defect(
        breaks="Retries stay within a tenth of the calls; with this every failed call is tried four times.",
        api=lambda parts: replace(parts, dependencies=replace(parts.dependencies, retry=_three_retries)),
    ),
    "does_not_come_back_after_redis": Defect(
        breaks="Caches are used again once Redis is back; with this the circuit breaker stays open for ever.",
        api=lambda parts: replace(parts, dependencies=replace(parts.dependencies, breaker=_stays_open)),
    ),
    "errors_instead_of_fallback": Defect(
        breaks="Without Redis reads are served from Postgres; with this they are errors.",
        api=lambda parts: replace(parts, on_cache_loss=_error_instead),
    ),
}
