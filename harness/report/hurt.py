"""Which users met errors and for how long, in a sentence or two for the top of the page, whatever the faults were.

An error is what objectives count as one. Being refused or answered late is none; who was refused something is told
where nobody met an error.
"""

import numpy as np
import pandas as pd

from harness.record.reader import Run
from harness.report import wording
from harness.verify.failover.cohorts import hurt_seconds, regions_asked
from harness.verify.severity.affected import REFUSED
from harness.verify.slo import BAD
from harness.verify.windows import column, is_word

MOST_OPERATIONS = 3


def who_was_hurt(run: Run) -> str:
    """Empty where nobody asked for anything."""
    frame = run.requests
    if frame.empty:
        return ""
    bad = frame.loc[is_word(frame["outcome"], *BAD)]
    users = frame["user"].nunique()
    if bad.empty:
        refused = frame["user"][is_word(frame["outcome"], *REFUSED)].nunique()
        also = f"; {wording.count(refused)} {'was' if refused == 1 else 'were'} refused something" if refused else ""
        return f"Who met errors: nobody of {wording.plural(users, 'user')}{also}."
    from_s = column(bad, "scheduled_s")
    seconds = hurt_seconds(bad["user"].to_numpy(np.int64), from_s, np.fmax(column(bad, "finished_s"), from_s))
    half, worst = int(np.median(seconds)), float(seconds.max())
    return (
        f"Who met errors: {wording.count(len(seconds))} of {wording.plural(users, 'user')}"
        f"{_regions(run, bad)}. Half of them in at most {wording.plural(half, 'second')} of the run, "
        f"the worst in {wording.number(worst)}, all between {wording.moment(float(from_s.min()))} and "
        f"{wording.moment(float(from_s.max()))}. What failed: {_operations(bad)}."
    )


def _regions(run: Run, bad: pd.DataFrame) -> str:
    """By the region they asked for; who asked for several counts in each."""
    regions = regions_asked(run)
    if len(regions) < 2:
        return ""
    hurt = {region: bad.loc[is_word(bad["region_asked"], region), "user"].nunique() for region in regions}
    return f" ({', '.join(f'{region} {wording.count(many)}' for region, many in hurt.items())})"


def _operations(bad: pd.DataFrame) -> str:
    many = bad["operation"].astype(str).value_counts()
    told = [f"{str(name).replace('_', ' ')} {wording.count(int(count))}" for name, count in many.items()]
    rest = len(told) - MOST_OPERATIONS
    return ", ".join(told[:MOST_OPERATIONS]) + (f" and {rest} more operations" if rest > 0 else "")
