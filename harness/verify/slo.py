"""Objectives on what users saw: latency from the scheduled time, errors and goodput, over one window of the run.

Latency counts from when a request was *scheduled*, over answered requests; one that was given up without an answer (at
its deadline, or because it could not be sent) counts as slower than any limit, so that a system that answers nobody is
not fast. Refusals (shed, disabled) are neither errors nor good. A limit on a quantile is tested as the share of
requests above it, over blocks of time. What is broken by latency in a window in which the generator itself was late is
undecided (`lateness.py`).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.experiment.expectations.slo import SloCheck
from harness.record.reader import Run
from harness.record.rows import ErrorClass, Outcome
from harness.verify import figures, lateness, statistics
from harness.verify.figures import Tested, at, say
from harness.verify.statistics import Estimate
from harness.verify.verdict import Evidence, Figure, Interval, Verdict
from harness.verify.verdict import Outcome as Ruling
from harness.verify.windows import Bools, Floats, Window, column, is_steady, is_word, phase_window

QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
BAD = (Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_SENT)
LATE_ERRORS = "errors later than"
GIVEN_UP = (ErrorClass.DEADLINE, ErrorClass.CLIENT_LIMIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The requests that an objective is about, as columns; `timed` are those that have a latency."""

    window: Window
    steady: bool
    scheduled_s: Floats
    latency_s: Floats
    ok: Bools
    bad: Bools
    timed: Bools


def check_slo(run: Run, check: SloCheck) -> Verdict:
    name = name_of(check)
    window = window_of(run, check)
    if window is None:
        return figures.verdict_of("slo", name, [_no_window(check)], passed="")
    chosen = slice_of(run, check, window)
    tests = [*_latency_tests(check, chosen), *_share_tests(check, chosen)]
    found = [*figures.decided(tests, figures.alpha_of(run.plan)), *_exact_figures(check, chosen)]
    late = lateness.late_in(run, window)
    found = [lateness.excused(figure, late if _by_time(figure) else "") for figure in map(_estimable, found)]
    evidence = _evidence(check, chosen, found)
    return figures.verdict_of("slo", name, found, evidence, passed=_passed(check, window, found))


def name_of(check: SloCheck) -> str:
    about = [check.phase]
    if check.start is not None or check.end is not None:
        about.append(f"{check.start or 'start'} to {check.end or 'end'}")
    if check.operation is not None:
        about.append(check.operation)
    if check.priority is not None:
        about.append(f"priority {check.priority}")
    limits = [f"{name} ≤ {limit}" for name, limit in _limits(check).items()]
    if check.error_ratio is not None:
        limits.append(f"errors ≤ {check.error_ratio}")
    if check.goodput_ratio is not None:
        limits.append(f"goodput ≥ {check.goodput_ratio}")
    if check.fails_within is not None:
        limits.append(f"fails within {check.fails_within}")
    return f"slo in {', '.join(about)}: {', '.join(limits) or 'no objective'}"


def window_of(run: Run, check: SloCheck) -> Window | None:
    phase = phase_window(run.plan, check.phase)
    if phase is None:
        return None
    start_s = phase.start_s + (check.start or 0.0)
    end_s = phase.end_s if check.end is None else min(phase.end_s, phase.start_s + check.end)
    return Window(name=check.phase, start_s=start_s, end_s=end_s) if end_s > start_s else None


def slice_of(run: Run, check: SloCheck, window: Window) -> Slice:
    frame = run.requests
    chosen = window.holds(column(frame, "scheduled_s"))
    if check.operation is not None:
        chosen &= is_word(frame["operation"], check.operation)
    if check.priority is not None:
        chosen &= frame["priority"].to_numpy() == check.priority
    columns = ["scheduled_s", "latency_s", "outcome", "error"]
    return _columns(frame.loc[chosen, columns], window, steady=is_steady(run, window))


def _columns(frame: pd.DataFrame, window: Window, *, steady: bool) -> Slice:
    ok = is_word(frame["outcome"], Outcome.OK)
    given_up = is_word(frame["error"], *GIVEN_UP)
    latency_s = np.where(given_up, np.inf, column(frame, "latency_s"))
    return Slice(
        window=window,
        steady=steady,
        scheduled_s=column(frame, "scheduled_s"),
        latency_s=latency_s,
        ok=ok,
        bad=is_word(frame["outcome"], *BAD),
        timed=ok | given_up,
    )


def _limits(check: SloCheck) -> dict[str, float]:
    limits = {"p50": check.p50, "p95": check.p95, "p99": check.p99}
    return {name: limit for name, limit in limits.items() if limit is not None}


# --- latency --------------------------------------------------------------------------------------------------------


def _latency_tests(check: SloCheck, chosen: Slice) -> list[Tested]:
    at_s, latency_s = chosen.scheduled_s[chosen.timed], chosen.latency_s[chosen.timed]
    found = []
    for name, limit_s in _limits(check).items():
        objective = QuantileObjective(name=f"latency {name}", quantile=QUANTILES[name], limit_s=limit_s)
        found.append(quantile_test(objective, at_s, latency_s, window=chosen.window, steady=chosen.steady))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileObjective:
    name: str
    quantile: float
    limit_s: float


def quantile_test(
    objective: QuantileObjective, at_s: Floats, values_s: Floats, *, window: Window, steady: bool
) -> Tested:
    """ "p99 ≤ limit" as "at most 1 % are above the limit"; shown as the quantile with its own interval."""
    ordered = np.sort(values_s)
    value = statistics.empirical_quantile(ordered, objective.quantile)
    bar = None if value is None else _quantile_bar(at_s, values_s, ordered, value=value, window=window, steady=steady)
    return Tested(
        name=objective.name,
        unit="s",
        estimate=_over_blocks(at_s, values_s > objective.limit_s, window, steady=steady),
        high=1 - objective.quantile,
        accept=f"at most {say(objective.limit_s, 's')}",
        on_scale=False,
        shown=None if value is None or not np.isfinite(value) else value,
        bar=bar,
    )


def _over_blocks(at_s: Floats, hits: Bools, window: Window, *, steady: bool) -> Estimate:
    return statistics.block_share(at_s, hits, start_s=window.start_s, end_s=window.end_s, steady=steady)


def _quantile_bar(
    at_s: Floats, values_s: Floats, ordered: Floats, *, value: float, window: Window, steady: bool
) -> Interval | None:
    """Woodruff's interval: the block interval of the share above the estimate, read back through the samples."""
    around = _over_blocks(at_s, values_s > value, window, steady=steady).interval
    if around is None:
        return None
    fewest, most = statistics.ends(around)
    count = len(ordered)
    low = float(ordered[max(0, int((1 - most) * count) - 1)])
    last = int(np.ceil((1 - fewest) * count))
    high = float(ordered[last]) if last < count else np.inf
    return Interval(
        low=low if np.isfinite(low) else None,
        high=high if np.isfinite(high) else None,
        level=around.level,
        method=f"ranks from {around.method}",
    )


def _by_time(figure: Figure) -> bool:
    """Whether it counts what took too long, and not only what failed."""
    return figure.name.startswith(("latency", "goodput", LATE_ERRORS))


def _estimable(figure: Figure) -> Figure:
    """Below the least number of samples a quantile is no number, whatever its share test says."""
    quantile = QUANTILES.get(figure.name.removeprefix("latency "))
    if quantile is None or figure.samples >= (needed := statistics.min_samples(quantile)):
        return figure
    if figure.outcome is Ruling.FAIL:  # too many above the limit can be known from few samples
        return figure
    return figures.stated(
        figure.name,
        None,
        unit="s",
        samples=figure.samples,
        accept=figure.accept,
        outcome=Ruling.INCONCLUSIVE,
        reason=f"not estimable from fewer than {needed} answers",
    )


# --- shares ---------------------------------------------------------------------------------------------------------


def _share_tests(check: SloCheck, chosen: Slice) -> list[Tested]:
    tests = []
    at_s, window, steady = chosen.scheduled_s, chosen.window, chosen.steady
    if check.error_ratio:
        tests.append(
            Tested(
                name="error ratio",
                unit="ratio",
                estimate=_over_blocks(at_s, chosen.bad, window, steady=steady),
                high=float(check.error_ratio),
                accept=f"at most {say(check.error_ratio, 'ratio')}",
            )
        )
    if check.goodput_ratio is not None:
        good = chosen.ok & (chosen.latency_s <= check.within)
        tests.append(
            Tested(
                name=f"goodput ratio within {say(check.within, 's')}",
                unit="ratio",
                estimate=_over_blocks(at_s, good, window, steady=steady),
                low=float(check.goodput_ratio),
                accept=f"at least {say(check.goodput_ratio, 'ratio')}",
            )
        )
    return tests


def _exact_figures(check: SloCheck, chosen: Slice) -> list[Figure]:
    """ "No error at all" is no hypothesis about a share: one error breaks it. Nor is how long it may take to fail."""
    found = []
    if check.error_ratio is not None and check.error_ratio <= 0:
        found.append(figures.never("errors", int(chosen.bad.sum()), len(chosen.bad)))
    if check.fails_within is not None:
        took_s = chosen.latency_s[chosen.bad & ~np.isnan(chosen.latency_s)]
        late = took_s > check.fails_within
        worst_s = float(took_s.max(initial=0.0))
        slowest = f"the slowest after {say(worst_s, 's')}" if np.isfinite(worst_s) else "there was no answer at all"
        name = f"{LATE_ERRORS} {check.fails_within}"
        nothing = "nothing failed"
        found.append(figures.at_most(name, int(late.sum()), len(took_s), allowed=0, reason=slowest, nothing=nothing))
    return found


# --- words ----------------------------------------------------------------------------------------------------------


def _no_window(check: SloCheck) -> Figure:
    return figures.stated(
        "requests in the window", 0.0, unit="", samples=0, accept="some", outcome=Ruling.INCONCLUSIVE,
        reason=f'the run has no window "{check.phase}" of that place and length',
    )  # fmt: skip


def _passed(check: SloCheck, window: Window, found: list[Figure]) -> str:
    where = f"From {at(window.start_s)} to {at(window.end_s)}"
    if check.operation is not None:
        where += f", {check.operation}"
    if check.priority is not None:
        where += f", priority {check.priority}"
    return f"{where}: " + " ".join(figures.in_words(figure) for figure in found)


def _evidence(check: SloCheck, chosen: Slice, found: list[Figure]) -> list[Evidence]:
    """For what did not pass: the second in which it was worst."""
    evidence = []
    limits = _limits(check)
    for figure in found:
        name = figure.name.removeprefix("latency ")
        if figure.outcome is Ruling.PASS:
            continue
        if name in limits:
            evidence += _worst_second(
                chosen, chosen.timed, chosen.latency_s > limits[name], f"above {figure.accept[8:]}"
            )
        elif name.startswith(LATE_ERRORS):
            late = chosen.bad & (chosen.latency_s > (check.fails_within or 0.0))
            evidence += _worst_second(chosen, chosen.bad, late, "failed late")
        elif name.startswith("error"):
            evidence += _worst_second(chosen, chosen.ok | ~chosen.ok, chosen.bad, "failed, unknown or never sent")
        else:
            good = chosen.ok & (chosen.latency_s <= check.within)
            evidence += _worst_second(chosen, chosen.ok | ~chosen.ok, ~good, "not answered well in time")
    return evidence


def _worst_second(chosen: Slice, population: Bools, hits: Bools, what: str) -> list[Evidence]:
    if not hits[population].any():
        return []
    second = np.floor(chosen.scheduled_s[population]).astype(np.int64)
    first = int(second.min())
    bad = np.bincount(second - first, weights=hits[population].astype(float))
    all_of = np.bincount(second - first)
    worst = int(bad.argmax())
    sentence = f"At {at(first + worst)} most were {what}: {int(bad[worst]):,} of {int(all_of[worst]):,} requests."
    return [Evidence(at_s=float(first + worst), until_s=first + worst + 1.0, sentence=sentence, source="requests")]
