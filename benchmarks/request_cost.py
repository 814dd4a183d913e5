"""What the policies cost: CPU of a request through edge, gateway, API and Redis, beside the barest chain of the same.

`python -m benchmarks.request_cost [--rounds N]`, two and a half minutes. There are two bare sides: one does the same
job (the same lists and posts out of Redis, ranked and encoded), the other only hands on a page that lies in Redis as it
is served, the least that could answer. All are asked in turns for the same home timelines, with the same tokens and at
the same instants, at half of the reference system's modelled capacity. CPU is the user and system time of all processes
of a part. What a chain burns at rest while it is loaded is in its figure: health probes, evaluations and an agent are
policies too. Toxiproxy stands in our chain because experiments need it, and is no policy: ratios are shown without it
and with it. The other half of the claim is no error at that load.
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
from typing import Generic, NamedTuple, TypeVar

import msgspec
import numpy as np
import pandas as pd
import psutil
import redis
import requests

from benchmarks.bare_api import STORED
from benchmarks.bare_chain import bare_chain
from harness.experiment.load import Arrivals
from harness.gameday import Place
from harness.loader import load_target
from harness.plan import Plan
from harness.record.rows import Outcome
from harness.target.running_state import StateFolder, TargetState
from reference_system.data.timelines import Cache
from tests.e2e.gameday_process import PROJECT, command
from tests.harness.load.offering import plan_of, read_requests, start_driver

TARGET = "reference_system/one_region.yaml"
LASTS_S = 12.0  # a side and round
SETTLES_S = 2.0  # what starting left to do
MOST_FOR_A_ROUND_S = 3 * (LASTS_S + 10.0)
MOST_FOR_THE_REST_S = 90.0
USERS = 20
ANSWERED_WITHIN_S = 10.0
T = TypeVar("T")
WANTED = 2.0  # times the bare chain's CPU
TIMELINE = "/timeline/home"
PARTS = ("edge", "gateway", "api", "redis")  # of both chains
PROFILE = """
from harness.load.profile import Visitor, Zipf, does

people = Zipf(population={users}, cast={users}, exponent=0.0)
TOKENS = {tokens}


def prepare(lobby):
    for user in lobby.cast:
        lobby.identify(user, {{"Authorization": "Bearer " + TOKENS[user]}})


class Caller(Visitor):
    @does("home", route="GET {path}", share=1, priority=2)
    def reads_home(self, site):
        site.get("{path}", user=self.user)
"""


class Side(NamedTuple):
    """A chain: where it is asked and for what, where its Redis listens, and the processes of each part."""

    url: str
    path: str
    redis: tuple[str, int]
    processes: Mapping[str, Sequence[psutil.Process]]


class Cost(NamedTuple):
    """One round of one side: CPU microseconds a request by part, and what was recorded."""

    cpu_us: Mapping[str, float]
    requests: pd.DataFrame

    def total_us(self, *parts: str) -> float:
        return sum(self.cpu_us.get(part, 0.0) for part in parts)


class Sides(NamedTuple, Generic[T]):
    """Of each side one: ours, the bare chain that does the same job, and the one that hands on a stored page."""

    ours: T
    same_job: T
    stored_page: T


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
        ours, bare = our_side(state), Side(url, TIMELINE, redis_address, processes)
        sides = Sides(ours, bare, bare._replace(path=STORED))
        tokens = logged_in(ours.url)
        copy_timelines(ours, bare, tokens)
        refuse_different_answers(sides, tokens)
        rate_per_s = capacity_per_s(state) / 2
        rounds = []
        for number in range(options.rounds):
            rounds.append(Sides(*(one_cost(Path(folder), side, tokens, rate_per_s, number) for side in sides)))
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
    return Side(f"http://{state.loopback}:{ports['edge']}", TIMELINE, (state.loopback, ports["redis"]), processes)


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
        asked = requests.post(f"{url}/auth/login", json=credentials, timeout=ANSWERED_WITHIN_S)
        asked.raise_for_status()
        tokens[user] = asked.json()["token"]
    return tokens


def answer(side: Side, token: str) -> bytes:
    headers = {"Authorization": f"Bearer {token}"}
    asked = requests.get(f"{side.url}{side.path}", headers=headers, timeout=ANSWERED_WITHIN_S)
    asked.raise_for_status()
    return asked.content


def copy_timelines(ours: Side, bare: Side, tokens: Mapping[int, str]) -> None:
    """Fill our caches by asking, and the bare chain's Redis with the same lists and posts, and with its own pages."""
    for token in tokens.values():
        answer(ours, token)
    time.sleep(SETTLES_S)  # caches are filled behind the answer
    with redis.Redis(*ours.redis) as source, redis.Redis(*bare.redis) as sink:
        for kind in ("home_tl:*", "tweet:*"):
            for key in source.scan_iter(kind):
                if (value := source.dump(key)) is not None:  # not one whose life has just ended
                    sink.restore(key, 0, value)
        for user, token in tokens.items():
            sink.set(f"page:user-{user}", answer(bare, token))


def refuse_different_answers(sides: Iterable[Side], tokens: Mapping[int, str]) -> None:
    """Costs of different jobs could not be compared, and an empty page is hardly a job."""
    for token in tokens.values():
        pages = [msgspec.json.decode(answer(side, token))["posts"] for side in sides]
        if any(page != pages[0] for page in pages):
            raise SystemExit("the chains do not give the same posts in the same order")
        if not pages[0]:
            raise SystemExit("a user's timeline has no posts")


def one_cost(folder: Path, side: Side, tokens: Mapping[int, str], rate_per_s: float, seed: int) -> Cost:
    """One round of one side; the same seed gives the same requests at the same instants."""
    profile = folder / "home.py"
    profile.write_text(PROFILE.format(users=USERS, tokens=tokens, path=side.path))
    plan = plan_of(profile, rate_per_s=rate_per_s, lasts_s=LASTS_S, arrivals=Arrivals.POISSON, seed=seed)
    return asyncio.run(cost(plan, side))


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
        recorded = read_requests(Path(folder))
    return Cost({part: 1e6 * (after[part] - before[part]) / len(recorded) for part in after}, recorded)


def cpu_s(parts: Mapping[str, Sequence[psutil.Process]]) -> dict[str, float]:
    """User and system time of each part's processes and all their children; servers' children do not come and go."""
    return {
        part: sum(_own_cpu_s(one) for process in processes for one in (process, *process.children(recursive=True)))
        for part, processes in parts.items()
    }


def _own_cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def show(rounds: Sequence[Sides[Cost]], rate_per_s: float) -> None:
    print(
        f"\n{rate_per_s:g} requests/s, {len(rounds)} rounds of {LASTS_S:g} s; median (lowest–highest), µs a request\n"
    )
    print("| part | ours | bare, the same job | bare, a stored page |\n|---|---|---|---|")
    for part in PARTS:
        print(row(part, [[cost.total_us(part) for cost in one] for one in rounds]))
    for name, parts in (
        ("controller", ["controller"]),
        ("Toxiproxy, on two hops", ["toxiproxy"]),
        ("worker and Postgres, not asked", ["worker", "postgres"]),
    ):
        print(row(name, [[one.ours.total_us(*parts)] for one in rounds]))
    without, through = [*PARTS, "controller"], [*PARTS, "controller", "toxiproxy"]
    print(
        row(
            "**sum, without Toxiproxy, worker, Postgres**",
            [[cost.total_us(*without) for cost in one] for one in rounds],
        )
    )
    for name, ours in (("**ours, times that**", without), ("ours with Toxiproxy, times that", through)):
        ratios = [[one.ours.total_us(*ours) / cost.total_us(*PARTS) for cost in one[1:]] for one in rounds]
        print(row(name, ratios, form=".2f", first=""))
    print(f"\nwanted: ours ≤ {WANTED:g} times the chain with the same job, and no error\n")
    for name, costs in zip(Sides._fields, zip(*rounds, strict=True), strict=True):
        recorded = pd.concat([cost.requests for cost in costs])
        not_ok = int((recorded["outcome"].astype(str) != Outcome.OK).sum())
        p50, p99 = recorded["latency_s"].quantile([0.5, 0.99]) * 1e3
        print(f"{name}: {not_ok} errors in {len(recorded)} requests, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    from_redis = pd.concat([one.ours.requests["cache"].astype(str) for one in rounds]) == Cache.REDIS
    print(f"ours: {from_redis.mean():.1%} of the answers out of Redis (lists live for a minute)")


def row(name: str, rounds: Sequence[Sequence[float]], *, form: str = ".0f", first: str | None = None) -> str:
    """One line: a column for each side, its spread over the rounds. `first` stands before those."""
    cells = [spread(values, form) for values in zip(*rounds, strict=True)]
    cells = cells if first is None else [first, *cells]
    return f"| {' | '.join([name, *cells, *[''] * (3 - len(cells))])} |"


def spread(values: Sequence[float], form: str) -> str:
    return f"{np.median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


if __name__ == "__main__":
    main()
