"""How long the consistency checks take for one million operations; the aim is ten seconds for the whole judge.

Run from the checkout: `python -m benchmarks.judge_history [operations]`. The history is synthetic, of a system that is
sound, so that what is broken in a column that promises anything shows an error of the checks.
"""

import sys
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from harness.verify.consistency.answers import Answers, answers_of
from harness.verify.consistency.causality import Causality, causal
from harness.verify.consistency.counters import counters
from harness.verify.consistency.durability import durability
from harness.verify.consistency.finding import Tally
from harness.verify.consistency.monotonic_reads import monotonic_reads
from harness.verify.consistency.monotonic_writes import monotonic_writes
from harness.verify.consistency.own_writes import read_your_writes
from harness.verify.consistency.staleness import staleness
from harness.verify.consistency.writes_follow_reads import writes_follow_reads
from tests.harness.verify.consistency.a_replicated_system import a_replicated_system

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


def main() -> None:
    history = a_replicated_system(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
    print(f"{len(history):,} operations, {len(history.seen):,} ids seen, {history.items:,} written")
    together_s = time.perf_counter()
    answers, took_s = _timed(answers_of, history)
    print(f"{took_s:6.2f} s  answers; {len(answers.absent):,} absences")
    for name, check in CHECKS.items():
        found, took_s = _timed(check, answers)
        print(f"{took_s:6.2f} s  {name}: {_in_short(found)}")
    print(f"{time.perf_counter() - together_s:6.2f} s  together")


def _timed(work: Callable[[Given], Found], given: Given) -> tuple[Found, float]:
    started_s = time.perf_counter()
    found = work(given)
    return found, time.perf_counter() - started_s


def _in_short(found: object) -> str:
    finding = found.finding if isinstance(found, Causality) else found
    if not isinstance(finding, Mapping):
        return ""
    tallies = {cohort: each for cohort, each in finding.items() if isinstance(each, Tally)}
    return ", ".join(f"{cohort} {len(each.violating)} of {each.judged}" for cohort, each in tallies.items())


if __name__ == "__main__":
    main()
