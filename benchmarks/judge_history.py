"""How long one million operations take from their record to the verdict on consistency; the aim is ten seconds.

Run from the checkout: `python -m benchmarks.judge_history [operations]`. The run is synthetic, of a system that is
sound, so that what is broken in a column that promises anything shows an error of the checks. It starts from the record
as the reader gives it, frames in memory, and freed memory is kept as `gameday judge` keeps it. Seconds are of CPU, so
that a busy machine does not change them much.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from harness.experiment.expectations.consistency import ConsistencyCheck
from harness.record import rows
from harness.record.reader import Run
from harness.units import Seconds
from harness.verify.consistency.answers import Answers, answers_of
from harness.verify.consistency.causality import Causality, causal
from harness.verify.consistency.check import check_consistency
from harness.verify.consistency.counters import counters
from harness.verify.consistency.durability import durability
from harness.verify.consistency.finding import Tally
from harness.verify.consistency.history import Kind
from harness.verify.consistency.monotonic_reads import monotonic_reads
from harness.verify.consistency.monotonic_writes import monotonic_writes
from harness.verify.consistency.own_writes import read_your_writes
from harness.verify.consistency.recorded import history_of
from harness.verify.consistency.staleness import staleness
from harness.verify.consistency.writes_follow_reads import writes_follow_reads
from harness.verify.memory import keep_freed_memory
from tests.harness.simulation import LOAD_START_NS, frame_of
from tests.harness.verify.consistency.a_recorded_history import CHANGES, IN_THE_END, OPERATIONS, OUTCOMES, recorded
from tests.harness.verify.consistency.a_replicated_system import REGIONS, Told, told_by_a_replicated_system

Given = TypeVar("Given")
Found = TypeVar("Found")
CHECKS: dict[str, Callable[[Answers], object]] = {
    "durability": durability,
    "staleness": staleness,
    "read your writes": read_your_writes,
    "monotonic reads": monotonic_reads,
    "monotonic writes": monotonic_writes,
    "writes follow reads": writes_follow_reads,
    "causal": causal,
    "counters": counters,
}


def a_recorded_system(operations: int) -> Run:
    """The run of a replicated system, with so many requests and the final reads."""
    told = told_by_a_replicated_system(operations)
    return replace(recorded(regions=REGIONS), requests=_requests(told))


def _requests(told: Told) -> pd.DataFrame:
    frame, size = told.frame, len(told.frame)
    kind, ending = (frame[name].to_numpy(np.int64) for name in ("kind", "ending"))
    final = frame["final"].to_numpy(bool)
    names = np.array([OPERATIONS[Kind(code)][0] for code in sorted(Kind)], dtype=object)[kind]
    changes = np.array([CHANGES[Kind(code)].value for code in sorted(Kind)], dtype=object)[kind]
    outcomes = {int(code): word.value for code, word in OUTCOMES.items()}
    sent_ns, finished_ns = (_ns(frame[name]) for name in ("invoked_s", "completed_s"))
    made = {
        "scheduled_ns": sent_ns,
        "sent_ns": sent_ns,
        "finished_ns": finished_ns,
        "operation": np.where(final, IN_THE_END[0], names),
        "user": frame["session"].to_numpy(np.int64),
        "session": frame["session"].to_numpy(np.int64),
        "outcome": np.array([outcomes[code] for code in sorted(outcomes)], dtype=object)[ending],
        "region_asked": frame["asked"].to_numpy(object),
        "region_served": frame["served"].to_numpy(object),
        "object": frame["object"].to_numpy(object),
        "change": changes,
        "written": frame["id"].to_numpy(object),
        "seen": _texts(told),
        "whole": frame["whole"].to_numpy(bool),
        "count": frame["amount"].fillna(rows.NO_COUNT).to_numpy(np.int64),
    }
    return frame_of({name: made.get(name, _nothing(name, size)) for name in rows.REQUESTS.names})


def _ns(seconds: pd.Series) -> np.ndarray:
    return LOAD_START_NS + np.round(seconds.to_numpy(float) * 1e9).astype(np.int64)


def _texts(told: Told) -> np.ndarray:
    """What each answer showed, comma-joined as in a record."""
    ids = pa.DictionaryArray.from_arrays(pa.array(told.seen.codes), pa.array(told.seen.categories, pa.string()))
    starts = pa.array(np.concatenate([[0], np.cumsum(told.seen_counts)]), pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(starts, ids.cast(pa.string())), ",")
    result: np.ndarray = joined.to_numpy(zero_copy_only=False)
    return result


def _nothing(column: str, size: int) -> np.ndarray:
    kind = rows.REQUESTS.field(column).type
    empty = "" if pa.types.is_dictionary(kind) or pa.types.is_string(kind) else 0
    return np.full(size, empty, dtype=object if empty == "" else np.int64)


def main() -> None:
    keep_freed_memory()
    run = a_recorded_system(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
    together_s = time.process_time()
    history, took_s = _timed(history_of, run)
    print(f"{len(history):,} operations, {len(history.seen):,} ids seen, {history.items:,} written")
    print(f"{took_s:6.2f} s  from the record to a history")
    answers, took_s = _timed(answers_of, history)
    print(f"{took_s:6.2f} s  answers; {len(answers.absent):,} absences")
    for name, check in CHECKS.items():
        found, took_s = _timed(check, answers)
        print(f"{took_s:6.2f} s  {name}: {_in_short(found)}")
    print(f"{time.process_time() - together_s:6.2f} s  together")
    del history, answers
    expected = ConsistencyCheck(staleness_p99=Seconds(90.0))
    verdict, took_s = _timed(lambda given: check_consistency(given, expected), run)
    print(f"{took_s:6.2f} s  from the record to the verdict: {verdict.outcome}. {verdict.sentence}")


def _timed(work: Callable[[Given], Found], given: Given) -> tuple[Found, float]:
    started_s = time.process_time()
    found = work(given)
    return found, time.process_time() - started_s


def _in_short(found: object) -> str:
    finding = found.finding if isinstance(found, Causality) else found
    if not isinstance(finding, Mapping):
        return ""
    tallies = {cohort: each for cohort, each in finding.items() if isinstance(each, Tally)}
    return ", ".join(f"{cohort} {len(each.violating)} of {each.judged}" for cohort, each in tallies.items())


if __name__ == "__main__":
    main()
