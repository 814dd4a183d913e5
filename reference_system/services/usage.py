"""What a region's stores and its machine are busy with, for boards and alerts. Measures; decides nothing.

The machine is that of the worker: in a container the host, whose memory all containers share.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import psutil
from prometheus_client import CollectorRegistry, Gauge

from reference_system.data.backends import Backends

MEASURE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    cpu_ratio: float
    memory_ratio: float
    disk_ratio: float
    received_bytes: int
    sent_bytes: int


class Usage:
    def __init__(self, backends: Backends, registry: CollectorRegistry) -> None:
        self._backends = backends
        self._redis_memory = Gauge("redis_memory_bytes", "Memory of Redis", ["kind"], registry=registry)
        self._redis_evicted = Gauge("redis_evicted_keys", "Keys evicted since its start", registry=registry)
        self._redis_lookups = Gauge("redis_keyspace_lookups", "Since its start", ["result"], registry=registry)
        self._redis_commands = Gauge("redis_commands", "Calls since its start", ["command"], registry=registry)
        self._transactions = Gauge("postgres_transactions", "Ended since its start", registry=registry)
        self._connections = Gauge("postgres_connections", "Connections", ["kind"], registry=registry)
        self._machine = Gauge("machine_used_ratio", "Share in use", ["resource"], registry=registry)
        self._network = Gauge("machine_network_bytes", "Since its start", ["direction"], registry=registry)
        self._cache_memory_ratio = self._memory_ratio = math.nan

    @property
    def memory_ratio(self) -> float:
        """Of the machine; NaN before the first measurement."""
        return self._memory_ratio

    @property
    def cache_memory_ratio(self) -> float:
        """Of what Redis may use; NaN while nobody knows."""
        return self._cache_memory_ratio

    async def measure(self) -> None:
        """Raises DependencyError where a store does not answer; what it would have said is then unknown."""
        self._cache_memory_ratio = math.nan
        self._show_machine(_machine())
        memory, stats, commands = await self._backends.redis(
            ("INFO", "memory"), ("INFO", "stats"), ("INFO", "commandstats")
        )
        self._show_redis(_facts(memory) | _facts(stats))
        self._show_commands(_facts(commands))
        (row,) = await self._backends.postgres("database_use")
        self._transactions.set(row["transactions"])
        self._connections.labels("used").set(row["connections"])
        self._connections.labels("max").set(row["allowed"])

    def _show_machine(self, seen: _Machine) -> None:
        self._memory_ratio = seen.memory_ratio
        self._machine.labels("cpu").set(seen.cpu_ratio)
        self._machine.labels("memory").set(seen.memory_ratio)
        self._machine.labels("disk").set(seen.disk_ratio)
        self._network.labels("received").set(seen.received_bytes)
        self._network.labels("sent").set(seen.sent_bytes)

    def _show_redis(self, facts: Mapping[str, str]) -> None:
        used, allowed = int(facts["used_memory"]), int(facts["maxmemory"])
        self._redis_memory.labels("used").set(used)
        self._redis_memory.labels("max").set(allowed)
        self._redis_evicted.set(int(facts["evicted_keys"]))
        self._redis_lookups.labels("hit").set(int(facts["keyspace_hits"]))
        self._redis_lookups.labels("miss").set(int(facts["keyspace_misses"]))
        self._cache_memory_ratio = used / allowed if allowed else math.nan  # 0: as much as it wants

    def _show_commands(self, facts: Mapping[str, str]) -> None:
        """`cmdstat_get:calls=21,usec=175,…`; after a restart those that were not asked yet are not there."""
        self._redis_commands.clear()
        for name, figures in facts.items():
            calls = dict(figure.split("=") for figure in figures.split(","))["calls"]
            self._redis_commands.labels(name.removeprefix("cmdstat_")).set(int(calls))


def _facts(info: bytes) -> dict[str, str]:
    """Redis' `name:value` lines."""
    lines = (line.partition(":") for line in info.decode().splitlines() if not line.startswith("#"))
    return {name: value for name, _, value in lines if name}


def _machine() -> _Machine:
    network = psutil.net_io_counters()
    return _Machine(
        cpu_ratio=psutil.cpu_percent() / 100,  # since it was last asked
        memory_ratio=psutil.virtual_memory().percent / 100,
        disk_ratio=psutil.disk_usage("/").percent / 100,
        received_bytes=network.bytes_recv if network else 0,
        sent_bytes=network.bytes_sent if network else 0,
    )
