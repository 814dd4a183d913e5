"""Whether the controller measures what users see: a level that follows dishonest inputs is no degradation promise kept.

The controller's window and the clients' are not the same: they end up to two seconds apart, clients see errors that
replicas cannot (a gateway's, a lost connection), and a client gives up while its request is still being worked on. An
answer that only replaces what is off was not tried, and may be counted as an answer or not. So the comparison is
one-sided where only one side can know, takes the most favourable of several shifted windows, and speaks only of
evaluations that disagree several times in a row.

What nobody sees cannot be compared: an input of the ladder that is not shown as a number demands nothing, and would let
a level that never moves pass. Without answers there may be no number.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.record.reader import Run
from harness.record.rows import Outcome as Ending
from harness.target.promises import DegradationPromise
from harness.verify import figures, ladder
from harness.verify.ladder import Evaluation
from harness.verify.level_trace import LevelTrace
from harness.verify.verdict import Figure, Outcome
from harness.verify.windows import Bools, Floats, column, is_word

SHIFTS_S = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5)  # of the clients' window against the scrape that shows the evaluation
CONFIDENCE = 0.999
RATIO_SLACK = 0.02
LATENCY_FACTOR = 1.5  # a histogram's quantile is off by up to a bucket
LATENCY_SLACK_MS = 100.0
GAVE_UP_SHARE = 0.9  # of the deadline: a client that waited this long bounds nothing from above
IN_A_ROW = 3
MIN_ANSWERS = 20  # fewer answers in a window say nothing
UNKNOWN_SHARE = 0.02  # of evaluations


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """Clients' answers in order of their end."""

    finished_s: Floats
    ok: Floats  # running totals from here on; without what was replaced
    bad: Floats
    own_errors: Floats  # errors that a replica itself answered with
    answered: Floats
    service_ms: Floats  # of each


def figures_of(run: Run, promise: DegradationPromise, trace: LevelTrace, evaluations: list[Evaluation]) -> list[Figure]:
    seen = _seen(run)
    known = {name for evaluation in evaluations for name in evaluation.inputs}
    found = [_shown(promise, trace, evaluations, busy=_busy(run, promise, trace, evaluations))]
    if "error_ratio" in known:
        found.append(_errors(seen, promise, evaluations, run.plan.load.deadline))
    if "latency_p99_ms" in known:
        found.append(_latency(seen, promise, evaluations, run.plan.load.deadline))
    return found


def _shown(promise: DegradationPromise, trace: LevelTrace, evaluations: list[Evaluation], *, busy: Bools) -> Figure:
    """Whether all inputs of the ladder are numbers where there was something to measure."""
    counted = busy if busy.any() else np.ones(len(busy), dtype=bool)
    names = ladder.all_inputs(promise)
    recorded = np.array([_recorded(evaluations, name) for name in names]).reshape(len(names), len(evaluations))
    unknown = np.isnan(recorded) & counted
    hidden = " and ".join(name for name, unseen in zip(names, unknown, strict=True) if unseen.any())
    wrong = unknown.any(axis=0)
    first = figures.at(evaluations[int(wrong.argmax())].at_s)
    share = float(wrong.sum() / counted.sum())
    return figures.condition(
        "evaluations with an unknown input", share, unit="ratio", samples=int(counted.sum()),
        accept=f"at most {figures.say(UNKNOWN_SHARE, 'ratio')}", holds=share <= UNKNOWN_SHARE,
        reason=f"{trace.service} did not show {hidden} as a number, first at {first}",
    )  # fmt: skip


def _busy(run: Run, promise: DegradationPromise, trace: LevelTrace, evaluations: list[Evaluation]) -> Bools:
    """Where the controller's region had answers enough, whichever of the shifted windows was looked at."""
    frame, region = run.requests, run.plan.target.services[trace.service].region
    handled = is_word(frame["outcome"], Ending.OK, Ending.FAILED, Ending.UNKNOWN) & (frame["level"].to_numpy() >= 0)
    if region is not None:
        handled &= is_word(frame["region_served"], region)
    finished_s = np.sort(column(frame, "finished_s")[handled])
    spans = [_span(finished_s, evaluations, promise.input_window, shift_s) for shift_s in SHIFTS_S]
    result: Bools = np.min([last - first for first, last in spans], axis=0) >= MIN_ANSWERS
    return result


def _recorded(evaluations: list[Evaluation], name: str) -> Floats:
    return np.array([evaluation.inputs.get(name, np.nan) for evaluation in evaluations])


def _seen(run: Run) -> _Seen:
    frame = run.requests
    order = np.argsort(column(frame, "finished_s"), kind="stable")
    frame = frame[["finished_s", "service_s", "outcome", "status", "level", "disabled_feature"]].iloc[order]
    ok = is_word(frame["outcome"], Ending.OK) & is_word(frame["disabled_feature"], "")
    bad = is_word(frame["outcome"], Ending.FAILED, Ending.UNKNOWN)
    own = bad & (frame["status"].to_numpy() >= 500) & (frame["level"].to_numpy() >= 0)
    answered = is_word(frame["outcome"], Ending.OK, Ending.SHED, Ending.DISABLED) | own
    return _Seen(
        finished_s=column(frame, "finished_s"),
        ok=_totals(ok),
        bad=_totals(bad),
        own_errors=_totals(own),
        answered=_totals(answered),
        service_ms=np.nan_to_num(column(frame, "service_s") * 1000.0),
    )


def _totals(hits: Bools) -> Floats:
    result: Floats = np.r_[0.0, np.cumsum(hits)]
    return result


def _errors(seen: _Seen, promise: DegradationPromise, evaluations: list[Evaluation], deadline_s: float) -> Figure:
    """Not above what clients can have seen, not below what replicas answered themselves."""
    recorded = _recorded(evaluations, "error_ratio")
    most, least = np.zeros(len(recorded)), np.ones(len(recorded))
    enough = np.zeros(len(recorded), dtype=bool)
    for shift_s in (*(-deadline_s + 1.0 * late for late in range(int(deadline_s) - 2)), *SHIFTS_S):
        first, last = _span(seen.finished_s, evaluations, promise.input_window, shift_s)
        bad, ok = seen.bad[last] - seen.bad[first], seen.ok[last] - seen.ok[first]
        most = np.maximum(most, _upper(bad, ok + bad))
        if shift_s not in SHIFTS_S:
            continue  # a client that gave up long ago excuses a high ratio, not a low one
        own, answered = seen.own_errors[last] - seen.own_errors[first], seen.answered[last] - seen.answered[first]
        enough |= bad + ok >= MIN_ANSWERS
        least = np.minimum(least, _lower(own, answered))
    wrong = enough & ((recorded > most + RATIO_SLACK) | (recorded < least - RATIO_SLACK))
    return _figure("error_ratio", evaluations, _Compared(recorded=recorded, low=least, high=most), wrong, enough)


def _latency(seen: _Seen, promise: DegradationPromise, evaluations: list[Evaluation], deadline_s: float) -> Figure:
    """Not above the longest that any client waited: more than that nobody can have measured, unless one gave up."""
    recorded = _recorded(evaluations, "latency_p99_ms")
    first, _ = _span(seen.finished_s, evaluations, promise.input_window, -deadline_s)
    _, last = _span(seen.finished_s, evaluations, promise.input_window, max(SHIFTS_S))
    longest = np.array(
        [seen.service_ms[a:b].max() if b > a else 0.0 for a, b in zip(first, last, strict=True)], dtype=np.float64
    )
    longest[longest >= GAVE_UP_SHARE * deadline_s * 1000.0] = np.inf
    enough = last - first >= MIN_ANSWERS
    wrong = enough & (recorded > longest * LATENCY_FACTOR + LATENCY_SLACK_MS)
    compared = _Compared(recorded=recorded, low=np.zeros(len(longest)), high=longest)
    return _figure("latency_p99_ms", evaluations, compared, wrong, enough)


def _span(
    finished_s: Floats, evaluations: list[Evaluation], window_s: float, shift_s: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last answer of each evaluation's window, shifted."""
    end_s = np.array([evaluation.at_s for evaluation in evaluations]) + shift_s
    return np.searchsorted(finished_s, end_s - window_s), np.searchsorted(finished_s, end_s)


def _upper(hits: Floats, samples: Floats) -> Floats:
    """Clopper–Pearson's upper end; 1 where there is nothing."""
    high = stats.beta.ppf((1 + CONFIDENCE) / 2, hits + 1, np.maximum(samples - hits, 1e-9))
    result: Floats = np.where((samples == 0) | (hits == samples), 1.0, high)
    return result


def _lower(hits: Floats, samples: Floats) -> Floats:
    low = stats.beta.ppf((1 - CONFIDENCE) / 2, np.maximum(hits, 1e-9), samples - hits + 1)
    result: Floats = np.where(hits == 0, 0.0, low)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """What was recorded at each evaluation, and between what clients can have seen."""

    recorded: Floats
    low: Floats
    high: Floats


def _figure(name: str, evaluations: list[Evaluation], compared: _Compared, wrong: Bools, enough: Bools) -> Figure:
    start, length = _longest_run(wrong)
    outcome, reason = Outcome.PASS, ""
    if not enough.any():
        outcome, reason = Outcome.INCONCLUSIVE, "clients got too few answers to compare with"
    elif length >= IN_A_ROW:
        outcome = Outcome.FAIL
        reason = (
            f"from {figures.at(evaluations[start].at_s)} the controller recorded {compared.recorded[start]:.4g}, "
            f"clients saw between {compared.low[start]:.4g} and {compared.high[start]:.4g} at {CONFIDENCE:.1%}"
        )
    return figures.stated(
        f"evaluations in a row with another {name} than clients saw",
        float(length),
        unit="",
        samples=int(enough.sum()),
        accept=f"fewer than {IN_A_ROW}",
        outcome=outcome,
        reason=reason,
    )


def _longest_run(hits: Bools) -> tuple[int, int]:
    """Start and length of the longest run of hits."""
    best = (0, 0)
    length = 0
    for index, hit in enumerate(hits):
        length = length + 1 if hit else 0
        if length > best[1]:
            best = (index - length + 1, length)
    return best
