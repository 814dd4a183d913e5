"""What users got at each level: the level on their answers, the features in their content, the banner.

Features are judged by the *content* of an answer against the level on the same answer. Answers that were under way
while the level changed may show either side of it: where they agree they count, where they disagree they prove nothing.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.record.reader import Run
from harness.target.promises import DegradationPromise
from harness.verify import figures, ladder, windows
from harness.verify.ladder import level_name
from harness.verify.level_trace import LevelTrace
from harness.verify.verdict import Figure, Outcome
from harness.verify.windows import Bools, column

PROPAGATION_S = 2.0  # from the controller's decision to the last answer of every replica: two evaluation periods
STRAGGLERS = 0.002  # share of answers that may be between two clocks
WRONG = 0.01  # share of answers above which it is no straggler
MIN_OBSERVATIONS = 3  # of a feature at a level; fewer are "not observed"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answers:
    """Answers that carry a level, and which of them no change of level was near."""

    frame: pd.DataFrame
    level_agrees: Bools
    settled: Bools


def figures_of(run: Run, promise: DegradationPromise, trace: LevelTrace, required: set[int]) -> list[Figure]:
    answers = _answers(run, trace)
    return [
        _level_on_answers(answers),
        *_feature_figures(promise, trace, answers, required),
        _banner(promise, answers),
    ]


def _answers(run: Run, trace: LevelTrace) -> _Answers:
    frame = run.requests
    finished_s = column(frame, "finished_s")
    chosen = (finished_s >= trace.at_s[0] + PROPAGATION_S) & (finished_s <= trace.known_until_s)
    chosen &= frame["level"].to_numpy() >= 0
    region = run.plan.target.services[trace.service].region
    if region is not None:
        chosen &= windows.is_word(frame["region_served"], region)
    for service in windows.services_with_role(run, "api"):
        attacked = windows.attacks_on(run, service)
        if attacked:
            chosen &= ~windows.is_word(frame["served_by"], service) | windows.outside(attacked, finished_s)
    wanted = ["sent_s", "finished_s", "level", "features_on", "features_off", "disabled_feature", "banner"]
    frame = frame.loc[chosen, wanted]
    from_s, until_s = column(frame, "sent_s") - PROPAGATION_S, column(frame, "finished_s")
    agrees, several = np.zeros(len(frame), dtype=bool), np.zeros(len(frame), dtype=np.int64)
    level = frame["level"].to_numpy()
    for value in np.unique(trace.level):
        there = trace.in_force(int(value), from_s, until_s, or_next=True)
        agrees |= there & (level == value)
        several += there
    return _Answers(frame=frame, level_agrees=agrees, settled=several <= 1)


def _level_on_answers(answers: _Answers) -> Figure:
    wrong = ~answers.level_agrees
    reason = ""
    if wrong.any():
        first = answers.frame.iloc[int(wrong.argmax())]
        reason = (
            f"first at {figures.at(float(first['finished_s']))}, at level {int(first['level'])}, which was not in "
            f"force within {PROPAGATION_S:g} s"
        )
    return figures.rarely(
        "answers at a level that was not in force",
        int(wrong.sum()),
        len(wrong),
        passes_at=STRAGGLERS,
        fails_above=WRONG,
        reason=reason,
    )


def _banner(promise: DegradationPromise, answers: _Answers) -> Figure:
    wrong = answers.frame["banner"].to_numpy(dtype=bool) != (answers.frame["level"].to_numpy() >= promise.banner_from)
    wrong &= answers.settled
    reason = ""
    if wrong.any():
        first = answers.frame.iloc[int(wrong.argmax())]
        what = "a banner" if first["banner"] else "no banner"
        reason = (
            f"first at {figures.at(float(first['finished_s']))}: {what} at {level_name(promise, int(first['level']))}"
        )
    return figures.rarely(
        "answers with a wrong banner", int(wrong.sum()), len(wrong), passes_at=0.0, fails_above=WRONG, reason=reason
    )


# --- features -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Cell:
    """One feature at one level: how often its content was as promised, and how often not."""

    right: int = 0
    wrong: int = 0

    @property
    def observed(self) -> int:
        return self.right + self.wrong


def _feature_figures(
    promise: DegradationPromise, trace: LevelTrace, answers: _Answers, required: set[int]
) -> list[Figure]:
    cells = _cells(promise, answers)
    shown = sorted({int(level) for level in trace.level} | required)
    return [_level_figure(promise, level, cells, needed=level in required) for level in shown]


def _cells(promise: DegradationPromise, answers: _Answers) -> dict[tuple[str, int], _Cell]:
    """Counted by distinct contents, of which there are few, so that a million answers take no longer than a few."""
    keys = ["level", "features_on", "features_off", "disabled_feature"]
    counted = answers.frame.assign(settled=answers.settled).groupby([*keys, "settled"], observed=True).size()
    cells: dict[tuple[str, int], _Cell] = defaultdict(_Cell)
    for row in counted.reset_index(name="count").to_dict("records"):
        level, settled, count = int(row["level"]), bool(row["settled"]), int(row["count"])
        gone = ladder.features_off(promise, level)
        working = set(str(row["features_on"]).split(",")) - {""}
        absent = (set(str(row["features_off"]).split(",")) | {str(row["disabled_feature"])}) - {""}
        for feature in working | absent:
            cell = cells[feature, level]
            if (feature in gone) == (feature in absent):
                cell.right += count
            elif settled:
                cell.wrong += count
    return cells


def _level_figure(
    promise: DegradationPromise, level: int, cells: dict[tuple[str, int], _Cell], *, needed: bool
) -> Figure:
    """The worst feature decides; features that nobody saw matter where the level was asked for."""
    named = level_name(promise, level)
    name = f"features at {named}"
    known = {feature: cells.get((feature, level), _Cell()) for feature in ladder.all_features(promise)}
    unseen = [feature for feature, cell in known.items() if cell.observed < MIN_OBSERVATIONS]
    observed = sum(cell.observed for cell in known.values())
    found = [
        figures.stated(
            name, 0.0 if observed else None, unit="ratio", samples=observed,
            accept=f"at most {figures.say(STRAGGLERS, 'ratio')} wrong for each feature",
            outcome=Outcome.INCONCLUSIVE if unseen and needed else Outcome.PASS,
            reason=f"not observed: {', '.join(unseen)}" if unseen else "",
        )
    ]  # fmt: skip
    for feature, cell in known.items():
        if cell.wrong:
            state = "off" if feature in ladder.features_off(promise, level) else "on"
            reason = f"{feature} has to be {state} at {named}"
            found.append(
                figures.rarely(name, cell.wrong, cell.observed, passes_at=STRAGGLERS, fails_above=WRONG, reason=reason)
            )
    return figures.deciding(found)
