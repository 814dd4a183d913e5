"""What the policies cost: CPU of a request through edge, gateway, API and Redis, beside the barest chain of the same.

`python -m benchmarks.request_cost [--rounds N]`. Both chains run all the time and are asked in turns for the same home
timelines, with the same tokens and at the same instants, at half of the reference system's modelled capacity. CPU is
the user and system time of all processes of a part. What a chain burns at rest while it is loaded is in its figure:
health probes, evaluations and an agent are policies too. Toxiproxy stands in our chain because experiments need it, and
is no policy: the ratio is shown without it and with it. The other half of the claim is no error at that load.
"""

import argparse
import asyncio
import contextlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import pandas as pd
import psutil
import redis

from benchmarks.bare_chain import bare_chain
from harness.experiment import Arrivals
from harness.gameday import Place
from harness.loader import load_target
from harness.plan import Plan
from harness.record.rows import Outcome
from harness.target.running_state import StateFolder, TargetState
from reference_system.data.timelines import Cache
from tests.e2e.gameday_process import PROJECT, command
from tests.harness.load.offering import plan_of, read_requests, start_driver

TARGET = "reference_system/one_region.yaml"
LASTS_S = 15.0  # a side and round
SETTLES_S = 2.0  # what starting left to do
MOST_FOR_A_ROUND_S = 2 * (LASTS_S + 10.0)
MOST_FOR_THE_REST_S = 90.0
USERS = 20
WANTED = 2.0  # times the bare chain's CPU
PARTS = ("edge", "gateway", "api", "redis")  # of both chains
PROFILE = """
from harness.load.profile import Visitor, Zipf, does

people = Zipf(population={users}, cast={users}, exponent=0.0)
TOKENS = {tokens}


def prepare(lobby):
    for user in lobby.cast:
        lobby.identify(user, {{"Authorization": "Bearer " + TOKENS[user]}})


class Caller(Visitor):
    @does("home", route="GET /timeline/home", share=1, priority=2)
    def reads_home(self, site):
        site.get("/timeline/home", user=self.user)
"""


class Side(NamedTuple):
    """A chain: where it is asked, where its Redis listens, and the processes of each part."""

    url: str
    redis: tuple[str, int]
    processes: Mapping[str, Sequence[psutil.Process]]


class Cost(NamedTuple):
    """One round of one side: CPU microseconds a request by part, and what was recorded."""

    cpu_us: Mapping[str, float]
    requests: pd.DataFrame

    def total_us(self, *parts: str) -> float:
        return sum(self.cpu_us.get(part, 0.0) for part in parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loopback", default="127.0.0.62")
    options = parser.parse_args()
    with (
        bounded(options.rounds * MOST_FOR_A_ROUND_S + MOST_FOR_THE_REST_S),
        reference_system(options.loopback) as state,
        bare_chain(options.loopback) as (url, redis_address, processes),
        tempfile.TemporaryDirectory() as folder,
    ):
        ours, bare = our_side(state), Side(url, redis_address, processes)
        tokens = logged_in(ours.url)
        copy_timelines(ours, bare, tokens.values())
        refuse_different_answers(ours, bare, tokens.values())
        profile = Path(folder) / "home.py"
        profile.write_text(PROFILE.format(users=USERS, tokens=tokens))
        rate_per_s = capacity_per_s(state) / 2
        rounds = []
        for number in range(options.rounds):
            plan = plan_of(profile, rate_per_s=rate_per_s, lasts_s=LASTS_S, arrivals=Arrivals.POISSON, seed=number)
            rounds.append((asyncio.run(cost(plan, ours)), asyncio.run(cost(plan, bare))))
            print(f"round {number + 1} of {options.rounds} done", flush=True)
    show(rounds, rate_per_s)


@contextlib.contextmanager
def bounded(within_s: float) -> Iterator[None]:
    """TimeoutError when it takes longer; told to end, it ends as if it had failed, so that nothing is left behind."""

    def end(number: int, _: object) -> None:
        raise TimeoutError(f"not done within {within_s:g} s" if number == signal.SIGALRM else "told to end")

    before = {number: signal.signal(number, end) for number in (signal.SIGALRM, signal.SIGTERM)}
    signal.setitimer(signal.ITIMER_REAL, within_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def reference_system(loopback: str) -> Iterator[TargetState]:
    """Up with one region and down again; not if somebody else's is up at that address."""
    folder = state_folder(loopback)
    if folder.read() is not None:
        raise SystemExit(f"{TARGET} is up on {loopback} already: gameday down --target {TARGET} --loopback {loopback}")
    try:
        gameday("up", loopback)
        state = folder.read()
        assert state is not None
        yield state
    finally:
        gameday("down", loopback)


def gameday(verb: str, loopback: str) -> None:
    arguments = command(verb, "--target", TARGET, loopback=loopback)
    done = subprocess.run(arguments, cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"gameday {verb}: {done.stdout}{done.stderr}")


def state_folder(loopback: str) -> StateFolder:
    return StateFolder(Place(runs=Path(), loopback=loopback).state_of(PROJECT / TARGET))


def our_side(state: TargetState) -> Side:
    """The processes by the role that the target file gives their service."""
    identities = state_folder(state.loopback).identities()
    spec = load_target(PROJECT / TARGET)
    processes: dict[str, list[psutil.Process]] = {}
    ports = {}
    for name, service in spec.services.items():
        processes.setdefault(service.role, []).append(psutil.Process(identities[name].pid))
        ports[service.role] = service.port
    return Side(f"http://{state.loopback}:{ports['edge']}", (state.loopback, ports["redis"]), processes)


def capacity_per_s(state: TargetState) -> float:
    """The knee: what the slots of all replicas can do by their service times."""
    environments = [service.environment for service in state.services.values()]
    replicas = [environment for environment in environments if "SLOTS" in environment]
    return sum(int(replica["SLOTS"]) / (float(replica["SERVICE_TIME_MS"]) / 1000) for replica in replicas)


def logged_in(url: str) -> dict[int, str]:
    """A token for each user."""
    tokens = {}
    for user in range(1, USERS + 1):
        credentials = {"name": f"user-{user}", "password": f"password-{user}"}
        answer = httpx.post(f"{url}/auth/login", json=credentials).raise_for_status()
        tokens[user] = answer.json()["token"]
    return tokens


def home_of(url: str, token: str) -> list[dict[str, object]]:
    answer = httpx.get(f"{url}/timeline/home", headers={"Authorization": f"Bearer {token}"}).raise_for_status()
    posts: list[dict[str, object]] = answer.json()["posts"]
    return posts


def copy_timelines(ours: Side, bare: Side, tokens: Iterable[str]) -> None:
    """Fill our caches by asking, and the bare chain's Redis with the same lists and posts."""
    for token in tokens:
        home_of(ours.url, token)
    time.sleep(SETTLES_S)  # caches are filled behind the answer
    source, sink = redis.Redis(*ours.redis), redis.Redis(*bare.redis)
    for kind in ("home_tl:*", "tweet:*"):
        for key in source.scan_iter(kind):
            if (value := source.dump(key)) is not None:  # not one whose life has just ended
                sink.restore(key, 0, value)
    source.close()
    sink.close()


def refuse_different_answers(ours: Side, bare: Side, tokens: Iterable[str]) -> None:
    """Costs of two different jobs could not be compared."""
    for token in tokens:
        if home_of(ours.url, token) != home_of(bare.url, token):
            raise SystemExit("the two chains do not give the same posts in the same order")


async def cost(plan: Plan, side: Side) -> Cost:
    """From the first request to the last answer; the generator starts before."""
    with tempfile.TemporaryDirectory() as folder:
        driver, _ = start_driver(plan, side.url, Path(folder))
        try:
            await driver.start()
            before = cpu_s(side.processes)
            driver.begin(time.monotonic_ns() + 100_000_000)
            await driver.wait()
            after = cpu_s(side.processes)
        finally:
            await driver.close()
        requests = read_requests(Path(folder))
    return Cost({part: 1e6 * (after[part] - before[part]) / len(requests) for part in after}, requests)


def cpu_s(parts: Mapping[str, Sequence[psutil.Process]]) -> dict[str, float]:
    """User and system time of each part's processes and all their children; servers' children do not come and go."""
    return {
        part: sum(_own_cpu_s(one) for process in processes for one in (process, *process.children(recursive=True)))
        for part, processes in parts.items()
    }


def _own_cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def show(rounds: Sequence[tuple[Cost, Cost]], rate_per_s: float) -> None:
    ours, bare = ([pair[side] for pair in rounds] for side in (0, 1))
    print(f"\n{rate_per_s:g} requests/s, {len(rounds)} rounds of {LASTS_S:g} s; median (lowest–highest)\n")
    print("| part | ours, µs a request | bare, µs a request | ratio |\n|---|---|---|---|")
    for part in PARTS:
        print(row(part, ours, bare, [part]))
    print(row("controller", ours, bare, ["controller"]))
    print(row("**the chain with all policies**", ours, bare, [*PARTS, "controller"]))
    print(row("Toxiproxy, on two of our hops", ours, bare, ["toxiproxy"]))
    print(row("the chain with Toxiproxy", ours, bare, [*PARTS, "controller", "toxiproxy"]))
    print(row("worker and Postgres, on no cached read's way", ours, bare, ["worker", "postgres"]))
    print()
    for name, costs in (("ours", ours), ("bare", bare)):
        requests = pd.concat([one.requests for one in costs])
        not_ok = int((requests["outcome"].astype(str) != Outcome.OK).sum())
        p50, p99 = requests["latency_s"].quantile([0.5, 0.99]) * 1e3
        print(f"{name}: {not_ok} of {len(requests)} requests not answered as asked; p50 {p50:.1f}, p99 {p99:.1f} ms")
    from_redis = pd.concat([one.requests["cache"].astype(str) for one in ours]) == Cache.REDIS
    print(f"ours: {from_redis.mean():.1%} of the answers out of Redis, the others after their list's life of a minute")
    ratio = spread([o.total_us(*PARTS, "controller") / b.total_us(*PARTS) for o, b in rounds])
    print(f"wanted: ratio ≤ {WANTED:g}, no error; measured {ratio}")


def row(name: str, ours: Sequence[Cost], bare: Sequence[Cost], parts: Sequence[str]) -> str:
    """A part that the bare chain does not have is compared with nothing, a sum with all of the bare chain."""
    left, right = ([one.total_us(*parts) for one in side] for side in (ours, bare))
    if not any(right):
        return f"| {name} | {spread(left, '.0f')} | – | – |"
    ratios = [mine / theirs for mine, theirs in zip(left, right, strict=True)]
    return f"| {name} | {spread(left, '.0f')} | {spread(right, '.0f')} | {spread(ratios)} |"


def spread(values: Sequence[float], form: str = ".2f") -> str:
    return f"{np.median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


if __name__ == "__main__":
    main()
