"""The live steps in their order: load → plan → run, and the target alone. Judging is `judging.py`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from harness import clock
from harness.by_hand import by_hand
from harness.errors import ExperimentError, TargetError, UncleanError
from harness.experiment.faults import WrittenFault, fault_id
from harness.faults.injector import refusals
from harness.faults.revert import leftovers
from harness.faults.whereabouts import linked
from harness.interrupts import Interrupts, run_through
from harness.load.profile import describe
from harness.loader import LoadedExperiment, load_experiment
from harness.loading.crosscheck import told
from harness.observe import logs
from harness.observe.watching import watched
from harness.operations import operation_mistakes
from harness.plan import Plan, build_plan, planned_faults
from harness.record.writer import Sample, create_run_folder
from harness.runner import Conductor, Progress, RunResult
from harness.target import runtimes
from harness.target.docker_state import DockerFolder
from harness.target.project import held
from harness.target.running_state import StateFolder
from harness.target.running_target import RunningTarget
from harness.target.runtimes import Choice, check_runtime, running
from harness.target.target import TargetSpec

SETTLING_S = 60.0  # start-up, preparation and clean-up around a run, for the lock's "time left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where things are kept, on which loopback address the target listens, and which engine runs its containers."""

    runs: Path
    loopback: str = "127.0.0.1"
    engine: str | None = None

    def state_of(self, target_path: Path) -> Path:
        """The folder of a target's state, in its project: one for each target file and loopback address."""
        path = target_path.resolve()
        return _states_of_project(target_path) / f"{path.parent.name}-{path.stem}-{self.loopback}"


def _states_of_project(target_path: Path) -> Path:
    return target_path.resolve().parent.parent / ".gameday"


def all_states(target_path: Path) -> list[Path]:
    """The folders of the state of each target of the project, on any address."""
    return sorted(path for path in _states_of_project(target_path).glob("*") if path.is_dir())


def others_up(target_path: Path, loopback: str) -> list[str]:
    """Other target files of the same folder whose system is up on this address, or was when its starter died."""
    place = Place(runs=Path(), loopback=loopback)
    files = sorted(path for path in target_path.parent.glob("*.yaml") if path.resolve() != target_path.resolve())
    states = {str(path): place.state_of(path) for path in files}
    return [name for name, folder in states.items() if StateFolder(folder).read() or DockerFolder(folder).read()]


def make_plan(
    path: Path,
    *,
    short: bool = False,
    overrides: Mapping[str, str] = {},
    defect: str | None = None,
    runtime: str = "processes",
) -> Plan:
    """Everything an experiment file means, checked; ExperimentError (exit 2) where it cannot be run."""
    check_runtime(runtime)
    plan = plan_of(load_experiment(path, short=short, overrides=overrides), defect=defect, runtime=runtime)
    problems = refusals(plan.faults, plan.target, runtime=runtime)
    if problems:
        raise ExperimentError(f"{path}: " + "\n".join(problems))
    return plan


def plan_of(loaded: LoadedExperiment, *, defect: str | None = None, runtime: str) -> Plan:
    """The plan of an experiment that has been read, whether or not the runtime can do all of it."""
    operations = describe(loaded.profile_path)
    found = operation_mistakes(loaded.experiment, operations, profile=loaded.profile_path.name)
    if mistakes := told(loaded.document, found):
        raise ExperimentError("\n".join(map(str, mistakes)))
    return build_plan(
        loaded.experiment,
        name=loaded.path.stem,
        source=loaded.source,
        variables=loaded.variables,
        target=loaded.target,
        target_path=str(loaded.target_path),
        profile_path=str(loaded.profile_path),
        operations=operations,
        runtime=runtime,
        defect=defect,
    )


def run_plan(
    plan: Plan,
    place: Place,
    *,
    harness_defect: str | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_stage: Callable[[str], None] = lambda text: None,
    meanwhile: Callable[[], object] = lambda: None,
) -> RunResult:
    """Start the target if it is not up, conduct the run, and leave the target as it was found.

    `meanwhile` is done in a thread while the load is prepared, and the load waits for it.
    """
    state_dir = place.state_of(Path(plan.target_path))

    async def conduct(interrupts: Interrupts) -> RunResult:
        was_up = running(plan.target, state_dir) is not None
        on_stage(f"using {plan.target.name} as it is up" if was_up else f"starting {plan.target.name}")
        result = None
        try:
            async with started(plan, state_dir, place, interrupts) as target:
                conductor = Conductor(
                    plan,
                    target,
                    place.runs,
                    log_marks=logs.mark(target.log_files()) if was_up else logs.whole(target.log_files()),
                    interrupts=interrupts,
                    harness_defect=harness_defect,
                    on_progress=on_progress,
                    meanwhile=meanwhile,
                )
                for what, version in (await target.about()).items():
                    on_stage(f"{what}: {version}")
                on_stage(f"preparing the load; the record is {conductor.folder}")
                with linked(state_dir, conductor.folder):
                    result = await conductor.conduct()
                on_stage("stopping")
                return result
        except TargetError as error:
            if result is not None and result.unclean:  # which is worse than a target that cannot be stopped
                raise UncleanError(f"{result.unclean}\n{error}") from error
            raise

    for_s, purpose = plan.duration_s + SETTLING_S, f'"{plan.experiment}"'
    with held(state_dir, place.loopback, runtime=plan.runtime, purpose=purpose, for_s=for_s):
        refuse_leftovers(place.runs, state_dir)
        return run_through(conduct)


def refuse_leftovers(runs: Path, state_dir: Path) -> None:
    """UncleanError while a fault of an earlier run may still be active."""
    left = leftovers(runs, state_dir)
    if left:
        lines = "\n".join(f"  {leftover.sentence()}" for leftover in left)
        raise UncleanError(f"Faults of an earlier run are not shown to be reverted:\n{lines}\nRun: gameday revert")


@asynccontextmanager
async def started(plan: Plan, state_dir: Path, place: Place, interrupts: Interrupts) -> AsyncIterator[RunningTarget]:
    """The target, running: attached to if it is up already, else started and afterwards stopped."""
    already = running(plan.target, state_dir)
    if already is not None:
        for what, is_so, asked in (
            ("with defect", already.defect, plan.defect),
            ("on the runtime", already.runtime, plan.runtime),
        ):
            if is_so != asked:
                raise ExperimentError(f"The target is up {what} {is_so}, this run asks for {asked}. Run: gameday down")
        yield already
        return
    choice = Choice(runtime=plan.runtime, loopback=place.loopback, engine=place.engine)
    spec_path = Path(plan.target_path)
    target = await runtimes.up(choice, plan.target, spec_path, state_dir=state_dir, defect=plan.defect)
    try:
        yield target
    finally:
        with interrupts.ignored():
            await target.down()


def inject_by_hand(
    fault: WrittenFault, spec: TargetSpec, place: Place, *, target_path: Path, on_stage: Callable[[str], None]
) -> None:
    """One fault on a running target, journalled, guarded and probed as in a run; reverted at its end or at Ctrl-C."""
    planned = planned_faults((fault,), target=spec, disturbed_s=0.0)
    state_dir = place.state_of(target_path)
    lasts_s = max(one.revert_s for one in planned)
    with held(state_dir, place.loopback, purpose=f"{fault_id(fault, 1)} by hand", for_s=lasts_s + SETTLING_S):
        refuse_leftovers(place.runs, state_dir)
        target = running(spec, state_dir)
        if target is None:
            raise TargetError(f"{spec.name} is not up on {place.loopback}. Run: gameday up")
        problems = refusals(planned, spec, runtime=target.runtime)
        if problems:
            raise ExperimentError("\n".join(problems))
        name = planned[0].part_of or planned[0].id
        folder = create_run_folder(place.runs, name=f"by-hand-{name}", at=clock.utc_now())
        with linked(state_dir, folder):
            run_through(lambda interrupts: by_hand(target, planned, folder, interrupts=interrupts, on_stage=on_stage))


SHORTEST_WATCH_S = 5.0  # less shows no symptom


def watch(spec: TargetSpec, target_path: Path, loopback: str, *, for_s: float) -> list[Sample]:
    """What the running target shows in this time; nothing is done to it. TargetError where it is not up or silent."""
    if for_s < SHORTEST_WATCH_S:
        raise ExperimentError(f"--for {for_s:g}s: a symptom has to be watched for {SHORTEST_WATCH_S:g}s at least.")
    target = running(spec, Place(runs=Path(), loopback=loopback).state_of(target_path))
    if target is None:
        raise TargetError(f"{spec.name} is not up on {loopback}. Run: gameday up")
    samples = asyncio.run(watched(target, for_s=for_s))
    if not samples:
        raise TargetError(f"{spec.name} is up on {loopback}, and none of its services showed any metrics.")
    return samples
