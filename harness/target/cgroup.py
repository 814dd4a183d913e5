"""What a container may use, and the kernel's accounts of what it has used."""

from datetime import datetime
from typing import Any

from harness.target.container_target import CpuUsage, Limits, MemoryUsage
from harness.target.engine import Engine


def limits_of(inspected: dict[str, Any]) -> Limits:
    host = inspected["HostConfig"]
    return Limits(nano_cpus=host["NanoCpus"], memory=host["Memory"], memory_swap=host["MemorySwap"])


def limit(engine: Engine, container_id: str, limits: Limits) -> None:
    with engine.container(container_id), engine.client() as client:
        url = client.api._url("/containers/{0}/update", container_id)  # `update` of the SDK knows no NanoCpus
        body = {"NanoCpus": limits.nano_cpus, "Memory": limits.memory, "MemorySwap": limits.memory_swap}
        client.api._raise_for_status(client.api._post_json(url, data=body))


def stats_of(engine: Engine, container_id: str) -> dict[str, Any]:
    with engine.container(container_id) as container:
        return dict(container.stats(stream=False, one_shot=True))


def cpu_usage(stats: dict[str, Any], *, allowed_cpus: float) -> CpuUsage:
    throttling = stats["cpu_stats"]["throttling_data"]
    return CpuUsage(
        at_s=datetime.fromisoformat(stats["read"]).timestamp(),  # the call itself takes up to half a second
        cpu_s=cpu_s(stats),
        periods=throttling["periods"],
        throttled_periods=throttling["throttled_periods"],
        allowed_cpus=allowed_cpus,
    )


def memory_usage(stats: dict[str, Any], *, allowed_bytes: int) -> MemoryUsage | None:
    """None of a container that does not run: there is no account of it then."""
    memory = stats["memory_stats"]
    if not memory.get("limit"):
        return None
    return MemoryUsage(used_bytes=memory["usage"], limit_bytes=memory["limit"], allowed_bytes=allowed_bytes)


def cpu_s(stats: dict[str, Any]) -> float:
    return float(stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9)


def memory_bytes(stats: dict[str, Any]) -> int:
    """Without what the kernel would give back at once."""
    memory = stats["memory_stats"]
    return int(memory.get("usage", 0) - memory.get("stats", {}).get("inactive_file", 0))
