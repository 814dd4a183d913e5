"""Whether retries stay within their budget: attempts on dependencies against calls, as the replicas count them.

Amplification is what keeps an overload alive after its cause is gone, so the budget has to hold in the worst seconds,
not only on average. What must never be repeated has no budget: there one repetition is one too many, and a single call
already shows something. Counters start again at 0 with their process; attempts and calls are compared by increases.

Each replica has to show both counters, and no fewer attempts than calls. What a breaker refuses is neither: counted as
a call it would hide the attempts of others.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.experiment.expectations.retries import RetriesCheck
from harness.record.reader import Run
from harness.verify import figures, windows
from harness.verify.caching.counters import Growth, growth
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
    shown = _shown(run, check.dependency)
    if shown.empty:
        why = f"no replica exports calls and attempts of {check.dependency or 'its dependencies'}"
        return figures.verdict_of("retries", name, [_nothing(why)], passed="")
    found: list[Figure] = [*_not_to_be_compared(shown)]
    evidence: list[Evidence] = []
    for dependency in _increases(shown):
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


def _shown(run: Run, dependency: str | None) -> Growth:
    """What both counters of the replicas rose by at each scrape, with a column `kind`: calls or attempts."""
    names = run.plan.target.metrics
    metrics = {"calls": names.dependency_calls, "attempts": names.dependency_attempts}
    counted = [growth(run, metric, "dependency").assign(kind=kind) for kind, metric in metrics.items()]
    shown = pd.concat(counted, ignore_index=True)
    replica = shown["service"].isin(windows.services_with_role(run, "api"))
    return shown[replica if dependency is None else replica & (shown["word"] == dependency)]


def _not_to_be_compared(shown: Growth) -> Iterator[Figure]:
    """Replicas that lack one of the counters, or whose calls cannot all have been tried."""
    for (dependency, service), own in shown.groupby(["word", "service"]):
        calls, attempts = own[own["kind"] == "calls"], own[own["kind"] == "attempts"]
        # A call of the last moments may not have been tried yet when the last scrape was made.
        tried = int(calls.loc[calls["at_s"] < own["at_s"].max() - WORST_WINDOW_S, "count"].sum())
        made, attempted = int(calls["count"].sum()), int(attempts["count"].sum())
        ratio, why = None, ""
        if attempts.empty or calls.empty:
            why = f"it shows no {'attempts' if attempts.empty else 'calls'}"
        elif attempted < tried:
            ratio = attempted / made
            why = f"{attempted:,} attempts for {made:,} calls: it may count as calls what its breaker refuses"
        if why:
            yield figures.stated(
                f"{dependency} attempts per call of {service}", ratio, unit="", samples=made,
                accept="at least 1", outcome=Outcome.INCONCLUSIVE, reason=why,
            )  # fmt: skip


def _increases(shown: Growth) -> Iterator[_Increases]:
    """Of each dependency, over the replicas that show both counters."""
    both = shown.groupby(["word", "service"])["kind"].transform("nunique") == 2
    by_second = shown[both].assign(second=np.floor(shown.loc[both, "at_s"]))
    table = by_second.pivot_table(index=["word", "second"], columns="kind", values="count", aggfunc="sum", fill_value=0)
    for dependency, rows in table.groupby(level="word"):
        yield _Increases(
            dependency=str(dependency),
            second=rows.index.get_level_values("second").to_numpy(dtype=np.float64),
            calls=rows["calls"].to_numpy(dtype=np.float64),
            attempts=rows["attempts"].to_numpy(dtype=np.float64),
        )


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
