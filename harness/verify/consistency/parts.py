"""What of all that was found had been promised: a figure, a row and a few scenes for each part of `consistency`.

What the file states needs an occasion: without one it is inconclusive, never a pass. What the file leaves out is judged
by what such systems usually promise where there was occasion, and is left out where there was none. What is broken
beyond the promise is counted, shown, and not held against the system.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from harness.experiment.expectations.consistency import ConsistencyCheck, Counting, Reach
from harness.verify import figures, statistics
from harness.verify.consistency.counters import CountedAtRegion
from harness.verify.consistency.destroyed import Gone
from harness.verify.consistency.durability import AtRegion, Durability
from harness.verify.consistency.finding import Caught, Cohort, Finding, Tally, Witness
from harness.verify.consistency.findings import CAUSAL, SESSIONS, cohorts_of
from harness.verify.consistency.scenes import scene_of
from harness.verify.consistency.staleness import Staleness
from harness.verify.figures import say
from harness.verify.verdict import Evidence, Figure, Guarantee, Outcome, Scene

# Session guarantees inside a region, the order of one writer's writes everywhere: what asynchronous copies can keep.
USUAL: dict[str, Reach] = {
    "read your writes": Reach.STICKY,
    "monotonic reads": Reach.STICKY,
    "monotonic writes": Reach.REMOTE,
    "writes follow reads": Reach.STICKY,
    CAUSAL: Reach.NONE,
}
assert USUAL.keys() == {*SESSIONS, CAUSAL}
REACHED: dict[Reach, tuple[Cohort, ...]] = {
    Reach.NONE: (),
    Reach.STICKY: (Cohort.STICKY,),
    Reach.REMOTE: (Cohort.STICKY, Cohort.REMOTE),
    Reach.MOVED: (Cohort.STICKY, Cohort.REMOTE, Cohort.MOVED),
}
TITLES = {
    "lost": "A write that was acknowledged is gone in the end",
    "duplicated": "One thing is there twice",
    "unexpected": "Something is there that nobody wrote",
    "resurrected": "Something that was deleted came back",
    "undeleted": "A delete was acknowledged, and the thing is still there in the end",
    "read your writes": "Somebody did not see what they had just written",
    "monotonic reads": "Somebody saw something, and then it was gone",
    "monotonic writes": "A later write is shown without the earlier one of the same author",
    "writes follow reads": "A reply is shown without what it replies to",
    CAUSAL: "Something is shown without what led to it",
    "cycles": "Something was seen before anybody wrote it",
    "counters": "A counter shows a number that cannot be right",
    "staleness": "A write took long to show in another region",
}
NO_DELETES = "no delete could be looked for in every region afterwards; leave it out if users delete nothing"
NO_OCCASION = {"resurrected": NO_DELETES, "undeleted": NO_DELETES, "lost": "no acknowledged write was looked for"}
SCENES_EACH = 2  # of one part and cohort
EVERYWHERE = "everywhere"
QUANTILE = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    figures: tuple[Figure, ...] = ()
    guarantees: tuple[Guarantee, ...] = ()
    scenes: tuple[Scene, ...] = ()
    evidence: tuple[Evidence, ...] = ()


def field_of(guarantee: str) -> str:
    return guarantee.replace(" ", "_")


# --- there in the end -----------------------------------------------------------------------------------------------


def final_reads(found: Durability) -> Part:
    """Whether everything that was acknowledged was looked for in every region."""
    told = [_unread(region, there) for region, there in found.by_region.items()]
    if found.untraceable:
        name, many = "acknowledged writes without an id", found.untraceable
        told.append(
            figures.condition(
                name, float(many), unit="", samples=many, accept="0", holds=False, reason="nobody can look for them"
            )
        )
    return Part(figures=tuple(told))


def _unread(region: str, there: AtRegion) -> Figure:
    if there.acked:
        reason = f"no final read there showed or reached everything in {_some(there.unread_objects)}"
    else:
        reason = "no write was acknowledged"
    return figures.condition(
        f"not looked for in {region}", float(there.unread), unit="", samples=there.acked, accept="0",
        holds=there.acked > 0 and there.unread == 0, reason=reason,
    )  # fmt: skip


def _some(names: Sequence[str], most: int = 3) -> str:
    rest = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def durability(check: ConsistencyCheck, found: Durability) -> Iterator[Part]:
    there = found.by_region
    lost = [(region, each.judged, each.lost) for region, each in there.items()]
    undeleted = [(region, each.deleted, each.undeleted) for region, each in there.items()]
    yield _counted("lost", check.lost, lost)
    yield _counted("duplicated", check.duplicated, [(EVERYWHERE, found.answers, found.duplicated)])
    yield _counted("unexpected", check.unexpected, [(EVERYWHERE, found.answers, found.unexpected)])
    yield _counted("resurrected", check.resurrected, [(EVERYWHERE, found.deletes, found.resurrected)])
    yield _counted("undeleted", check.undeleted, undeleted)


def _counted(name: str, stated: int | None, places: Sequence[tuple[str, int, Caught]]) -> Part:
    """Something that may happen `stated` times, by where it was looked for, how often, and what was caught there."""
    names = {each for _, _, caught in places for each in caught.names}  # each once, wherever it was caught
    witnesses = [each for _, _, caught in places for each in caught.witnesses]
    judged = min((many for _, many, _ in places), default=0)
    is_judged = stated is not None or judged > 0 or bool(names)
    rows = tuple(
        Guarantee(name=name, cohort=where, promised=is_judged, observed=many, violations=len(caught))
        for where, many, caught in places
    )
    if not is_judged:
        return Part(guarantees=rows)
    reason = f"{_where(places)}{_first(witnesses)}" if names else ""
    nothing = NO_OCCASION.get(name, "no answer showed anything")
    samples = max(many for _, many, _ in places) if names else judged  # one region is enough to show a loss
    told = figures.at_most(name, len(names), samples, allowed=stated or 0, reason=reason, nothing=nothing)
    return _told(name, figures.invariant(told), rows, witnesses)


def _where(places: Sequence[tuple[str, int, Caught]]) -> str:
    """`europe 2, us-west 1: `, or nothing where it was looked for everywhere at once."""
    found = [f"{where} {len(caught):,}" for where, _, caught in places if len(caught) and where != EVERYWHERE]
    return f"{', '.join(found)}: " if found else ""


def went_down(gone: Gone) -> Part:
    """What was lost with a destroyed region. It is none of the `lost`: the objective allows for it."""
    where = " and ".join(gone.regions)
    told = [figures.reported(f"went down with {where}", len(gone.names), unit="", samples=gone.acknowledged)]
    if gone.names:
        told.append(
            figures.reported("acknowledged before it went down", gone.reaches_back_s, unit="s", samples=len(gone.names))
        )
    return Part(figures=tuple(told))


# --- what sessions see ----------------------------------------------------------------------------------------------


def session(name: str, stated: Reach | None, finding: Finding) -> Part:
    reached = REACHED[USUAL[name] if stated is None else stated]
    parts = [
        _in_cohort(name, cohort, finding[cohort], promised=cohort in reached, stated=stated is not None)
        for cohort in cohorts_of(name)
    ]
    return joined(parts)


def _in_cohort(name: str, cohort: Cohort, tally: Tally, *, promised: bool, stated: bool) -> Part:
    many = len(tally.violating)
    row = Guarantee(name=name, cohort=cohort, promised=promised, observed=tally.judged, violations=many)
    if not tally.judged and not (promised and stated):
        return Part(guarantees=(row,))
    if not promised:
        return _told(name, _reported(f"{name}, {cohort}", many, tally.judged), (row,), tally.witnesses)
    nothing = f'no read put it to the test; write "{field_of(name)}" with a shorter reach, or give users such a pair'
    told = figures.at_most(
        f"{name}, {cohort}", many, tally.judged, allowed=0, reason=_first(tally.witnesses), nothing=nothing
    )
    return _told(name, figures.invariant(told), (row,), tally.witnesses)


def _reported(name: str, many: int, judged: int) -> Figure:
    """A share with its interval, of what nobody promised."""
    return Figure(
        name=name, unit="ratio", value=many / judged, samples=judged, accept="not promised", outcome=Outcome.PASS,
        interval=statistics.clopper_pearson(many, judged),
    )  # fmt: skip


def cycles(witnesses: Sequence[Witness]) -> Part:
    """Whoever saw something before it was written had another clock than the writer: then no order can be trusted."""
    if not witnesses:
        return Part()
    told = figures.condition(
        "seen before they were written", float(len(witnesses)), unit="", samples=len(witnesses), accept="0",
        holds=False, reason=_first(witnesses),
    )  # fmt: skip
    return _told("cycles", told, (), witnesses)


# --- counters, staleness --------------------------------------------------------------------------------------------


def counters(stated: Counting | None, found: Mapping[str, CountedAtRegion]) -> Part:
    """Exact in the end in every region, and never a number on the way that nothing can explain."""
    finally_judged = min((each.finally_judged for each in found.values()), default=0)
    broken = {region: len({*each.wrong, *each.above, *each.below}) for region, each in found.items()}
    occasion = any(broken.values()) or any(
        each.finally_judged or each.undecided or each.unread for each in found.values()
    )
    promised = stated is Counting.EXACT or (stated is None and occasion)
    rows = tuple(
        Guarantee(name="counters", cohort=region, promised=promised, observed=each.judged, violations=broken[region])
        for region, each in found.items()
    )
    witnesses = [witness for each in found.values() for witness in each.witnesses]
    if not promised:
        return Part(guarantees=rows, scenes=_scenes("counters", witnesses, promised=False))
    unread = {counter for each in found.values() for counter in each.unread}
    off = sum(broken.values())
    samples = max(each.judged for each in found.values()) if off else finally_judged  # one region is enough to show it
    told = [
        figures.invariant(
            figures.at_most(
                "counters off", off, samples, allowed=0, reason=_first(witnesses),
                nothing="no counter was read in every region in the end",
            )
        )
    ]  # fmt: skip
    if unread:
        told.append(
            figures.condition(
                "counters not read in the end", float(len(unread)), unit="", samples=finally_judged, accept="0",
                holds=False, reason=f"in some region: {_some(sorted(unread))}",
            )
        )  # fmt: skip
    undecided = {counter for each in found.values() for counter in each.undecided}
    if undecided:
        told.append(
            figures.condition(
                "counters that nobody can tell", float(len(undecided)), unit="", samples=finally_judged, accept="0",
                holds=False, reason=f"too many increments of unknown fate: {_some(sorted(undecided))}",
            )
        )  # fmt: skip
    first = _told("counters", told[0], rows, witnesses)
    return Part(figures=tuple(told), guarantees=rows, scenes=first.scenes, evidence=first.evidence)


def staleness(found: Mapping[tuple[str, str], Staleness], *, limit_s: float, alpha: float) -> Part:
    """For each pair of regions; what one region shows of its own writes is for read-your-writes to say."""
    pairs = {(source, reader): each for (source, reader), each in found.items() if source != reader}
    parts = []
    for (source, reader), each in pairs.items():
        told = _stale(f"staleness p99 {source}→{reader}", each, limit_s=limit_s, alpha=alpha / len(pairs))
        witnesses = (*each.witnesses, *each.stalest) if told.outcome is Outcome.FAIL else ()
        row = Guarantee(
            name=f"staleness ≤ {say(limit_s, 's')}", cohort=f"{source}→{reader}", promised=True,
            observed=each.judged, violations=int((each.staleness_s > limit_s).sum()) + each.lost,
        )  # fmt: skip
        parts.append(_told("staleness", told, (row,), witnesses))
    return joined(parts)


def _stale(name: str, found: Staleness, *, limit_s: float, alpha: float) -> Figure:
    """Kept if it is by the longest that writes can have been missing, and broken if it is by the shortest; where nobody
    looked in between, nobody knows. The value is the shortest, which is what staleness means."""
    reason = _first((*found.witnesses, *found.stalest))
    surely, possibly = (
        figures.late(
            name, found.with_lost(ordered_s), QUANTILE, limit_s=limit_s, alpha=alpha, what="writes", reason=reason
        )
        for ordered_s in (found.staleness_s, found.at_most_s)
    )
    if surely.outcome is not Outcome.PASS:
        return surely
    assert surely.interval is not None
    assert possibly.interval is not None
    bar = msgspec.structs.replace(possibly.interval, low=surely.interval.low)
    told = msgspec.structs.replace(possibly, value=surely.value, interval=bar)
    if possibly.outcome is Outcome.PASS:
        return told
    unseen = int((found.at_most_s > limit_s).sum() - (found.staleness_s > limit_s).sum())
    why = f"for {unseen:,} of {found.judged:,} writes nobody looked in time"
    return msgspec.structs.replace(told, outcome=Outcome.INCONCLUSIVE, reason=why)


# --- told -----------------------------------------------------------------------------------------------------------


def joined(parts: Iterable[Part]) -> Part:
    all_of_them = list(parts)
    return Part(
        figures=tuple(each for part in all_of_them for each in part.figures),
        guarantees=tuple(each for part in all_of_them for each in part.guarantees),
        scenes=tuple(each for part in all_of_them for each in part.scenes),
        evidence=tuple(each for part in all_of_them for each in part.evidence),
    )


def _told(name: str, figure: Figure, rows: tuple[Guarantee, ...], witnesses: Sequence[Witness]) -> Part:
    failed = figure.outcome is Outcome.FAIL
    evidence = _evidence(witnesses) if failed else ()
    return Part(figures=(figure,), guarantees=rows, scenes=_scenes(name, witnesses, promised=failed), evidence=evidence)


def _scenes(name: str, witnesses: Sequence[Witness], *, promised: bool) -> tuple[Scene, ...]:
    return tuple(scene_of(each, title=TITLES[name], promised=promised) for each in witnesses[:SCENES_EACH])


def _evidence(witnesses: Sequence[Witness]) -> tuple[Evidence, ...]:
    """Where it came to light: the last thing that happened in it."""
    return tuple(
        Evidence(
            at_s=min(step.operation.invoked_s for step in each.steps),
            until_s=max(step.operation.completed_s for step in each.steps),
            sentence=each.sentence,
            source="requests",
        )
        for each in witnesses[:SCENES_EACH]
    )


def _first(witnesses: Sequence[Witness]) -> str:
    return witnesses[0].sentence.rstrip(".") if witnesses else ""
