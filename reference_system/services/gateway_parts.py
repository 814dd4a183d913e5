"""The replaceable part of a gateway, apart from the replicas' ones: it needs nothing of what those are made of."""

from dataclasses import dataclass

# Specification, section 2: 5-60 s at the edge. Whoever asks after that does not wait either.
KEPT_FOR_A_MINUTE = "public, max-age=60, stale-while-revalidate=60"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayParts:
    """`assets_cache_control`: who may keep static assets and pictures, and for how long."""

    assets_cache_control: str = KEPT_FOR_A_MINUTE
