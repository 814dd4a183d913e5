"""φ-consistency over time: of the keys that all regions were asked for at one instant, how many they answered alike.

After Lu et al., "Existential Consistency: Measuring and Understanding Consistency at Facebook" (SOSP 2015), where φ(P)
is the share of requests for which all replicas of P answer the same. Two replicas that differ at one instant may be
right each by itself, so nothing is judged by it; drawn over time it is the partition itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from harness.verify.consistency.history import Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Among `regions`, at each instant: of the keys that all of them answered, how many they answered alike."""

    regions: tuple[str, ...]
    at_s: Floats
    asked: Ints
    alike: Ints

    @property
    def phi(self) -> Floats:
        """Shares of 1, NaN where nothing was answered by all."""
        result: Floats = np.divide(self.alike, self.asked, out=np.full(len(self.at_s), np.nan), where=self.asked > 0)
        return result


def agreement(answers: pd.DataFrame, *, regions: Sequence[str]) -> tuple[Agreement, ...]:
    """Among all regions first, then within each pair of them; every instant at which anybody answered is there.

    `answers` has the columns at_s, region, key and answer, an instant being the same number for all regions that were
    asked at it. Of several answers of one region for one key at one instant the last one counts, and other regions do
    not. With fewer than two regions there is nothing to compare.
    """
    mine = answers.loc[answers["region"].isin(list(regions))]
    if len(regions) < 2 or mine.empty:
        return ()
    table = mine.pivot_table(index=["at_s", "key"], columns="region", values="answer", aggfunc="last")
    table = table.reindex(columns=list(regions))
    at_s, instant = np.unique(table.index.get_level_values("at_s").to_numpy(float), return_inverse=True)
    groups = [tuple(regions)] if len(regions) == 2 else [tuple(regions), *combinations(regions, 2)]
    return tuple(_among(group, table[list(group)].to_numpy(float), at_s, instant) for group in groups)


def _among(regions: tuple[str, ...], answer: Floats, at_s: Floats, instant: Ints) -> Agreement:
    whole = ~np.isnan(answer).any(axis=1)
    same = whole & (answer == answer[:, :1]).all(axis=1)
    return Agreement(
        regions=regions,
        at_s=at_s,
        asked=np.bincount(instant[whole], minlength=len(at_s)),
        alike=np.bincount(instant[same], minlength=len(at_s)),
    )
