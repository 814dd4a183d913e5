"""Whether retries stay within their budget: attempts on dependencies against calls, as the replicas count them.

Amplification is what keeps an overload alive after its cause is gone, so the budget has to hold in the worst seconds,
not only on average. What must never be repeated has no budget: there one repetition is one too many, and a single call
already shows something. Counters start again at 0 with their process; attempts and calls are compared by increases.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.experiment.expectations.retries import RetriesCheck
from harness.record.reader import Run
from harness.verify import figures, windows
from harness.verify.verdict import Evidence, Figure, Outcome, Verdict
from harness.verify.windows import Bools, Floats

WORST_WINDOW_S = 5.0  # a call and its last attempt may be counted seconds apart
MIN_CALLS = 100
RESERVE = 10.0  # retries that a budget grants in a quiet second (Finagle's floor), and calls still under way


@dataclass(frozen=True, slots=True, kw_only=True)
class _Increases:
    """Increases of both counters of one dependency, over all replicas, by the end of each second."""

    dependency: str
    second: Floats
    calls: Floats
    attempts: Floats


def check_retries(run: Run, check: RetriesCheck) -> Verdict:
    name = f"retries within {check.budget}{'' if check.dependency is None else f' on {check.dependency}'}"
    counted = [each for each in _increases(run) if check.dependency in (None, each.dependency)]
    if not counted:
        why = f"no replica exports calls and attempts of {check.dependency or 'its dependencies'}"
        return figures.verdict_of("retries", name, [_nothing(why)], passed="")
    found: list[Figure] = []
    evidence: list[Evidence] = []
    for dependency in counted:
        found.append(_ratio_figure(check, dependency, "in the whole run", dependency.calls >= 0))
        for fault in windows.fault_windows(run):
            during = fault.window(run.plan.duration_s)
            mine = (dependency.second >= during.start_s) & (dependency.second < during.end_s + windows.SETTLING_S)
            if dependency.calls[mine].sum() > 0:
                found.append(_ratio_figure(check, dependency, f"during {fault.fault}", mine))
        worst, moment = _worst_window(check, dependency)
        found.append(worst)
        evidence.append(moment)
    return figures.verdict_of("retries", name, found, evidence, passed=_passed(check, found))


def _increases(run: Run) -> list[_Increases]:
    names = run.plan.target.metrics
    frames = []
    for service in windows.services_with_role(run, "api"):
        for metric, column in ((names.dependency_calls, "calls"), (names.dependency_attempts, "attempts")):
            counters = windows.by_label(run, service, metric, "dependency")
            for dependency in counters:
                frames.append(_increase(counters[dependency], str(dependency), column))
    if not frames:
        return []
    everything = pd.concat(frames)
    table = everything.pivot_table(index=["dependency", "second"], columns="kind", values="increase", aggfunc="sum")
    if not {"calls", "attempts"} <= set(table.columns):
        return []
    found = []
    for dependency, rows in table.fillna(0.0).groupby(level="dependency"):
        second = rows.index.get_level_values("second").to_numpy(dtype=np.float64)
        found.append(
            _Increases(
                dependency=str(dependency),
                second=second,
                calls=rows["calls"].to_numpy(dtype=np.float64),
                attempts=rows["attempts"].to_numpy(dtype=np.float64),
            )
        )
    return found


def _increase(counter: pd.Series, dependency: str, kind: str) -> pd.DataFrame:
    """What a counter rose by between scrapes; one that fell was started anew, and what it shows is all new."""
    values = counter.dropna()
    rise = values.diff()
    rise = rise.where(rise >= 0, values)
    rise.iloc[:1] = 0.0  # before the first scrape nothing is known
    second = np.floor(values.index.to_numpy(dtype=np.float64))
    return pd.DataFrame({"dependency": dependency, "second": second, "kind": kind, "increase": rise.to_numpy()})


def _ratio_figure(check: RetriesCheck, counted: _Increases, where: str, mine: Bools) -> Figure:
    calls, attempts = float(counted.calls[mine].sum()), float(counted.attempts[mine].sum())
    return _decided(check, f"{counted.dependency} attempts per call {where}", calls, attempts)


def _decided(check: RetriesCheck, name: str, calls: float, attempts: float) -> Figure:
    limit = 1 + check.budget
    enough, reserve = (MIN_CALLS, RESERVE) if check.budget else (1, 0.0)
    ratio = attempts / calls if calls else None
    if attempts > limit * calls + reserve:
        outcome, why = Outcome.FAIL, f"{attempts:,.0f} attempts for {calls:,.0f} calls"
    elif calls < enough:
        outcome, why = Outcome.INCONCLUSIVE, f"fewer than {MIN_CALLS} calls" if check.budget else "no call"
    else:
        outcome, why = Outcome.PASS, ""
    accept = f"at most {limit:g} (and {reserve:g} attempts more)" if reserve else f"at most {limit:g}"
    return figures.stated(name, ratio, unit="", samples=int(calls), accept=accept, outcome=outcome, reason=why)


def _worst_window(check: RetriesCheck, counted: _Increases) -> tuple[Figure, Evidence]:
    """The five seconds with most attempts beyond the budget."""
    start = int(counted.second.min())
    seconds = int(counted.second.max()) - start + 1
    calls, attempts = np.zeros(seconds), np.zeros(seconds)
    index = (counted.second - start).astype(np.int64)
    calls[index], attempts[index] = counted.calls, counted.attempts
    width = min(int(WORST_WINDOW_S), seconds)
    kernel = np.ones(width)
    calls_in, attempts_in = np.convolve(calls, kernel, "valid"), np.convolve(attempts, kernel, "valid")
    worst = int((attempts_in - (1 + check.budget) * calls_in).argmax())
    total = float(calls_in[worst])
    name = f"{counted.dependency} attempts per call in the worst {width} s"
    figure = _decided(check, name, total, float(attempts_in[worst]))
    if figure.outcome is Outcome.INCONCLUSIVE:  # a quiet stretch is no doubt about the busy ones
        figure = figures.stated(
            name, figure.value, unit="", samples=figure.samples, accept=figure.accept, outcome=Outcome.PASS,
            reason="within the reserve",
        )  # fmt: skip
    at_s = float(start + worst)
    sentence = f"{counted.dependency}: {attempts_in[worst]:,.0f} attempts for {total:,.0f} calls, the worst {width} s."
    return figure, Evidence(at_s=at_s, until_s=at_s + width, sentence=sentence, source="metrics")


def _nothing(why: str) -> Figure:
    return figures.stated(
        "attempts per call", None, unit="", samples=0, accept="some", outcome=Outcome.INCONCLUSIVE, reason=why
    )


def _passed(check: RetriesCheck, found: list[Figure]) -> str:
    said = [f"{figure.name} {figure.value:.3g}" for figure in found if figure.value is not None]
    return f"Expected at most {1 + check.budget:g} attempts per call; measured: {'; '.join(said)}."
