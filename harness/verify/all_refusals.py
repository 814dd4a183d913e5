"""Every refusal of the record, whoever made it and for whatever reason, so that none goes unseen.

The curve is about refusals for overload by a replica whose load is known. Priority 1 is to be refused for no reason at
all; and a refusal of which nobody says by whom, or at which level, cannot be held against the curve.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

from harness.experiment.expectations.shedding import SheddingCheck
from harness.record.reader import Run
from harness.record.rows import Outcome as Ending
from harness.target.promises import SheddingPromise
from harness.verify import figures, overload, windows
from harness.verify.figures import at
from harness.verify.overload import HIGHEST_PRIORITY, Load
from harness.verify.verdict import Figure, Outcome
from harness.verify.windows import Bools, column, is_word

SAFE_SHED_SHARE = 0.001  # a refusal or two at a restart, of a thousand answers
MOST_NAMED = 3  # origins of refusals in a sentence


def figures_of(run: Run, check: SheddingCheck, promise: SheddingPromise, load: Load) -> list[Figure]:
    frame = run.requests
    shed = is_word(frame["outcome"], Ending.SHED)
    for_overload = shed & is_word(frame["shed_reason"], promise.reason, "")
    lost = for_overload & ~np.isfinite(load.overload)
    return [
        *_never_shed(frame, promise, shed, for_overload),
        *_of_unknown_load(run, check, lost),
        *_for_other_reasons(frame, shed & ~for_overload),
    ]


def _never_shed(frame: pd.DataFrame, promise: SheddingPromise, shed: Bools, for_overload: Bools) -> Iterator[Figure]:
    """Priorities whose curve is 0 everywhere are not shed at all: a promise, not a share."""
    priority, answered = column(frame, "priority"), _answered(frame)
    for value in np.unique(priority[answered]):
        if overload.ever_shed(promise, int(value)):
            continue
        mine = answered & (priority == value)
        hits = mine & (shed if value == HIGHEST_PRIORITY else for_overload)
        reason = _first(frame.loc[hits])
        name = f"priority {int(value)} shed"
        yield figures.invariant(figures.never(name, int(hits.sum()), int(mine.sum()), reason=reason))


def _of_unknown_load(run: Run, check: SheddingCheck, lost: Bools) -> Iterator[Figure]:
    """They decide nothing where overload was meant; where none was, nothing excuses them but a restart."""
    if not lost.any():
        return
    count, answers = int(lost.sum()), int(_answered(run.requests).sum())
    excused = check.expect_shedding or count == 1 or count <= SAFE_SHED_SHARE * answers
    yield figures.stated(
        "refusals at an overload that nobody knows",
        float(count),
        unit="",
        samples=answers,
        accept="0",
        outcome=Outcome.INCONCLUSIVE if excused else Outcome.FAIL,
        reason=f"{_origins(run, lost)}; {_first(run.requests.loc[lost])}",
    )


def _for_other_reasons(frame: pd.DataFrame, others: Bools) -> Iterator[Figure]:
    for reason, count in sorted(Counter(frame.loc[others, "shed_reason"].astype(str)).items()):
        yield figures.reported(f'refused for "{reason}"', count, unit="", samples=int(_answered(frame).sum()))


def _answered(frame: pd.DataFrame) -> Bools:
    result: Bools = frame["status"].to_numpy() > 0
    return result


def _origins(run: Run, lost: Bools) -> str:
    """`312 without X-Served-By, 20 by edge, which is no replica`."""
    headers, replicas = run.plan.target.headers, windows.services_with_role(run, "api")
    told = []
    for service, count in Counter(run.requests.loc[lost, "served_by"].astype(str)).most_common(MOST_NAMED):
        if not service:
            told.append(f"{count:,} without {headers.served_by}")
        elif service in replicas:
            told.append(f"{count:,} by {service} without {headers.level}")
        else:
            told.append(f"{count:,} by {service}, which is no replica")
    return ", ".join(told)


def _first(refused: pd.DataFrame) -> str:
    """`first at T+31.0 s by us-east-api-1 for "pool"`; empty where there is none."""
    if refused.empty:
        return ""
    first = refused.iloc[int(refused["sent_s"].to_numpy().argmin())]
    by = f" by {first['served_by']}" if first["served_by"] else ""
    reason = f' for "{first["shed_reason"]}"' if first["shed_reason"] else ""
    return f"first at {at(float(first['sent_s']))}{by}{reason}"
