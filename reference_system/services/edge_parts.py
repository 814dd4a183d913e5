"""The replaceable parts of the edge, apart from the replicas' ones: it needs nothing of what those are made of."""

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


# Whoever says who they are may have blocked somebody, whoever says that they have written has to see it.
PERSONAL_GOES_PAST = """proxy_cache_bypass $http_authorization $http_x_read_after;
    proxy_no_cache $http_authorization $http_x_read_after;"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeParts:
    """`past_the_cache`: nginx' directives that say which requests it neither looks up nor keeps the answers of."""

    decide: Decide = region_failover.decide
    past_the_cache: str = PERSONAL_GOES_PAST
