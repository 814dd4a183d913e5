"""What the controller showed, evaluation by evaluation, and when which level was in force. No judgement."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.record.reader import Run
from harness.target.promises import DegradationPromise
from harness.verify import windows
from harness.verify.figures import at
from harness.verify.ladder import Evaluation
from harness.verify.windows import Bools, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelTrace:
    """One controller's scrapes: when, which evaluation, which level; the level holds until the next scrape.

    `ends_early` says what was shown no more where that was before the run ended; after it no level is known.
    """

    service: str
    at_s: Floats
    number: Floats
    level: Floats
    inputs: pd.DataFrame  # one row per scrape, one column per input
    ends_early: str = ""

    @property
    def known_until_s(self) -> float:
        """For ever, where it was shown until the run ended."""
        return float(self.at_s[-1]) if self.ends_early else np.inf

    def evaluations(self) -> list[Evaluation]:
        """Each evaluation once, as the first scrape that saw it shows it."""
        fresh = np.r_[True, np.diff(self.number) != 0] if len(self.number) else np.zeros(0, dtype=bool)
        records = self.inputs.to_dict("records")
        return [
            Evaluation(
                number=int(self.number[index]),
                at_s=float(self.at_s[index]),
                inputs={str(name): float(value) for name, value in records[index].items()},
                level=int(self.level[index]),
            )
            for index in np.flatnonzero(fresh)
        ]

    def changes_s(self) -> Floats:
        """When a scrape first showed another level than the one before."""
        result: Floats = self.at_s[1:][np.diff(self.level) != 0]
        return result

    def held_s(self, level: int, start_s: float, end_s: float) -> float:
        """For how long a level was in force within a window."""
        edges = np.clip(np.r_[self.at_s, end_s], start_s, end_s)
        return float((np.diff(edges) * (self.level == level)).sum())

    def in_force(self, level: int, from_s: Floats, until_s: Floats, *, or_next: bool = False) -> Bools:
        """Whether the level was in force at any time of each stretch; `or_next` counts the first scrape after it too,
        because a change shows only there."""
        shown = self.level == level
        counts = np.r_[0, np.cumsum(shown)]
        first = np.maximum(np.searchsorted(self.at_s, from_s, side="right") - 1, 0)
        last = np.searchsorted(self.at_s, until_s, side="right") + int(or_next)
        last = np.clip(last, first + 1, len(self.at_s))
        result: Bools = counts[last] - counts[first] > 0
        return result


def traces_of(run: Run) -> list[LevelTrace]:
    """One for each controller that was scraped."""
    return [trace for name in windows.services_with_role(run, "controller") if (trace := _trace(run, name)) is not None]


def never_shown(run: Run, traces: list[LevelTrace]) -> list[str]:
    """`no scrape of europe-controller shows level and evaluation`, of each controller without a trace."""
    shown = {trace.service for trace in traces}
    return [
        f"no scrape of {name} shows level and evaluation"
        for name in windows.services_with_role(run, "controller")
        if name not in shown
    ]


def promise_of(run: Run) -> DegradationPromise | None:
    return run.plan.target.promises.degradation


def _trace(run: Run, service: str) -> LevelTrace | None:
    names = run.plan.target.metrics
    number = windows.series(run, service, names.evaluations).set_index("at_s")["value"]
    level = windows.series(run, service, names.level).set_index("at_s")["value"]
    inputs = windows.by_label(run, service, names.level_inputs, "input")
    number, level = number[~number.index.duplicated()], level[~level.index.duplicated()]
    shown = {names.evaluations: number.index, names.level: level.index}
    if not inputs.empty:
        shown[names.level_inputs] = inputs.index
    common = number.index
    for scrapes_s in shown.values():
        common = common.intersection(scrapes_s)
    if common.empty:
        return None
    return LevelTrace(
        service=service,
        at_s=common.to_numpy(dtype=np.float64),
        number=number.loc[common].to_numpy(dtype=np.float64),
        level=level.loc[common].to_numpy(dtype=np.float64),
        inputs=inputs.loc[common] if not inputs.empty else pd.DataFrame(index=common),
        ends_early=_ends_early(run, service, shown, float(common[-1])),
    )


def _ends_early(run: Run, service: str, shown: Mapping[str, pd.Index], last_s: float) -> str:
    """`no scrape of us-east-controller shows degradation_level after T+31.5 s`"""
    if windows.end_of_run_s(run) - last_s <= windows.UNSEEN_S:
        return ""
    gone = [name for name, scrapes_s in shown.items() if scrapes_s[-1] <= last_s]
    return f"no scrape of {service} shows {' and '.join(gone or shown)} after {at(last_s)}"
