"""What the policies cost: CPU of a request through edge, gateway, API and Redis, beside the barest chain of the same.

`python -m benchmarks.request_cost [--rounds N]`. Both chains run all the time and are loaded in turns, at half of what
the reference system's modelled capacity is. What a chain burns at rest is in its figure: health probes, evaluations and
scrapes are policies too. Toxiproxy stands in our chain and is no part of it, so it is shown apart.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import psutil

from benchmarks.bare_chain import bare_chain
from harness.gameday import Place
from harness.target.running_state import StateFolder
from tests.e2e.gameday_process import PROJECT, command
from tests.harness.load.offering import offer_in_new_folder, plan_of

LOOPBACK = "127.0.0.62"
TARGET = "reference_system/one_region.yaml"
RATE_PER_S = 150.0  # half of two replicas with three slots of 20 ms
LASTS_S = 15.0
PROFILE = """
from harness.load.profile import Visitor, Zipf, does

people = Zipf(population=10, cast=5)

class Caller(Visitor):
    @does("trending", route="GET /trending", share=1, priority=4)
    def asks(self, site):
        site.get("/trending")
"""
OURS = {
    "edge": ["edge"],
    "gateway": ["us-east-gateway"],
    "api": ["us-east-api-1", "us-east-api-2"],
    "redis": ["us-east-redis"],
    "toxiproxy": ["us-east-toxiproxy"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    gameday("up", "--target", TARGET)
    try:
        with bare_chain(LOOPBACK) as (bare_url, bare), tempfile.TemporaryDirectory() as folder:
            profile = Path(folder) / "trending.py"
            profile.write_text(PROFILE)
            sides = {
                "ours": (f"http://{LOOPBACK}:20080", our_processes()),
                "bare": (bare_url, {role: [process] for role, process in bare.items()}),
            }
            costs: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
            for number in range(rounds):
                for side, (url, processes) in sides.items():
                    costs[side].append(cost_us(profile, url, processes))
                print(f"round {number + 1} of {rounds} done", flush=True)
    finally:
        gameday("down", "--target", TARGET)
    show(costs)


def cost_us(profile: Path, url: str, processes: Mapping[str, list[psutil.Process]]) -> dict[str, float]:
    """CPU microseconds a request by part, and how many requests in a thousand had an error."""
    before = {role: sum(map(cpu_s, family)) for role, family in processes.items()}
    requests = offer_in_new_folder(plan_of(profile, rate_per_s=RATE_PER_S, lasts_s=LASTS_S), url).requests
    used = {role: sum(map(cpu_s, family)) - before[role] for role, family in processes.items()}
    errors = int((requests["outcome"].astype(str) != "ok").sum())
    return {
        **{role: seconds / len(requests) * 1e6 for role, seconds in used.items()},
        "errors": 1000 * errors / len(requests),
    }


def cpu_s(process: psutil.Process) -> float:
    """Of the process and all its children that live; those of a server do not come and go."""
    return sum(sum(one.cpu_times()[:2]) for one in [process, *process.children(recursive=True)])


def our_processes() -> dict[str, list[psutil.Process]]:
    identities = StateFolder(Place(runs=Path(), loopback=LOOPBACK).state_of(PROJECT / TARGET)).identities()
    return {role: [psutil.Process(identities[name].pid) for name in names] for role, names in OURS.items()}


def show(costs: Mapping[str, list[dict[str, float]]]) -> None:
    print("\n| part | ours, µs a request | bare, µs a request | ratio |\n|---|---|---|---|")
    ours, bare = (
        {name: float(np.median([one[name] for one in costs[side]])) for name in costs[side][0]} for side in costs
    )
    for role in ("edge", "gateway", "api", "redis"):
        print(f"| {role} | {ours[role]:.0f} | {bare[role]:.0f} | {ours[role] / bare[role]:.2f} |")
    total = {
        side: sum(by[role] for role in ("edge", "gateway", "api", "redis")) for side, by in (("o", ours), ("b", bare))
    }
    print(f"| **all four** | **{total['o']:.0f}** | **{total['b']:.0f}** | **{total['o'] / total['b']:.2f}** |")
    print(f"| toxiproxy, beside it | {ours['toxiproxy']:.0f} | – | |")
    print(f"| errors in a thousand | {ours['errors']:.2f} | {bare['errors']:.2f} | |")


def gameday(*arguments: str) -> None:
    subprocess.run(command(*arguments, loopback=LOOPBACK), cwd=PROJECT, check=True, capture_output=True)
    time.sleep(1.0)  # what starting left to do


if __name__ == "__main__":
    main()
