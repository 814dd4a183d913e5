"""When all regions hold the same rows again after a heal: from digests that each region gives of each of its tables.

A digest is of the rows whatever their order (a sum of hashes). Only samples from the heal on count: what a region held
before says nothing. A table has converged at the first instant from which on the latest samples of all regions agree,
for as long as all of them were sampled.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestSample:
    at_s: float
    region: str
    table: str
    rows: int
    digest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The last instant at which regions differed, and what each of them held."""

    at_s: float
    held: Mapping[str, tuple[int, int]]  # region → rows, digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """Of one table. `after_s` counts from the heal and is an upper bound; `differed_s` is the lower one.

    `after_s` is None where the regions still differed at the end, or some were never sampled (`unsampled`).
    `watched_s` is for how long after the heal all regions were sampled.
    """

    table: str
    after_s: float | None
    differed_s: float
    watched_s: float
    last_difference: Difference | None
    unsampled: tuple[str, ...]
    samples: int


def convergence(
    samples: Iterable[DigestSample], *, regions: Sequence[str], tables: Sequence[str], heal_s: float
) -> tuple[Convergence, ...]:
    """By table; a table that nobody sampled is among them."""
    by_table: dict[str, list[DigestSample]] = {table: [] for table in tables}
    for sample in sorted(samples, key=lambda each: each.at_s):
        if sample.at_s >= heal_s and sample.region in regions:
            by_table.setdefault(sample.table, []).append(sample)
    return tuple(_of_table(table, of_it, regions, heal_s) for table, of_it in by_table.items())


def converged_after_s(found: Sequence[Convergence]) -> float | None:
    """When the last table had converged, None if any had not or there was none."""
    times = [each.after_s for each in found]
    known = [each for each in times if each is not None]
    return max(known) if known and len(known) == len(times) else None


def _of_table(table: str, samples: list[DigestSample], regions: Sequence[str], heal_s: float) -> Convergence:
    last = {sample.region: sample.at_s for sample in samples}
    unsampled = tuple(region for region in regions if region not in last)
    watched_s = 0.0 if unsampled else min(last.values()) - heal_s
    held: dict[str, tuple[int, int]] = {}
    agreed_s: float | None = None
    difference: Difference | None = None
    for at_s, together in groupby(samples, key=lambda each: each.at_s):
        held |= {each.region: (each.rows, each.digest) for each in together}
        if len(set(held.values())) > 1:
            agreed_s, difference = None, Difference(at_s=at_s, held=dict(held))
        elif agreed_s is None and len(held) == len(regions):
            agreed_s = at_s
    return Convergence(
        table=table,
        after_s=None if agreed_s is None or unsampled else agreed_s - heal_s,
        differed_s=0.0 if difference is None else difference.at_s - heal_s,
        watched_s=watched_s,
        last_difference=difference,
        unsampled=unsampled,
        samples=len(samples),
    )
