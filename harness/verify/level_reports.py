"""What operators get at each level: feature flags, the alert, and a log line for each change.

All three are compared with the level that the same service showed in the same scrape, or with the evaluation that the
line names; scrapes right beside a change prove nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from harness.record.reader import Run
from harness.target.promises import DegradationPromise
from harness.verify import figures, ladder, windows
from harness.verify.ladder import Evaluation, level_name
from harness.verify.level_trace import LevelTrace
from harness.verify.verdict import Figure, Outcome
from harness.verify.windows import Bools, Floats

BESIDE_CHANGE_S = 1.1  # an evaluation and a scrape
WRONG = 0.01  # share of scrapes above which it is no straggler
LOG_SKEW_S = 1.5  # between a log line's wall clock and the scrape that first shows its evaluation
LEVEL_ALERT = "degradation_level"

Line = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signal:
    """A metric of 0 or 1 by scrape, what it has to be, and which scrapes are away from changes of the level."""

    name: str
    at_s: Floats
    level: Floats
    shown: Floats
    wanted: Bools
    settled: Bools

    @property
    def known(self) -> Bools:
        return self.settled & ~np.isnan(self.shown)


def figures_of(run: Run, promise: DegradationPromise, trace: LevelTrace, evaluations: list[Evaluation]) -> list[Figure]:
    region = run.plan.target.services[trace.service].region
    replicas = [
        name for name in windows.services_with_role(run, "api") if run.plan.target.services[name].region == region
    ]
    return [
        *(_flags(run, promise, service) for service in (trace.service, *replicas)),
        _alert_metric(run, promise, trace),
        *_log_figures(run, promise, trace.service, evaluations),
    ]


# --- metrics --------------------------------------------------------------------------------------------------------


def _flags(run: Run, promise: DegradationPromise, service: str) -> Figure:
    """The flags that a service exports are those of the level that it exports; the worst feature and level decides."""
    level, settled = _level_of(run, service)
    flags = windows.by_label(run, service, run.plan.target.metrics.feature_enabled, "feature").reindex(level.index)
    found = []
    for feature in ladder.all_features(promise):
        if feature in flags:
            off = [value.value for value in promise.levels if feature in ladder.features_off(promise, value.value)]
            found.append(
                _Signal(
                    name=feature,
                    at_s=level.index.to_numpy(dtype=np.float64),
                    level=level.to_numpy(dtype=np.float64),
                    shown=flags[feature].to_numpy(dtype=np.float64),
                    wanted=~np.isin(level.to_numpy(), off),
                    settled=settled,
                )
            )
    return _worst_signal(f"wrong flags of {service}", promise, found)


def _worst_signal(name: str, promise: DegradationPromise, signals: list[_Signal]) -> Figure:
    """Each signal at each level on its own, so that a short level counts as much as a long one."""
    seen = sum(int(signal.known.sum()) for signal in signals)
    found = [figures.rarely(name, 0, seen, passes_at=0.0, fails_above=WRONG)]
    for signal in signals:
        wrong = signal.known & ((signal.shown > 0.5) != signal.wanted)
        for level in np.unique(signal.level[wrong]):
            here = signal.level == level
            place = int((wrong & here).argmax())
            state = "on" if signal.shown[place] > 0.5 else "off"
            count, samples = int((wrong & here).sum()), int((signal.known & here).sum())
            first = figures.at(float(signal.at_s[place]))
            reason = f"{signal.name} {state} at {level_name(promise, int(level))}, first at {first}"
            found.append(figures.rarely(name, count, samples, passes_at=0.0, fails_above=WRONG, reason=reason))
    return figures.deciding(found)


def _level_of(run: Run, service: str) -> tuple[pd.Series, Bools]:
    """The level by scrape, and which scrapes are away from its changes."""
    level = (
        windows.series(run, service, run.plan.target.metrics.level).drop_duplicates("at_s").set_index("at_s")["value"]
    )
    at_s = level.index.to_numpy(dtype=np.float64)
    return level, _away_from(at_s[1:][np.diff(level.to_numpy()) != 0] if len(at_s) else at_s, at_s)


def _away_from(changes_s: Floats, at_s: Floats) -> Bools:
    away = np.ones(len(at_s), dtype=bool)
    for change_s in changes_s:
        away &= np.abs(at_s - change_s) > BESIDE_CHANGE_S
    return away


def _alert_metric(run: Run, promise: DegradationPromise, trace: LevelTrace) -> Figure:
    alerts = windows.by_label(run, trace.service, run.plan.target.metrics.alert_firing, "alert")
    found = []
    if LEVEL_ALERT in alerts:
        found.append(
            _Signal(
                name="alert",
                at_s=trace.at_s,
                level=trace.level,
                shown=alerts[LEVEL_ALERT].reindex(trace.at_s).to_numpy(dtype=np.float64),
                wanted=trace.level >= promise.alert_from,
                settled=_away_from(trace.changes_s(), trace.at_s),
            )
        )
    return _worst_signal(f"wrong {LEVEL_ALERT} alert", promise, found)


# --- logs -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _LogFindings:
    changes: int = 0
    crossings: int = 0
    bad_lines: int = 0
    bad_alerts: int = 0
    first_line: str = ""
    first_alert: str = ""


def _log_figures(run: Run, promise: DegradationPromise, service: str, evaluations: list[Evaluation]) -> list[Figure]:
    lines = run.logs.get(service, ())
    found = _read_log(promise, lines, evaluations)
    if not lines:
        hole = figures.stated(
            f"log of {service}", 0.0, unit="lines", samples=0, accept="some",
            outcome=Outcome.INCONCLUSIVE, reason="the log was not recorded",
        )  # fmt: skip
        return [hole] if found.changes else []
    listed = []
    if found.changes or found.bad_lines:
        listed.append(
            figures.never("level changes with a missing or wrong log line", found.bad_lines, max(found.changes, 1),
                          reason=found.first_line)
        )  # fmt: skip
    if found.crossings or found.bad_alerts:
        listed.append(
            figures.never("alerts not logged as fired and resolved", found.bad_alerts, max(found.crossings, 1),
                          reason=found.first_alert)
        )  # fmt: skip
    return listed


def _read_log(promise: DegradationPromise, lines: Sequence[Line], evaluations: list[Evaluation]) -> _LogFindings:
    """Between each evaluation and the next one seen, the lines have to lead from the one level to the other."""
    changed = [line for line in lines if line.get("event") == "level_changed"]
    of_levels = (LEVEL_ALERT, None)  # the only alert of systems that give it no name
    alerts = [
        line
        for line in lines
        if line.get("event") in ("alert_fired", "alert_resolved") and line.get("alert") in of_levels
    ]
    found = _LogFindings()
    for before, after in pairwise(evaluations):
        if after.number <= before.number:
            continue  # a restarted controller counts anew
        chain = [line for line in changed if _between(line, before, after)]
        found.changes += before.level != after.level
        wrong = _chain_mistake(promise, chain, before, after)
        if wrong:
            found.bad_lines += 1
            found.first_line = found.first_line or f"{figures.at(after.at_s)}: {wrong}"
        crossed = (before.level >= promise.alert_from) != (after.level >= promise.alert_from)
        if crossed:
            event = "alert_fired" if after.level > before.level else "alert_resolved"
            found.crossings += 1
            if not any(line.get("event") == event and _near(line, before, after) for line in alerts):
                found.bad_alerts += 1
                found.first_alert = found.first_alert or f"no {event} at {figures.at(after.at_s)}"
    return found


def _chain_mistake(promise: DegradationPromise, chain: list[Line], before: Evaluation, after: Evaluation) -> str:
    """What is wrong with the lines between two evaluations; empty when nothing is."""
    change = f"{level_name(promise, before.level)} → {level_name(promise, after.level)}"
    level: object = before.level
    for line in chain:
        if line.get("from") != level:
            return f"a line says from {line.get('from')}, the level was {level}"
        level = line.get("to")
        if line.get("evaluation") == after.number and not _same_inputs(line.get("inputs"), after.inputs):
            return f"the line of {change} gives other inputs than were measured: {line.get('inputs')}"
        if not line.get("inputs"):
            return f"the line of {change} gives no inputs"
    if level != after.level:
        return f"no line for {change}" if not chain else f"the lines lead to {level}, the level was {after.level}"
    return ""


def _between(line: Line, before: Evaluation, after: Evaluation) -> bool:
    number = line.get("evaluation")
    if isinstance(number, int):
        return before.number < number <= after.number and _near(line, before, after)
    return _near(line, before, after) and before.level != after.level


def _near(line: Line, before: Evaluation, after: Evaluation) -> bool:
    at_s = line.get("at_s")
    if not isinstance(at_s, int | float):
        return True
    return before.at_s - LOG_SKEW_S <= at_s <= after.at_s + LOG_SKEW_S


def _same_inputs(logged: object, measured: Mapping[str, float]) -> bool:
    """Whether the inputs in the line are those of the evaluation, as far as both name them; rounding is no lie."""
    if not isinstance(logged, Mapping):
        return False
    common = [name for name in measured if isinstance(logged.get(name), int | float)]
    return bool(common) and all(
        math.isclose(float(logged[name]), measured[name], rel_tol=0.01, abs_tol=0.01) for name in common
    )
