"""An engine's figures about one container, as it writes them."""

from typing import Any

from harness.target.cgroup import cpu_usage, limits_of, memory_bytes, memory_usage
from harness.target.container_target import CpuUsage, Limits, MemoryUsage

STATS: dict[str, Any] = {
    "read": "1970-01-01T00:01:40.5Z",
    "cpu_stats": {
        "cpu_usage": {"total_usage": 1_500_000_000},
        "throttling_data": {"periods": 12, "throttled_periods": 5},
    },
    "memory_stats": {"usage": 1000, "limit": 4000, "stats": {"inactive_file": 300}},
}


def test_limits_are_told_in_the_engines_units() -> None:
    host = {"NanoCpus": 500_000_000, "Memory": 1 << 20, "MemorySwap": 1 << 21}

    assert limits_of({"HostConfig": host}) == Limits(nano_cpus=500_000_000, memory=1 << 20, memory_swap=1 << 21)


def test_the_account_of_the_cpu_has_the_engines_own_time() -> None:
    usage = cpu_usage(STATS, allowed_cpus=2.0)

    assert usage == CpuUsage(at_s=100.5, cpu_s=1.5, periods=12, throttled_periods=5, allowed_cpus=2.0)


def test_files_that_the_kernel_only_keeps_are_not_the_services_memory() -> None:
    assert memory_bytes(STATS) == 700
    assert memory_bytes({"memory_stats": {}}) == 0  # of a container that is ending


def test_what_counts_against_a_limit_is_all_that_the_kernel_counts() -> None:
    assert memory_usage(STATS, allowed_bytes=8000) == MemoryUsage(used_bytes=1000, limit_bytes=4000, allowed_bytes=8000)
    assert memory_usage({"memory_stats": {}}, allowed_bytes=8000) is None  # of a container that does not run
