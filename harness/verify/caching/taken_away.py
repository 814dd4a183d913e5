"""For how long pages went on showing what somebody had taken away: whom they blocked or unfollowed, what they edited or
deleted.

A profile says what a page shows as ids, and which id a request takes away (`removes`). Once that is acknowledged, and
until somebody may have added it again, no page may show it. Only what surely came after counts: a page that was asked
for when the answer to the removal had arrived.

That nobody saw it proves nothing where nobody looked. So what counts as looking is a page that had shown the id before
and was read again when it had to be gone; where the id was only ever shown to who took it away, by that user.

On a crowded machine caches may hear of it late, but by no more than the machine was crowded. What is shown for longer
than is allowed and that is broken by the system itself, and so is what may never be shown.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

import pandas as pd

from harness.experiment.expectations.caching import CachingCheck
from harness.record.reader import Run
from harness.record.rows import Change
from harness.record.rows import Outcome as Ending
from harness.verify import figures
from harness.verify.crowding import crowded_s
from harness.verify.figures import at, say
from harness.verify.verdict import Evidence, Figure, Outcome

SHOWN = 3


class Request(NamedTuple):
    """What is needed of a row; field names are column names."""

    sent_s: float
    finished_s: float
    operation: str
    user: int
    cache: str
    outcome: str
    object: str
    change: str
    written: str
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came after one acknowledged removal: how many pages were read again when it had to be gone, and all those
    that still showed it."""

    removal: Request
    looked: int
    showing: tuple[Request, ...]

    def after_s(self, page: Request) -> float:
        return page.sent_s - self.removal.finished_s


def figures_of(run: Run, check: CachingCheck, evidence: list[Evidence]) -> Iterator[Figure]:
    allowed_s = {operation: float(allowed) for operation, allowed in check.still_shown.items()}
    findings = findings_of(run.requests, allowed_s) if allowed_s else []
    late_s = crowded_s(run) if allowed_s else 0.0
    for operation, limit_s in allowed_s.items():
        mine = [finding for finding in findings if finding.removal.operation == operation]
        yield _figure(operation, limit_s, mine, evidence, excused_s=late_s)


def _figure(
    operation: str, allowed_s: float, mine: list[Finding], evidence: list[Evidence], *, excused_s: float
) -> Figure:
    name = f"{operation}: longest that what it took away was still shown"
    accept = f"at most {say(allowed_s, 's')}" if allowed_s else "never"
    looked = sum(finding.looked for finding in mine)
    if not looked:
        when = f" more than {say(allowed_s, 's')} later" if allowed_s else ""
        why = f"no page that had shown it was read again{when}" if mine else "nobody did that"
        return figures.unknown(name, unit="s", accept=accept, reason=why)
    shown = [(finding.after_s(page), finding, page) for finding in mine for page in finding.showing]
    late = sorted((each for each in shown if _is_owed(each[0], allowed_s)), key=lambda each: each[2].sent_s)
    evidence += [_witness(finding, page) for _, finding, page in late[:SHOWN]]
    reason = f"{len(late):,} pages showed it later, the first was asked for at {at(late[0][2].sent_s)}" if late else ""
    longest_s = max((after_s for after_s, _, _ in shown), default=0.0)
    figure = figures.stated(
        name, longest_s, unit="s", samples=looked, accept=accept, outcome=Outcome.FAIL if late else Outcome.PASS,
        reason=reason,
    )  # fmt: skip
    is_own_doing = _is_owed(longest_s, allowed_s + excused_s if allowed_s else 0.0)
    return figures.invariant(figure) if is_own_doing else figure


def _is_owed(after_s: float, allowed_s: float) -> bool:
    """Whether what was taken away has to be gone by then; where nothing is allowed, at once."""
    return after_s > allowed_s or not allowed_s


def _witness(finding: Finding, page: Request) -> Evidence:
    removal = finding.removal
    return Evidence(
        at_s=removal.finished_s,
        until_s=page.finished_s,
        sentence=(
            f'{removal.operation} by user {removal.user} took "{removal.written}" away: sent {at(removal.sent_s)}, '
            f"acknowledged {at(removal.finished_s)}. {page.operation} by user {page.user} ({page.object}), sent "
            f"{say(finding.after_s(page), 's')} after that, still showed it; X-Cache: {page.cache or 'missing'}."
        ),
        source="requests",
    )


@dataclass(frozen=True, slots=True)
class _Reads:
    """Answered reads of one page, all or one user's, by when they were sent."""

    sent_s: list[float] = field(default_factory=list)
    finished_s: list[float] = field(default_factory=list)

    def add(self, page: Request) -> None:
        self.sent_s.append(page.sent_s)
        self.finished_s.append(page.finished_s)

    def between(self, start_s: float, until_s: float, *, at_once: bool) -> int:
        """Those sent after the one and answered until the other; `at_once`: or sent at the very moment."""
        first = (bisect_left if at_once else bisect_right)(self.sent_s, start_s)
        if until_s == inf:
            return len(self.sent_s) - first
        return sum(done_s <= until_s for done_s in self.finished_s[first : bisect_right(self.sent_s, until_s)])


Pages = Mapping[tuple[str, int | None], _Reads]  # by object and user, and by object alone


def findings_of(requests: pd.DataFrame, allowed_s: Mapping[str, float]) -> list[Finding]:
    """Every acknowledged removal by one of these operations, with what was looked at afterwards."""
    of_interest = requests.loc[(requests["object"] != "").to_numpy()]
    rows = [Request(*values) for values in zip(*(of_interest[name].tolist() for name in Request._fields), strict=True)]
    removals = [
        row for row in rows
        if row.change == Change.REMOVE and row.outcome == Ending.OK and row.operation in allowed_s
    ]  # fmt: skip
    wanted = {removal.written for removal in removals}
    pages: defaultdict[tuple[str, int | None], _Reads] = defaultdict(_Reads)
    showing: defaultdict[str, list[Request]] = defaultdict(list)
    answered = [row for row in rows if row.change == Change.NONE and row.outcome == Ending.OK]
    for page in sorted(answered, key=lambda each: each.sent_s):
        pages[page.object, None].add(page)
        pages[page.object, page.user].add(page)
        for name in wanted.intersection(page.seen.split(",")):
            showing[name].append(page)
    added = _added(rows)
    return [
        _finding(one, showing[one.written], pages, added.get(one.written, []), allowed_s[one.operation])
        for one in removals
    ]


def _added(rows: Sequence[Request]) -> dict[str, list[tuple[float, float]]]:
    """By id: from when to when an addition may take effect. One of unknown fate may do so at any later time."""
    added: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        if row.change == Change.ADD and row.outcome in (Ending.OK, Ending.UNKNOWN):
            added[row.written].append((row.sent_s, row.finished_s if row.outcome == Ending.OK else inf))
    return added


def _finding(
    removal: Request,
    showing: Sequence[Request],
    pages: Pages,
    added: Sequence[tuple[float, float]],
    allowed_s: float,
) -> Finding:
    until_s = min((sent_s for sent_s, done_s in added if done_s > removal.sent_s), default=inf)
    before = [page for page in showing if page.sent_s < removal.finished_s]
    is_private = {page.user for page in before} == {removal.user}
    again = sum(
        pages[name, removal.user if is_private else None].between(
            removal.finished_s + allowed_s, until_s, at_once=not allowed_s
        )
        for name in {page.object for page in before}
    )
    still = tuple(page for page in showing if _is_after(page, removal, until_s))
    late = sum(_is_owed(page.sent_s - removal.finished_s, allowed_s) for page in still)
    return Finding(removal=removal, looked=max(again, late), showing=still)


def _is_after(page: Request, removal: Request, until_s: float) -> bool:
    """Surely after the removal, and surely before an addition could be seen."""
    return page.sent_s >= removal.finished_s and page.finished_s <= until_s
