"""A run's record as a history, and its metrics as samples of what the regions hold.

Of the requests those belong to it that name an object: reads that were answered, and whatever meant to change it. Ids
are the clients' own, so two writes of one id are two attempts at one thing.

    ok                              it took effect
    unknown                         it may have, or may yet
    shed, disabled, failed, unsent  it never will

A delete that is told that there is nothing to delete is the exception: proxies repeat deletes, so it may be the second
try of one that took effect. As its session went on after it, it gets a session of its own, like what was never sent.

In which order a page shows ids is the target's to say, by times that nobody told us: somewhere between the moments at
which a write was sent and was answered.
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from harness.experiment.phases import FINAL_READS
from harness.plan import Plan
from harness.record.reader import Run
from harness.record.rows import NO_COUNT, NO_SESSION, Change, Outcome
from harness.verify import windows
from harness.verify.consistency.convergence import DigestSample
from harness.verify.consistency.history import Bools, Ending, Floats, History, Ints, Kind, from_columns
from harness.verify.consistency.liveness import HeartbeatSample
from harness.verify.windows import column, is_word

KINDS: dict[str, int] = {
    Change.NONE: Kind.READ,
    Change.ADD: Kind.WRITE,
    Change.REMOVE: Kind.DELETE,
    Change.COUNT: Kind.INCREMENT,
}
ENDINGS: dict[str, int] = {Outcome.OK: Ending.OK, Outcome.UNKNOWN: Ending.INFO}  # all others never took effect
NOT_FOUND = 404
COLUMNS = [
    *("session", "operation", "object", "change", "outcome", "status", "region_asked", "region_served"),
    *("scheduled_s", "sent_s", "finished_s", "written", "seen", "whole", "count"),
]


def history_of(run: Run) -> History:
    frame = run.requests[COLUMNS]
    about_objects = (frame["object"] != "").to_numpy(dtype=bool)
    answered = is_word(frame["outcome"], Outcome.OK)
    frame = frame.loc[about_objects & (answered | ~is_word(frame["change"], Change.NONE))]
    kind = _codes(frame["change"], KINDS, default=Kind.READ)
    ending = _codes(frame["outcome"], ENDINGS, default=Ending.FAIL)
    sent_s, finished_s = column(frame, "sent_s"), column(frame, "finished_s")
    doubtful = (kind == Kind.DELETE) & (ending == Ending.FAIL) & (frame["status"].to_numpy() == NOT_FOUND)
    ending[doubtful] = Ending.INFO
    operations = pd.DataFrame(
        {
            "session": _sessions(frame["session"].to_numpy(), apart=doubtful),
            "kind": kind,
            "object": frame["object"].array,
            "invoked_s": np.where(np.isnan(sent_s), column(frame, "scheduled_s"), sent_s),
            "completed_s": finished_s,
            "ending": ending,
            "asked": _regions(frame["region_asked"], run.plan),
            "served": _regions(frame["region_served"], run.plan),
            "id": frame["written"].to_numpy(object),
            "key": "",
            "amount": np.where(frame["count"] == NO_COUNT, np.nan, column(frame, "count")),
            "whole": frame["whole"].to_numpy(bool),
            "final": is_word(frame["operation"], *_final_operations(run.plan)),
        }
    )
    counts, seen = _seen(frame["seen"])
    order = _order(operations)
    return from_columns(operations, seen_counts=counts, seen=seen, regions=run.plan.target.regions, order=order)


def _codes(words: pd.Series, code_of: Mapping[str, int], *, default: int) -> Ints:
    """Each row's word as a number; quick for dictionary columns of a million rows."""
    coded = words.astype("category").cat
    by_word = np.array([code_of.get(str(word), default) for word in coded.categories], dtype=np.int64)
    result: Ints = by_word[coded.codes.to_numpy()]
    return result


def _sessions(session: Ints, *, apart: Bools) -> Ints:
    """What belongs to no session, or may not stay in its own, gets one for itself."""
    alone = np.flatnonzero((session == NO_SESSION) | apart)
    result = session.astype(np.int64)
    result[alone] = session.max(initial=0) + 1 + np.arange(len(alone))
    return result


def _regions(words: pd.Series, plan: Plan) -> np.ndarray:
    """Names of the target's regions; empty where it is another one, or none."""
    coded = words.astype("category").cat
    names = [str(word) if word in plan.target.regions else "" for word in coded.categories]
    result: np.ndarray = np.array(names, dtype=object)[coded.codes.to_numpy()]
    return result


def _final_operations(plan: Plan) -> list[str]:
    return [operation.name for operation in plan.operations if operation.phase == FINAL_READS]


def _seen(texts: pd.Series) -> tuple[Ints, "pd.Categorical[str]"]:
    """How many ids each answer shows, and all of them in one line; each different answer is taken apart once."""
    in_line = pa.array(texts, pa.large_string())
    if isinstance(in_line, pa.ChunkedArray):
        in_line = in_line.combine_chunks()
    different = in_line.dictionary_encode()
    parts = pc.split_pattern(different.dictionary, ",")
    ids = parts.flatten().dictionary_encode()
    counts = pc.list_value_length(parts).to_numpy(zero_copy_only=False).astype(np.int64)
    says_something = pc.not_equal(parts.flatten(), "").to_numpy(zero_copy_only=False)
    codes = ids.indices.to_numpy()[says_something]
    counts = np.bincount(np.repeat(np.arange(len(counts)), counts)[says_something], minlength=len(counts))
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]))
    shown = pa.LargeListArray.from_arrays(offsets, pa.array(codes)).take(different.indices).flatten()
    many = counts[different.indices.to_numpy()]
    return many, pd.Categorical.from_codes(shown.to_numpy(), categories=ids.dictionary.to_pylist())


def _order(operations: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """When each id took its place: not before its first attempt began, nor after its last one was acknowledged."""
    mine = (operations["kind"] == Kind.WRITE) & (operations["ending"] != Ending.FAIL) & (operations["id"] != "")
    writes = operations.loc[mine]
    surely = (writes["ending"] == Ending.OK).to_numpy()
    ids, names = pd.factorize(writes["id"].to_numpy(object))
    first_s, last_s = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    np.minimum.at(first_s, ids, column(writes, "invoked_s"))
    np.maximum.at(last_s, ids, np.where(surely, column(writes, "completed_s"), np.inf))
    return dict(zip(names, zip(first_s.tolist(), last_s.tolist(), strict=True), strict=True))


# --- metrics --------------------------------------------------------------------------------------------------------


def digest_samples(run: Run) -> list[DigestSample]:
    """What the regions' services told of their tables."""
    names = run.plan.target.metrics
    digests, rows = _samples(run, names.table_digest, "table"), _samples(run, names.table_rows, "table")
    both = digests.merge(rows, on=["at_s", "service", "word"], suffixes=("", "_rows"))
    services = run.plan.target.services
    return [
        DigestSample(at_s=at_s, region=region, table=table, rows=int(many), digest=int(digest))
        for at_s, service, table, digest, many in both.itertuples(index=False, name=None)
        if service in services and (region := services[service].region) is not None
    ]


def key_answers(run: Run) -> pd.DataFrame:
    """What the regions' services told of a sample of keys: columns at_s, region, key, answer, as `agreement` takes it.

    A service says of which instant its answers are. Services that say the same were asked at the same time; in run time
    that is dated to when the first of them was scraped with it, which is late by no more than the time between scrapes.
    """
    names = run.plan.target.metrics
    services = run.plan.target.services
    answers = _samples(run, names.key_digest, "keys")
    instants = _samples(run, names.key_digest_at, "keys")[["at_s", "service", "value"]]
    both = answers.merge(instants, on=["at_s", "service"], suffixes=("", "_instant"))
    both = both.loc[both["value_instant"] > 0]  # a service that has told of none yet
    region = {name: spec.region for name, spec in services.items() if spec.region is not None}
    return pd.DataFrame(
        {
            "at_s": both.groupby("value_instant")["at_s"].transform("min"),
            "region": both["service"].map(region),
            "key": both["word"],
            "answer": both["value"],
        }
    ).dropna(subset="region")


def heartbeat_samples(run: Run) -> list[HeartbeatSample]:
    """How far behind each link was, as its subscriber told."""
    found = []
    frame = _samples(run, run.plan.target.metrics.replication_lag, "link")
    for at_s, _, link, age_s in frame.itertuples(index=False, name=None):
        source, _, target = link.partition("->")
        known_s = math.inf if math.isnan(age_s) else age_s  # none ever came
        found.append(HeartbeatSample(at_s=at_s, source=_region(source), target=_region(target), age_s=known_s))
    return found


def _region(end: str) -> str:
    """Of one end of a link: "us-east.postgres"."""
    return end.partition(".")[0]


def _samples(run: Run, metric: str, label: str) -> pd.DataFrame:
    """Columns at_s, service, word (the label's), value."""
    frame = run.metrics.loc[is_word(run.metrics["metric"], metric), ["at_s", "service", "labels", "value"]]
    words = {labels: windows.label(labels, label) for labels in frame["labels"].astype(str).unique()}
    found = frame.assign(service=frame["service"].astype(str), word=frame["labels"].astype(str).map(words))
    return found[["at_s", "service", "word", "value"]]


def last_change_s(run: Run) -> float:
    """When the last request was over that changed anything, or may have."""
    writing = [operation.name for operation in run.plan.operations if operation.writes]
    frame = run.requests
    changed = is_word(frame["operation"], *writing) & is_word(frame["outcome"], Outcome.OK, Outcome.UNKNOWN)
    finished_s: Floats = column(frame, "finished_s")[changed]
    return float(finished_s.max(initial=0.0))
