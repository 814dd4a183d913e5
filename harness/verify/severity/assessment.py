"""The severity of a run: its worst ten seconds graded, and the scope of what was as bad as that.

A pure function of the record, for the check and for whoever reads the report. No objective is known here.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from harness.experiment.expectations.severity import Severity
from harness.record.reader import Run
from harness.verify import statistics
from harness.verify.severity.affected import Came, Shares, came_of, shares_of
from harness.verify.severity.grade import ABOVE, graded, is_worse
from harness.verify.severity.risk import Risk, are_known, risks_of
from harness.verify.verdict import Interval
from harness.verify.windows import Bools, Window

LATE_S = 1.0  # an answer later than this is not goodput; the default of the check's `late`
IS_REGIONAL_ABOVE = 0.10  # share of a region's own users; where only one region has so many, it is that region's


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where, what, and from when to when, of all that happened in windows as bad as the worst.

    `regions` has all that were asked for: users affected, users who came. `operations` and `ways` are counts of the
    requests that hurt, the most frequent first. `goes_on`: the last window of the run is one of them.
    """

    start_s: float
    end_s: float
    goes_on: bool
    regions: dict[str, tuple[int, int]]
    operations: dict[str, int]
    ways: dict[str, int]

    @property
    def only_region(self) -> str | None:
        """The one region of several that it is about."""
        badly = [region for region, (hurt, users) in self.regions.items() if hurt > IS_REGIONAL_ABOVE * users]
        return badly[0] if len(badly) == 1 and len(self.regions) > 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """`severity` is that of the worst window as counted; `surely` and `at_worst` those of the ends of its interval.

    `scope` is None where nobody was affected. `risks_known` is False where no controller was heard.
    """

    severity: Severity
    surely: Severity
    at_worst: Severity
    worst: Window
    share: float
    affected: int
    users: int
    interval: Interval
    scope: Scope | None
    risks: tuple[Risk, ...]
    risks_known: bool
    shares: Shares
    came: Came


def assess(run: Run, *, late_s: float = LATE_S) -> Assessment | None:
    """None where nobody came."""
    came = came_of(run, late_s=late_s)
    shares = shares_of(came)
    if not len(shares):
        return None
    bars = [
        statistics.clopper_pearson(int(affected), int(users), statistics.DECIDING)
        for affected, users in zip(shares.affected, shares.users, strict=True)
    ]
    lows = np.array([statistics.ends(bar)[0] for bar in bars])
    place = int(np.lexsort((shares.users, lows))[-1])  # not by the share: one user of two proves little
    low, high = statistics.ends(bars[place])
    share, risks = float(shares.share[place]), risks_of(run, came)
    severity = graded(share, at_risk=bool(risks))
    start_s = float(shares.start_s[place])
    return Assessment(
        severity=severity,
        surely=_no_worse(graded(low, at_risk=bool(risks)), severity),
        at_worst=graded(high, at_risk=bool(risks)) if share > 0 else severity,
        worst=Window(name="worst window", start_s=start_s, end_s=start_s + shares.length_s),
        share=share,
        affected=int(shares.affected[place]),
        users=int(shares.users[place]),
        interval=bars[place],
        scope=_scope(came, shares, severity),
        risks=risks,
        risks_known=are_known(run),
        shares=shares,
        came=came,
    )


def _no_worse(severity: Severity, than: Severity) -> Severity:
    return than if is_worse(severity, than) else severity


def _scope(came: Came, shares: Shares, severity: Severity) -> Scope | None:
    above = ABOVE.get(severity)
    if above is None:
        return None
    bad = np.flatnonzero(shares.share > above)
    first_s, last_s = float(shares.start_s[bad[0]]), float(shares.start_s[bad[-1]]) + shares.length_s
    place = came.between(first_s, last_s)
    hurt = came.hurt[place]
    return Scope(
        start_s=float(came.scheduled_s[place][hurt].min()),
        end_s=float(came.over_s[place][hurt].max()),
        goes_on=bool(bad[-1] == len(shares) - 1),
        regions=_regions(came, place, hurt),
        operations=dict(Counter(map(str, came.operation[place][hurt])).most_common()),
        ways=dict(Counter(map(str, came.way[place][hurt])).most_common()),
    )


def _regions(came: Came, place: slice, hurt: Bools) -> dict[str, tuple[int, int]]:
    region, user = came.region[place], came.user[place]
    found = {}
    for name in sorted({str(word) for word in region}):
        mine = region == name
        found[name] = (len(np.unique(user[mine & hurt])), len(np.unique(user[mine])))
    return found
