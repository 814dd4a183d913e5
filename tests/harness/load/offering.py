"""Offers a load to a server and reads back what was recorded: what the load's end-to-end tests and benchmarks share."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import msgspec
import pandas as pd
import psutil
import pyarrow as pa

from harness.experiment.load import Arrivals, Load
from harness.load.locust_driver import LocustDriver
from harness.load.profile import describe
from harness.plan import PhaseSpan, Plan, RateSegment
from harness.record import rows
from harness.target.target import TargetSpec
from harness.units import PerSecond, Seconds, enc_hook
from tests.loopback import loopback

HOST = loopback(13)

ONE_GET = """
from harness.load.profile import Visitor, Zipf, does

people = Zipf(population=10, cast=5)

class Caller(Visitor):
    @does("call", route="{method} /", share=1, priority=2)
    def calls(self, site):
        {call}
"""
GETS = ONE_GET.format(method="GET", call='site.get("/", user=self.user)')
PUTS = ONE_GET.format(method="PUT", call='site.put("/", {"text": "x"}, user=self.user)')
POSTS = ONE_GET.format(method="POST", call='site.post("/", {"text": "x"}, user=self.user)')


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def small_server(behaviour: str, **options: object) -> Iterator[str]:
    """The URL of a running small server of its own process."""
    port = free_port()
    script = Path(__file__).parent / "small_server.py"
    words = [f"{name}={value}" for name, value in options.items()]
    with subprocess.Popen(
        [sys.executable, str(script), HOST, str(port), behaviour, *words], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"listening\n"
            yield f"http://{HOST}:{port}"
        finally:
            process.kill()


def seen_by(url: str) -> dict[str, int]:
    """What the small server counted."""
    with urlopen(f"{url}/seen", timeout=30) as answer:  # noqa: S310 (our own loopback server)
        return msgspec.json.decode(answer.read(), type=dict[str, int])


def plan_of(
    profile: Path,
    *,
    rate_per_s: float,
    lasts_s: float,
    arrivals: Arrivals = Arrivals.CONSTANT,
    deadline_s: float = 5.0,
    shards: int = 1,
    in_flight_limit: int = 800,
    seed: int = 7,
) -> Plan:
    return Plan(
        experiment="load",
        title="",
        hypothesis="",
        source="",
        variables={},
        target_path="",
        target=TargetSpec(name="small", compose="", entry="edge", regions=("us-east",), services={}, links={}),
        runtime="processes",
        defect=None,
        profile_path=str(profile),
        load=Load(
            profile=profile.stem,
            rate=PerSecond(rate_per_s),
            arrivals=arrivals,
            seed=seed,
            shards=shards,
            deadline=Seconds(deadline_s),
            in_flight_limit=in_flight_limit,
        ),
        operations=describe(profile),
        rate=(RateSegment(start_s=0.0, end_s=lasts_s, from_per_s=rate_per_s, to_per_s=rate_per_s),),
        phases=(PhaseSpan(name="baseline", start_s=0.0, end_s=lasts_s),),
        faults=(),
        stop_when=(),
        expect=(),
    )


class Offered(NamedTuple):
    """Rows of all shards, events, and CPU seconds of the generator by shard."""

    requests: pd.DataFrame
    events: list[rows.Event]
    driver: LocustDriver
    folder: Path

    def outcomes(self) -> dict[str, int]:
        counts = self.requests["outcome"].astype(str).value_counts()
        return {str(outcome): int(count) for outcome, count in counts.items()}

    def states(self) -> list[str]:
        return [event.state for event in self.events if isinstance(event, rows.ShardState)]

    def health(self) -> list[rows.ShardHealth]:
        return [event for event in self.events if isinstance(event, rows.ShardHealth)]


def start_driver(
    plan: Plan, url: str, folder: Path, *, harness_defect: str | None = None
) -> tuple[LocustDriver, list[rows.Event]]:
    plan_path = folder / "plan.json"
    plan_path.write_bytes(msgspec.json.encode(plan, enc_hook=enc_hook))
    events: list[rows.Event] = []
    return LocustDriver(plan, plan_path, folder, url, on_event=events.append, harness_defect=harness_defect), events


async def offer(
    plan: Plan,
    url: str,
    folder: Path,
    *,
    stop_after_s: float | None = None,
    signal_number: int | None = None,
    harness_defect: str | None = None,
) -> Offered:
    """Run a whole load; stopped, or signalled, so long after its start if that is given."""
    driver, events = start_driver(plan, url, folder, harness_defect=harness_defect)
    try:
        await driver.start()
        driver.begin(time.monotonic_ns() + 100_000_000)
        if stop_after_s is not None:
            await asyncio.sleep(0.1 + stop_after_s)
            if signal_number is None:
                await driver.stop("the test says so")
            else:
                for shard in load_processes(folder):
                    shard.send_signal(signal_number)
        await driver.wait()
    finally:
        await driver.close()
    return Offered(read_requests(folder), events, driver, folder)


def offer_in_new_folder(plan: Plan, url: str) -> Offered:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(offer(plan, url, Path(folder)))


def load_processes(folder: Path) -> list[psutil.Process]:
    """The shards of the run in this folder: those of our children that work there."""
    work = str((folder / "load").resolve())
    return [child for child in psutil.Process().children(recursive=True) if _folder_of(child) == work]


def _folder_of(process: psutil.Process) -> str:
    """Where a process works; a child of another test that has ended but was not collected works nowhere."""
    try:
        return process.cwd()
    except psutil.Error:
        return ""


def read_requests(folder: Path) -> pd.DataFrame:
    """All rows of a run up to the last flush, with times in seconds."""
    tables = []
    for path in sorted(folder.glob("requests-*.arrow")):
        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            tables.append(_whole_batches(stream))
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    frame["latency_s"] = (frame["finished_ns"] - frame["scheduled_ns"]) / 1e9
    frame["service_s"] = (frame["finished_ns"] - frame["sent_ns"]) / 1e9
    frame["lag_s"] = (frame["sent_ns"] - frame["scheduled_ns"]) / 1e9
    return frame


def _whole_batches(stream: pa.RecordBatchStreamReader) -> pa.Table:
    batches = []
    while True:
        try:
            batches.append(stream.read_next_batch())
        except (StopIteration, pa.ArrowInvalid, OSError):  # the end, or where a killed shard's file breaks off
            break
    return pa.Table.from_batches(batches, rows.REQUESTS).unify_dictionaries()
