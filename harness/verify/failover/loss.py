"""What a lost region had acknowledged and nobody else had: read from the other regions while it was away.

A write is missing if no other region has shown it and one of them, asked after the users were sent there, gave a whole
answer without it. It arrived if anybody else ever showed it. Of the rest nobody knows: it was never read, or only on
pages that were full. What somebody removed is not owed. A region that was cut off and came back has to bring everything
along; what is missing even then is lost for good.
"""

from dataclasses import dataclass

import pandas as pd

from harness.record.reader import Run
from harness.record.rows import Change
from harness.record.rows import Outcome as Ending
from harness.verify import windows
from harness.verify.moments import Moment
from harness.verify.windows import column, is_word

Key = tuple[str, str]  # the object that was written to, and what was written


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingWrite:
    object: str
    written: str
    acknowledged_s: float
    region_read: str  # who answered without it
    read_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Of the writes that the region had acknowledged before an outage: how many others were read for (`known`), which
    were missing there while it was away, oldest first, and how many still were in the end (None: nobody looked)."""

    acknowledged: int
    known: int
    missing: tuple[MissingWrite, ...]
    known_in_the_end: int
    missing_in_the_end: int

    def reaches_back_s(self, began: Moment) -> float:
        return max(0.0, began.at_s - self.missing[0].acknowledged_s) if self.missing else 0.0


def loss_of(run: Run, region: str, *, began: Moment, away: Moment, back_s: float) -> Loss:
    """`away`: when its users had been sent elsewhere; `back_s`: until when it could not have told anybody."""
    writes = _acknowledged(run, region, began)
    reads = _reads(run, set(writes["object"]))
    others = reads.loc[~is_word(reads["region_served"], region, "")]
    during = others.loc[(column(others, "sent_s") > away.latest_s) & (column(others, "finished_s") < back_s)]
    # What was shown before it went away, or by an answer under way, has arrived as well.
    shown = _shown(others.loc[column(others, "finished_s") < back_s])
    missing, known = [], 0
    whole = _whole_by_object(during)
    for key, acknowledged_s in zip(_keys(writes), column(writes, "finished_s"), strict=True):
        if key in shown:
            known += 1
        elif (answer := whole.get(key[0])) is not None:
            known += 1
            missing.append(
                MissingWrite(
                    object=key[0],
                    written=key[1],
                    acknowledged_s=float(acknowledged_s),
                    region_read=answer[0],
                    read_s=answer[1],
                )
            )
    known_at_last, missing_at_last = _in_the_end(run, writes, reads)
    return Loss(
        acknowledged=len(writes),
        known=known,
        missing=tuple(sorted(missing, key=lambda each: each.acknowledged_s)),
        known_in_the_end=known_at_last,
        missing_in_the_end=missing_at_last,
    )


def _acknowledged(run: Run, region: str, began: Moment) -> pd.DataFrame:
    """What the region took and acknowledged before the outage, without what anybody tried to remove."""
    frame = run.requests
    added = is_word(frame["change"], Change.ADD) & is_word(frame["outcome"], Ending.OK)
    mine = added & is_word(frame["region_served"], region) & (column(frame, "finished_s") <= began.at_s)
    writes = frame.loc[mine, ["object", "written", "finished_s"]]
    removed = set(frame.loc[is_word(frame["change"], Change.REMOVE), "written"])
    return writes.loc[~writes["written"].isin([*removed, ""])]


def _reads(run: Run, objects: set[str]) -> pd.DataFrame:
    """Answered reads of these objects."""
    frame = run.requests
    read = is_word(frame["outcome"], Ending.OK) & is_word(frame["change"], Change.NONE)
    read &= frame["object"].isin(list(objects)).to_numpy(dtype=bool)
    return frame.loc[read, ["object", "seen", "whole", "region_served", "sent_s", "finished_s"]]


def _keys(writes: pd.DataFrame) -> list[Key]:
    return list(zip(writes["object"].astype(str), writes["written"].astype(str), strict=True))


def _shown(reads: pd.DataFrame) -> set[Key]:
    objects, seen = reads["object"].astype(str), reads["seen"].astype(str)
    return {(name, id_) for name, ids in zip(objects, seen, strict=True) for id_ in ids.split(",") if id_}


def _whole_by_object(reads: pd.DataFrame) -> dict[str, tuple[str, float]]:
    """For each object the last whole answer: by whom and when."""
    whole = reads.loc[reads["whole"].to_numpy(dtype=bool)].sort_values("finished_s", kind="stable")
    answers = zip(whole["region_served"].astype(str), column(whole, "finished_s").tolist(), strict=True)
    return dict(zip(whole["object"].astype(str), answers, strict=True))


def _in_the_end(run: Run, writes: pd.DataFrame, reads: pd.DataFrame) -> tuple[int, int]:
    """By the final reads: how many were looked for, and how many no region at all had."""
    final = windows.phase_window(run.plan, "final_reads")
    if final is None:
        return 0, 0
    last = reads.loc[column(reads, "sent_s") >= final.start_s]
    shown, whole = _shown(last), _whole_by_object(last)
    known = [key for key in _keys(writes) if key in shown or key[0] in whole]
    return len(known), sum(key not in shown for key in known)
