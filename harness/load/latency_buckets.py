"""A small histogram of latencies that adds up over shards (percentiles do not), to 2 %; for live figures only."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

SMALLEST_S = 1e-4
GROWTH = 1.02  # each bucket is 2 % wide: its geometric middle is within 1 % of every value in it


def histogram(latencies_s: NDArray[np.float64]) -> dict[int, int]:
    """Bucket number → count."""
    if not len(latencies_s):
        return {}
    numbers = np.floor(np.log(np.maximum(latencies_s, SMALLEST_S) / SMALLEST_S) / np.log(GROWTH)).astype(int)
    places, counts = np.unique(numbers, return_counts=True)
    return dict(zip(places.tolist(), counts.tolist(), strict=True))


def quantile_s(buckets: Mapping[int, int], share: float) -> float | None:
    """The middle of the bucket that holds the nearest-rank quantile; None where there is nothing."""
    rank = int(np.ceil(share * sum(buckets.values())))
    reached = 0
    for number in sorted(buckets):
        reached += buckets[number]
        if reached >= rank:
            return float(SMALLEST_S * GROWTH ** (number + 0.5))
    return None
