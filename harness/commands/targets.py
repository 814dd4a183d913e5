"""The target alone."""

import asyncio
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from harness import gameday
from harness.display.runs import show_regions, show_status
from harness.errors import ExitCode, TargetError
from harness.faults.revert import leftovers
from harness.interrupts import run_through
from harness.loader import load_target
from harness.observe.overview import overview
from harness.target import runtimes
from harness.target.project import held


def up(console: Console, target: Path, *, choice: runtimes.Choice, defect: str | None) -> ExitCode:
    runtimes.check_runtime(choice.runtime)
    spec = load_target(target)
    state_dir = gameday.Place(runs=Path(), loopback=choice.loopback).state_of(target)
    with held(state_dir, choice.loopback, runtime=choice.runtime, purpose="its start", for_s=60):
        if runtimes.running(spec, state_dir) is not None:
            raise TargetError(f"{spec.name} is up already on {choice.loopback}. Run: gameday status, or gameday down.")
        running = run_through(lambda interrupts: runtimes.up(choice, spec, target, state_dir=state_dir, defect=defect))
    for what, version in asyncio.run(running.about()).items():
        console.print(f"[dim]{escape(f'{what}: {version}')}[/]", soft_wrap=True)
    host, port = running.address(spec.entry)
    console.print(f"{spec.name} is up: http://{host}:{port}  (stop it with: gameday down)", soft_wrap=True)
    return ExitCode.PASS


def down(console: Console, target: Path, loopback: str) -> ExitCode:
    spec = load_target(target)
    state_dir = gameday.Place(runs=Path(), loopback=loopback).state_of(target)
    with held(state_dir, loopback, purpose="its stop", for_s=30):
        known = runtimes.known(spec, state_dir)
        for one in known:
            asyncio.run(one.down())
    if known:
        console.print(f"{spec.name} is down.")
    else:
        _say_not_up(console, spec.name, target, loopback)
    return ExitCode.PASS


def status(console: Console, target: Path, loopback: str, runs: Path) -> ExitCode:
    spec = load_target(target)
    state_dir = gameday.Place(runs=runs, loopback=loopback).state_of(target)
    running = runtimes.running(spec, state_dir)
    if running is None:
        _say_not_up(console, spec.name, target, loopback)
    else:
        services = asyncio.run(running.status())
        show_status(services, console)
        regions, links = asyncio.run(overview(running, [row.service for row in services if row.healthy]))
        show_regions(regions, links, console)
    left = leftovers(runs, state_dir)
    for leftover in left:
        console.print(f"[red]not reverted:[/] {escape(leftover.sentence())}", soft_wrap=True)
    if not left:
        console.print("Every fault of every run is reverted.")
    return ExitCode.UNCLEAN if left else ExitCode.PASS


def _say_not_up(console: Console, name: str, target: Path, loopback: str) -> None:
    console.print(f"{name} is not up on {loopback}.")
    for other in gameday.others_up(target, loopback):
        console.print(f"Up there is another one: --target {escape(other)}", soft_wrap=True)
