"""Defects of the edge: where users of a lost region go, and when they come back."""

from collections.abc import Mapping
from dataclasses import replace

from reference_system.defects.defect import Defect
from reference_system.defects.regions import all_that_is_asked_for
from reference_system.policies import region_failover
from reference_system.policies.failback import Rules
from reference_system.policies.region_failover import Route, Seen, State
from reference_system.policies.regions import Region

PEERS_PATIENCE_S = 5.0


def _nobody_is_moved(
    state: State, observation: Mapping[Region, Seen], now_s: float, *, probe_interval_s: float, rules: Rules
) -> tuple[State, dict[Region, Route]]:
    """The loss is seen, and the routes are what they were."""
    after, routes = region_failover.decide(state, observation, now_s, probe_interval_s=probe_interval_s, rules=rules)
    return after, {region: replace(route, share=1.0, others_go_to=None) for region, route in routes.items()}


def _somewhere_else(
    state: State, observation: Mapping[Region, Seen], now_s: float, *, probe_interval_s: float, rules: Rules
) -> tuple[State, dict[Region, Route]]:
    """To a healthy region that is not the one decided on, where there is one."""
    after, routes = region_failover.decide(state, observation, now_s, probe_interval_s=probe_interval_s, rules=rules)
    return after, {
        region: replace(route, others_go_to=_another(region, route, after)) for region, route in routes.items()
    }


def _another(region: Region, route: Route, state: State) -> Region | None:
    if route.others_go_to is None:
        return None
    others = [other for other in state if other not in (region, route.others_go_to) and state[other].healthy]
    return next(iter(others), route.others_go_to)


def _at_once(
    state: State, observation: Mapping[Region, Seen], now_s: float, *, probe_interval_s: float, rules: Rules
) -> tuple[State, dict[Region, Route]]:
    """Not held down, and no step is held."""
    hasty = replace(rules, hold_down_s=0.0, hold_s=0.0)
    return region_failover.decide(state, observation, now_s, probe_interval_s=probe_interval_s, rules=hasty)


def _without_catching_up(
    state: State, observation: Mapping[Region, Seen], now_s: float, *, probe_interval_s: float, rules: Rules
) -> tuple[State, dict[Region, Route]]:
    """Back as soon as it answers, whatever it lacks, with all its users and their writes."""
    unseen = {region: replace(seen, lag_s=dict.fromkeys(Region, 0.0)) for region, seen in observation.items()}
    return _at_once(state, unseen, now_s, probe_interval_s=probe_interval_s, rules=rules)


def _dead_if_one_peer_hears_nothing(
    state: State, observation: Mapping[Region, Seen], now_s: float, *, probe_interval_s: float, rules: Rules
) -> tuple[State, dict[Region, Route]]:
    """Whatever its own probes say."""
    unheard = {
        region for seen in observation.values() for region, lag_s in seen.lag_s.items() if lag_s > PEERS_PATIENCE_S
    }
    rumoured = {
        region: replace(seen, probe=False) if region in unheard and seen.probe is not None else seen
        for region, seen in observation.items()
    }
    return region_failover.decide(state, rumoured, now_s, probe_interval_s=probe_interval_s, rules=rules)


DEFECTS = {
    "goes_on_routing_to_the_dead": Defect(
        breaks="A lost region's users are sent to its stand-in; with this they go on being sent to the lost one.",
        edge=lambda parts: replace(parts, decide=_nobody_is_moved),
    ),
    "sends_users_the_wrong_way": Defect(
        breaks="A lost region's users are sent to its stand-in; with this to some other region.",
        edge=lambda parts: replace(parts, decide=_somewhere_else),
    ),
    "believes_a_single_peer": Defect(
        breaks="A region that answers the edge keeps its users; with this not if one of its peers hears nothing of it.",
        edge=lambda parts: replace(parts, decide=_dead_if_one_peer_hears_nothing),
    ),
    "no_hold_down": Defect(
        breaks="A region that comes and goes is left alone until it is calm; with this its users come back at once.",
        edge=lambda parts: replace(parts, decide=_at_once),
    ),
    "comes_back_without_catching_up": Defect(
        breaks="A region gets its users back when it has caught up; with this as soon as it answers.",
        edge=lambda parts: replace(parts, decide=_without_catching_up),
    ),
    "reads_stale_after_coming_back": Defect(
        breaks="Who comes home sees what they wrote in the stand-in; with this not, where it has not arrived.",
        edge=lambda parts: replace(parts, decide=_without_catching_up),
        worker=lambda parts: replace(parts, caught_up=all_that_is_asked_for),
    ),
}
