"""What containers cost: the same system under the same load on both runtimes, alternately, in one run.

`python -m benchmarks.docker_overhead [--rounds N]`, on a quiet machine with a Docker Engine. Medians of the rounds; the
ratios are the point. Start-up counts from the command to the last healthy service, with the image already built.
"""

import argparse
import asyncio
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.e2e.gameday_process import PROJECT, command, run_experiment

LOOPBACK = "127.0.0.61"
TARGET = "reference_system/one_region.yaml"
RUNTIMES = ("processes", "docker")
CONNECTIONS = 8
ASKS_FOR_S = 5.0
EDGE = b"GET /edge/health HTTP/1.1\r\nHost: edge\r\n\r\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    figures: dict[str, dict[str, list[float]]] = {runtime: {} for runtime in RUNTIMES}
    for number in range(rounds):
        for runtime in RUNTIMES:
            for name, value in (measured(runtime) | under_load(runtime)).items():
                figures[runtime].setdefault(name, []).append(value)
        print(f"round {number + 1} of {rounds} done", flush=True)
    print("\n| figure | processes | docker | ratio |\n|---|---|---|---|")
    for name, values in figures["processes"].items():
        here, there = float(np.median(values)), float(np.median(figures["docker"][name]))
        print(f"| {name} | {here:,.4g} | {there:,.4g} | {there / here:.2f} |")


def measured(runtime: str) -> dict[str, float]:
    """Start-up, and how many of the cheapest answers a second come through the edge."""
    began_s = time.monotonic()
    gameday("up", "--target", TARGET, "--runtime", runtime)
    up_s = time.monotonic() - began_s
    try:
        per_s = asyncio.run(answers_per_s(EDGE))
    finally:
        began_s = time.monotonic()
        gameday("down", "--target", TARGET)
    return {"start-up, s": up_s, "stop, s": time.monotonic() - began_s, "edge answers a second": per_s}


def under_load(runtime: str) -> dict[str, float]:
    """Latency of `steady_state` in its short form, counted from the schedule."""
    with tempfile.TemporaryDirectory() as folder:
        finished = run_experiment("steady_state", runs=Path(folder), loopback=LOOPBACK, runtime=runtime)
        assert finished.exit_code == 0, finished.output
        requests = finished.run.requests
    took_ms = (requests["finished_ns"] - requests["scheduled_ns"]) / 1e6
    return {"p50 at 120/s, ms": float(took_ms.quantile(0.5)), "p99 at 120/s, ms": float(took_ms.quantile(0.99))}


async def answers_per_s(question: bytes) -> float:
    """A few connections that ask again as soon as they are answered."""
    until_s = time.monotonic() + ASKS_FOR_S
    counts = await asyncio.gather(*(_ask(question, until_s) for _ in range(CONNECTIONS)))
    return sum(counts) / ASKS_FOR_S


async def _ask(question: bytes, until_s: float) -> int:
    reader, writer = await asyncio.open_connection(LOOPBACK, 20080)
    count = 0
    while time.monotonic() < until_s:
        writer.write(question)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        count += 1
    writer.close()
    await writer.wait_closed()
    return count


def gameday(*arguments: str) -> None:
    subprocess.run(command(*arguments, loopback=LOOPBACK), cwd=PROJECT, check=True, capture_output=True)


if __name__ == "__main__":
    main()
