"""The degradation promise, second by second: level, features, banner, alerts, logs, and whether the inputs are honest.

The level that the promise demands is recomputed from the inputs that the controller recorded and compared with the
level it showed; then everything that has to follow the level is compared with it. A run that never left the healthy
state proves nothing about a level, so `reaches` and `visits` make that inconclusive.
"""

from dataclasses import dataclass
from itertools import pairwise

from harness.experiment.expectations.degradation import DegradationCheck
from harness.record.reader import Run
from harness.target.promises import DegradationPromise
from harness.verify import figures, ladder, level_inputs, level_on_answers, level_reports, windows
from harness.verify.figures import at, say
from harness.verify.ladder import Comparison, Evaluation, level_name, level_value
from harness.verify.level_trace import LevelTrace, never_shown, promise_of, traces_of
from harness.verify.verdict import Evidence, Figure, Outcome, Verdict

SILENT_PERIODS = 5  # evaluation periods without a new evaluation after which the controller counts as stopped
MISSED_SHARE = 0.1  # of evaluations that no scrape caught, above which the trace is too thin to judge
SHOWN_DEVIATIONS = 3
SHOWN_CHANGES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """All that is known of one controller."""

    promise: DegradationPromise
    trace: LevelTrace
    evaluations: list[Evaluation]
    comparison: Comparison


def check_degradation(run: Run, check: DegradationCheck) -> Verdict:
    name = name_of(check)
    promise, traces = promise_of(run), traces_of(run)
    if promise is None:
        return figures.verdict_of("degradation", name, [_nothing("the target promises no levels")], passed="")
    found = [_nothing(why) for why in never_shown(run, traces)]
    evidence: list[Evidence] = []
    passed = ""
    for trace in traces:
        evaluations = trace.evaluations()
        comparison = ladder.follow(promise, evaluations)
        seen = _Seen(promise=promise, trace=trace, evaluations=evaluations, comparison=comparison)
        found += _level_figures(run, check, seen)
        required = _required_levels(check, promise)
        found += level_on_answers.figures_of(run, promise, trace, required)
        found += level_reports.figures_of(run, promise, trace, evaluations)
        found += level_inputs.figures_of(run, promise, trace, evaluations)
        evidence += [*_deviations(seen), *_changes(seen)]
        passed = _passed(seen)
    return figures.verdict_of("degradation", name, found, evidence, passed=passed)


def name_of(check: DegradationCheck) -> str:
    words = ["level follows the promise"]
    if check.reaches is not None:
        words.append(f"reaches {check.reaches}")
    if check.visits:
        words.append(f"visits {', '.join(check.visits)}")
    words.append(f"ends at {check.ends_at}")
    return f"degradation: {'; '.join(words)}"


# --- the level ------------------------------------------------------------------------------------------------------


def _level_figures(run: Run, check: DegradationCheck, seen: _Seen) -> list[Figure]:
    wanted = [(check.reaches, "reached")] if check.reaches is not None else []
    wanted += [(level, "visited") for level in check.visits]
    return [
        _follows(seen),
        _caught(seen),
        _keeps_evaluating(run, seen),
        *(_shown(seen, level, how) for level, how in wanted),
        _ends(seen, check.ends_at),
    ]


def _follows(seen: _Seen) -> Figure:
    deviations = seen.comparison.deviations
    return figures.invariant(
        figures.never(
            "evaluations with another level than promised",
            len(deviations),
            seen.comparison.evaluations,
            reason=_deviation_in_words(seen, 0) if deviations else "",
        )
    )


def _caught(seen: _Seen) -> Figure:
    """Whether enough evaluations were caught by scrapes to say that the level followed."""
    missed, caught = seen.comparison.missed, seen.comparison.evaluations
    share = missed / (missed + caught) if caught else None
    enough = share is not None and share <= MISSED_SHARE
    return figures.stated(
        "evaluations that no scrape caught",
        share,
        unit="ratio",
        samples=missed + caught,
        accept=f"at most {say(MISSED_SHARE, 'ratio')}",
        outcome=Outcome.PASS if enough else Outcome.INCONCLUSIVE,
        reason="" if enough else "too few evaluations were recorded to follow the level",
    )


def _keeps_evaluating(run: Run, seen: _Seen) -> Figure:
    """The longest time in which scrapes went on and showed no new evaluation; without replicas there is none. What was
    not shown until the end nobody knows."""
    limit_s = SILENT_PERIODS * seen.promise.evaluation_period
    involved = [seen.trace.service, *windows.services_with_role(run, "api")]
    attacked = [attack for service in involved for attack in windows.attacks_on(run, service)]
    longest_s, since_s, number = 0.0, None, None
    for at_s, now in zip(seen.trace.at_s, seen.trace.number, strict=True):
        if since_s is None or now != number or any(w.start_s <= at_s < w.end_s for w in attacked):
            since_s, number = at_s, now
        longest_s = max(longest_s, float(at_s - since_s))
    outcome, why = Outcome.PASS, ""
    if longest_s > limit_s:
        outcome, why = Outcome.FAIL, "the controller stopped evaluating"
    elif seen.trace.ends_early and since_s is not None:
        longest_s = max(longest_s, windows.end_of_run_s(run) - float(since_s))
        outcome, why = Outcome.INCONCLUSIVE, seen.trace.ends_early
    return figures.stated(
        "longest time without an evaluation",
        longest_s,
        unit="s",
        samples=len(seen.trace.at_s),
        accept=f"at most {say(limit_s, 's')}",
        outcome=outcome,
        reason=why,
    )


def _shown(seen: _Seen, level: str, how: str) -> Figure:
    value = level_value(seen.promise, level)
    shown = [evaluation for evaluation in seen.evaluations if _counts_as(evaluation.level, value, how)]
    if shown:
        outcome, why = Outcome.PASS, f"first at {at(shown[0].at_s)}"
    elif value is not None and seen.comparison.demanded >= value and how == "reached":
        outcome, why = Outcome.FAIL, "the inputs demanded it and it was never shown"
    else:
        worst = level_name(seen.promise, max(evaluation.level for evaluation in seen.evaluations))
        outcome, why = Outcome.INCONCLUSIVE, f"the run never made it necessary; the worst level was {worst}"
    return figures.stated(
        f"{level} {how}", float(len(shown)), unit="evaluations", samples=len(seen.evaluations),
        accept="at least one", outcome=outcome, reason=why,
    )  # fmt: skip


def _counts_as(level: int, wanted: int | None, how: str) -> bool:
    """A level is reached by anything at least as bad, but visited only by itself."""
    if wanted is None:
        return False
    return level >= wanted if how == "reached" else level == wanted


def _ends(seen: _Seen, level: str) -> Figure:
    value, last = level_value(seen.promise, level), seen.evaluations[-1]
    name = level_name(seen.promise, last.level)
    outcome, why = Outcome.PASS, ""
    if seen.trace.ends_early:
        outcome, why = Outcome.INCONCLUSIVE, f"the last one shown was {name}: {seen.trace.ends_early}"
    elif last.level != value:
        outcome, why = Outcome.FAIL, f"at {at(last.at_s)} the level was {name}"
        healing = ladder.demanded_level(seen.promise, last.inputs) < last.level and last.level in seen.comparison.final
        if healing:
            outcome, why = Outcome.INCONCLUSIVE, f"{why}, on its promised way down when the run ended"
    return figures.stated(
        f"ends at {level}", float(last.level), unit="level", samples=len(seen.evaluations),
        accept=f"{level} ({value})", outcome=outcome, reason=why,
    )  # fmt: skip


def _required_levels(check: DegradationCheck, promise: DegradationPromise) -> set[int]:
    names = [*check.visits, *([check.reaches] if check.reaches is not None else [])]
    return {value for name in names if (value := level_value(promise, name)) is not None}


# --- words ----------------------------------------------------------------------------------------------------------


def _nothing(why: str) -> Figure:
    return figures.stated(
        "evaluations", 0.0, unit="", samples=0, accept="some", outcome=Outcome.INCONCLUSIVE, reason=why
    )


def _passed(seen: _Seen) -> str:
    worst = max(seen.evaluations, key=lambda evaluation: evaluation.level)
    last = level_name(seen.promise, seen.evaluations[-1].level)
    return (
        f"At each of {seen.comparison.evaluations:,} evaluations the level was the promised one; the worst was "
        f"{level_name(seen.promise, worst.level)}, first at {at(worst.at_s)}, the last {last}. Features, banner, "
        "alerts and log followed it."
    )


def _deviation_in_words(seen: _Seen, index: int) -> str:
    deviation = seen.comparison.deviations[index]
    allowed = " or ".join(level_name(seen.promise, level) for level in deviation.allowed)
    inputs = ", ".join(f"{name} {value:.4g}" for name, value in sorted(deviation.evaluation.inputs.items()))
    return (
        f"at {at(deviation.evaluation.at_s)} (evaluation {deviation.evaluation.number}) expected {allowed}, "
        f"shown {level_name(seen.promise, deviation.evaluation.level)}; inputs {inputs} demand "
        f"{level_name(seen.promise, deviation.demanded)}"
    )


def _deviations(seen: _Seen) -> list[Evidence]:
    listed = seen.comparison.deviations[:SHOWN_DEVIATIONS]
    return [
        Evidence(
            at_s=deviation.evaluation.at_s,
            sentence=_deviation_in_words(seen, index)[:1].upper() + _deviation_in_words(seen, index)[1:] + ".",
            source="metrics",
        )
        for index, deviation in enumerate(listed)
    ]


def _changes(seen: _Seen) -> list[Evidence]:
    """Each change of level, with the inputs that were recorded with it."""
    listed = []
    for before, after in pairwise(seen.evaluations):
        if before.level != after.level:
            inputs = ", ".join(f"{name} {value:.4g}" for name, value in sorted(after.inputs.items()))
            change = f"{level_name(seen.promise, before.level)} → {level_name(seen.promise, after.level)}"
            listed.append(Evidence(at_s=after.at_s, sentence=f"{change} with {inputs}.", source="metrics"))
    return listed[:SHOWN_CHANGES]
