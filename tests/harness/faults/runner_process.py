"""A runner to be killed: attaches to the running small target, guards, injects one fault, reverts it.

`python -m tests.harness.faults.runner_process STATE_DIR RUN_FOLDER FAULT CRASH [LASTS_S]`: CRASH is where it kills
itself (SIGKILL): `before STATE` or `after STATE` that line of the journal, `half STATE` with the line half-written,
`starting` once a service's process has been started again; or it does not: `stop after STATE` is SIGSTOP, `hold` keeps
the fault until killed, `none` reverts it. Prints a line for each step.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.errors import GamedayError
from harness.experiment.faults import (
    BlackholeFault,
    DestroyFault,
    DownFault,
    KillFault,
    LatencyFault,
    PauseFault,
    RegionFault,
    RegionOutageFault,
    ResetFault,
    StopFault,
    WrittenFault,
)
from harness.faults.injector import Injector
from harness.faults.journal import Entry, Journal, Line
from harness.faults.lease import Guard
from harness.plan import PlannedFault, planned_faults
from harness.target.processes import attach
from harness.target.processes_target import ProcessesTarget
from harness.units import Seconds
from tests.harness.faults.a_target import REDIS, SPEC

AT = Seconds(0)
FAULTS: dict[str, Callable[[Seconds], WrittenFault]] = {
    "latency": lambda lasts: LatencyFault(link=REDIS, at=AT, lasts=lasts, latency=Seconds(0.1)),
    "down": lambda lasts: DownFault(link=REDIS, at=AT, lasts=lasts),
    "blackhole": lambda lasts: BlackholeFault(link=REDIS, at=AT, lasts=lasts),
    "reset": lambda lasts: ResetFault(link=REDIS, at=AT, lasts=lasts),
    "kill": lambda lasts: KillFault(service="redis", at=AT, lasts=lasts),
    "destroy": lambda lasts: DestroyFault(service="postgres", at=AT, lasts=lasts),
    "stop": lambda lasts: StopFault(service="redis", at=AT, lasts=lasts),
    "pause": lambda lasts: PauseFault(service="redis", at=AT, lasts=lasts),
    "region_outage": lambda lasts: RegionOutageFault(region="here", at=AT, lasts=lasts),
}


class MortalJournal(Journal):
    """Ends the process at one of its lines."""

    crash = ""

    def append(self, line: Line) -> None:
        state = line.state if isinstance(line, Entry) else ""
        if self.crash == f"before {state}":
            die()
        if self.crash == f"half {state}":
            os.write(self._file, msgspec.json.encode(line)[:40])
            die()
        super().append(line)
        if self.crash == f"after {state}":
            die()
        if self.crash == f"stop after {state}":
            os.kill(os.getpid(), signal.SIGSTOP)


class MortalTarget(ProcessesTarget):
    """Ends the process when a service has been started and is not ready yet."""

    async def until_ready(self, service: str) -> None:
        die()


class LosingTarget(ProcessesTarget):
    """Ends the process when a service has been killed and its data are still there."""

    async def lose_data(self, service: str) -> None:
        die()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def faults_of(fault: WrittenFault, lasts_s: float) -> tuple[PlannedFault, ...]:
    if isinstance(fault, RegionFault):
        return planned_faults((fault,), target=SPEC, disturbed_s=0.0)
    return (PlannedFault(id="fault-1", fault=fault, inject_s=0.0, revert_s=lasts_s),)


async def main(state_dir: Path, folder: Path, kind: str, crash: str, lasts_s: float = 60.0) -> None:
    target = attach(SPEC, state_dir)
    if crash == "starting":
        target.__class__ = MortalTarget
    if crash == "losing":
        target.__class__ = LosingTarget
    journal = MortalJournal(folder / "journal.jsonl")
    journal.crash = crash
    guard = Guard.start(journal.path)
    print("guard", guard.pid, flush=True)
    planned = faults_of(FAULTS[kind](Seconds(lasts_s)), lasts_s)
    injector = Injector(target, planned, journal, on_event=lambda event: None)
    try:
        await injector.prepare()
        async with asyncio.TaskGroup() as tasks:
            holding = tasks.create_task(guard.hold())
            await asyncio.gather(*(injector.inject(one.id) for one in planned))
            print("injected", flush=True)
            if crash == "hold":
                await asyncio.sleep(30)
            holding.cancel()
    except* GamedayError as errors:
        print("aborted:", *(str(error) for error in errors.exceptions), flush=True)
    await injector.revert_all()
    print("reverted", flush=True)
    guard.release()
    print("released", flush=True)


if __name__ == "__main__":
    _, state_dir, run_folder, fault, crash, *lasts_s = sys.argv
    Path(run_folder).mkdir(exist_ok=True)
    asyncio.run(main(Path(state_dir), Path(run_folder), fault, crash, *map(float, lasts_s)))
