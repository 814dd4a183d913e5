"""A suite: experiments that are run one after the other, in their short form, within a budget of time.

An experiment says itself which suites it is in, so there is no list that could name one that is gone. Every experiment
of the folder is in `nightly`.
"""

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ExitCode, ExperimentError, GamedayError
from harness.experiment.experiment import Suite
from harness.faults.catalogue import refusals
from harness.gameday import plan_of
from harness.loader import load_experiment
from harness.plan import Plan
from harness.target.runtimes import RUNTIMES, check_runtime

if TYPE_CHECKING:
    from harness.report.summary import Summary  # loads the scientific libraries

BUDGET_S = {Suite.SMOKE: 5 * 60.0, Suite.GATE: 20 * 60.0, Suite.NIGHTLY: 4 * 3600.0}
AROUND_A_RUN_S = 20.0  # to start the target, prepare the load, judge and stop

# From the best to the worst. What the system broke outweighs what could not be tried, and what is left disturbed all.
BADNESS = (
    ExitCode.PASS,
    ExitCode.INCONCLUSIVE,
    ExitCode.STOPPED,
    ExitCode.USAGE,
    ExitCode.BROKEN,
    ExitCode.FAIL,
    ExitCode.UNCLEAN,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One experiment of a suite; `cannot` says why the runtime has not the powers for it, and is empty where it has."""

    plan: Plan
    cannot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How one experiment of a suite ended. Without an exit code it was left out, without a report it has no verdicts;
    nothing is run after one that `is_last`: something may still be disturbed, or the operator said so."""

    experiment: str
    exit_code: ExitCode | None
    sentence: str
    reported: "Summary | None" = None
    is_last: bool = False


def parts_of(suite: Suite, folder: Path, *, runtime: str) -> list[Part]:
    """The suite's experiments, by name; ExperimentError where one is wrong, none is in it, or they take too long."""
    check_runtime(runtime)
    loaded = [load_experiment(path, short=True) for path in sorted(folder.glob("*.yaml"))]
    mine = [one for one in loaded if suite is Suite.NIGHTLY or suite in one.experiment.suites]
    if not mine:
        raise ExperimentError(f"{folder}: no experiment is in the suite {suite}. Write into one: suites: [{suite}]")
    parts = [_part(plan_of(one, runtime=runtime), one.path) for one in mine]
    planned_s = planned_time_s(parts)
    if planned_s > BUDGET_S[suite]:
        raise ExperimentError(
            f"{folder}: the suite {suite} would take {planned_s:.0f}s, and may take {BUDGET_S[suite]:.0f}s: "
            f"take one of its {len(parts)} experiments out, or make its short form shorter."
        )
    return parts


def _part(plan: Plan, path: Path) -> Part:
    """What this runtime cannot do is left out if another one can; else the file is wrong."""
    problems = {runtime: refusals(plan.faults, plan.target, runtime=runtime) for runtime in RUNTIMES}
    mine = "; ".join(problems[plan.runtime])
    if all(problems.values()):
        raise ExperimentError(f"{path}: {mine}")
    return Part(plan=plan, cannot=mine)


def planned_time_s(parts: Sequence[Part]) -> float:
    return sum(part.plan.duration_s + AROUND_A_RUN_S for part in parts if not part.cannot)


def run_all(parts: Sequence[Part], run: Callable[[Plan], Ended]) -> Iterator[Ended]:
    """One after the other, those that are left out too. What cannot be driven does not keep others from their turn."""
    was_last = False
    for part in parts:
        name = part.plan.experiment
        if part.cannot or was_last:
            why = part.cannot or "the suite was ended before its turn"
            yield Ended(experiment=name, exit_code=None, sentence=why)
            continue
        try:
            ended = run(part.plan)
        except GamedayError as error:
            ends_all = error.exit_code in (ExitCode.UNCLEAN, ExitCode.STOPPED)
            ended = Ended(experiment=name, exit_code=error.exit_code, sentence=str(error), is_last=ends_all)
        except Exception as error:
            traceback.print_exc()
            ended = Ended(experiment=name, exit_code=ExitCode.BROKEN, sentence=f"{type(error).__name__}: {error}")
        was_last = ended.is_last
        yield ended


def exit_code(ended: Sequence[Ended]) -> ExitCode:
    """The worst one; where nothing was run, nothing is known."""
    codes = [one.exit_code for one in ended if one.exit_code is not None]
    return max(codes, key=BADNESS.index, default=ExitCode.INCONCLUSIVE)
