"""The replaceable part of the edge, apart from the replicas' ones: the edge needs nothing of what those are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from reference_system.policies import region_failover
from reference_system.policies.failback import Rules
from reference_system.policies.region_failover import Route, Seen, State
from reference_system.policies.regions import Region


class Decide(Protocol):
    """As `region_failover.decide`."""

    def __call__(
        self,
        state: State,
        observation: Mapping[Region, Seen],
        now_s: float,
        *,
        probe_interval_s: float,
        rules: Rules,
    ) -> tuple[State, dict[Region, Route]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeParts:
    decide: Decide = region_failover.decide
