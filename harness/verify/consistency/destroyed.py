"""What went down with a region whose data were destroyed: a bounded loss that was promised to be one.

Changes travel to the other regions after they were acknowledged. What a region had acknowledged in the last moments
before its data were destroyed, and nobody else ever showed, is gone for good; how long these moments may be is the
objective `rpo`. Of these writes nothing is owed to anybody. A delete or a count of these moments may have arrived
elsewhere or not, so its fate is unknown. Everything older, and whatever another region has ever shown, is owed as ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.experiment.faults import DestroyFault, RegionDestroyedFault
from harness.plan import whole_faults
from harness.record.reader import Run
from harness.verify.consistency.history import UNKNOWN, Bools, Ending, History, Kind
from harness.verify.failover.faults import outages_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Destruction:
    """Of the data of a region: when the first of its services was struck, and until when the last may have lived."""

    region: str
    began_s: float
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """Of the writes that `regions` had acknowledged within the objective, those that went down with them."""

    regions: tuple[str, ...]
    acknowledged: int
    names: tuple[str, ...]
    reaches_back_s: float


def destructions_of(run: Run) -> list[Destruction]:
    kinds = {
        each.kind for each in whole_faults(run.plan) if isinstance(each.fault, RegionDestroyedFault | DestroyFault)
    }
    return [
        Destruction(region=region, began_s=outage.began.at_s, until_s=outage.began.latest_s)
        for region in run.plan.target.regions
        for outage in outages_of(run, region)
        if outage.kind in kinds and outage.began is not None
    ]


def without_what_is_gone(history: History, destroyed: Sequence[Destruction], *, rpo_s: float) -> tuple[History, Gone]:
    """The history as if what went down had never been accepted, nor seen by anybody."""
    last_moments = np.zeros(len(history), dtype=bool)
    for each in destroyed:
        mine = history.served == history.regions.index(each.region)
        last_moments |= mine & _between(history, each.began_s - rpo_s, each.until_s)
    acked = (history.ending == Ending.OK) & last_moments
    written = (history.kind == Kind.WRITE) & (history.item != UNKNOWN)
    gone = _items_of(history, acked & written)
    gone &= ~_items_of(history, written & (history.ending == Ending.OK) & ~last_moments)
    gone &= ~_shown_elsewhere(history, {each.region for each in destroyed})
    lost = np.zeros(len(history), dtype=bool)
    candidates = np.flatnonzero(acked & written)
    lost[candidates] = gone[history.item[candidates]]
    doubtful = acked & ((history.kind == Kind.DELETE) | (history.kind == Kind.INCREMENT))
    kept = ~gone[history.item_of_id[history.seen]]
    ending = np.where(lost, int(Ending.FAIL), np.where(doubtful, int(Ending.INFO), history.ending))
    return replace(
        history,
        ending=ending.astype(np.int64),
        seen=history.seen[kept],
        seen_start=np.concatenate([[0], np.cumsum(kept)])[history.seen_start].astype(np.int64),
    ), Gone(
        regions=tuple(dict.fromkeys(each.region for each in destroyed)),
        acknowledged=len(candidates),
        names=tuple(history.name[item] for item in np.flatnonzero(gone)),
        reaches_back_s=_reaches_back_s(history, lost, destroyed),
    )


def _between(history: History, start_s: float, end_s: float) -> Bools:
    result: Bools = (history.completed_s >= start_s) & (history.completed_s <= end_s)
    return result


def _items_of(history: History, which: Bools) -> Bools:
    """The items that these operations wrote."""
    result: Bools = np.bincount(history.item[which], minlength=history.items) > 0
    return result


def _shown_elsewhere(history: History, destroyed: set[str]) -> Bools:
    """Items that another region has ever shown, or any region in the end."""
    codes = [code for code, name in enumerate(history.regions) if name in destroyed]
    telling = history.answered & (history.final | ~np.isin(history.served, [*codes, UNKNOWN]))
    seen = history.seen[np.repeat(telling, np.diff(history.seen_start))]
    result: Bools = np.bincount(history.item_of_id[seen], minlength=history.items) > 0
    return result


def _reaches_back_s(history: History, lost: Bools, destroyed: Sequence[Destruction]) -> float:
    regions = {each.region: each.began_s for each in destroyed}
    back_s = [
        regions[history.regions[served]] - completed_s
        for served, completed_s in zip(history.served[lost], history.completed_s[lost], strict=True)
    ]
    return max(0.0, *back_s) if back_s else 0.0
