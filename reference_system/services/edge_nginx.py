"""The edge's nginx: its files, and what a decision of the agent is in its words."""

import json
from collections.abc import Mapping
from pathlib import Path

from reference_system.policies.region_failover import Route
from reference_system.policies.regions import Region
from reference_system.services.nginx import TEMPLATES, configuration, user_directive, write_caching

CONNECTIONS_KEPT = 64  # to each gateway
NONE = "none"  # of the regions; nginx does not send a header that is empty, and where one is missing it means all


def write_files(
    folder: Path, gateways: Mapping[Region, str], *, service: str, host: str, port: int, past_the_cache: str
) -> None:
    """`nginx.conf` and its scripts in the service's folder. `gateways`: region → `host:port`. `past_the_cache`: nginx'
    directives that say what is neither looked up nor kept."""
    write_caching(folder, layer="edge", service=service)
    template = (TEMPLATES / "edge.conf").read_text()
    variables = {
        "USER_DIRECTIVE": user_directive(),
        "HOST": host,
        "PORT": str(port),
        "FOLDER": str(folder),
        "PAST_THE_CACHE": past_the_cache,
        "BUCKETS": buckets(),
        "UPSTREAMS": "\n    ".join(_upstream(region, address) for region, address in gateways.items()),
    }
    (folder / "nginx.conf").write_text(configuration(template, variables))
    script = (TEMPLATES / "routing.js").read_text()
    (folder / "routing.js").write_text(script.replace("REGIONS;", f"{json.dumps([*gateways])};"))


def buckets() -> str:
    """A hundred shares of one percent each: a user's place among all users, by the hash of `user_share`."""
    return "\n        ".join([*(f"1% {bucket};" for bucket in range(99)), "* 99;"])


def _upstream(region: Region, address: str) -> str:
    # Never given up by nginx: whether a region is healthy is the agent's to say.
    return (
        f"upstream {region} {{ server {address} max_fails=0; keepalive {CONNECTIONS_KEPT}; "
        "keepalive_timeout 60s; keepalive_requests 10000; }"
    )


def decisions(routes: Mapping[Region, Route]) -> dict[str, str]:
    """What routing.js is told, by name."""
    told = {str(region): f"{route.share * 100:g} {route.others_go_to or region}" for region, route in routes.items()}
    told["healthy"] = ",".join(region for region, route in routes.items() if route.healthy)
    told["metrics"] = metrics(routes)
    told["writing"] = ",".join(region for region, route in routes.items() if route.healthy and route.takes_writes)
    if told["healthy"] and not told["writing"]:
        told["writing"] = NONE
    return told


def metrics(routes: Mapping[Region, Route]) -> str:
    """For a scrape: a region's health, share of its own users, and whether it takes their writes."""
    lines = []
    for name, help_text, value in (
        ("edge_region_healthy", "1 while the edge takes the region for healthy", lambda route: int(route.healthy)),
        ("edge_region_share", "Share of the region's users that it gets itself", lambda route: route.share),
        ("edge_region_takes_writes", "1 while it takes their writes", lambda route: int(route.takes_writes)),
    ):
        lines += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge"]
        lines += [f'{name}{{region="{region}"}} {value(route):g}' for region, route in routes.items()]
    return "\n".join(lines) + "\n"
