"""What counters grew by between scrapes, summed over all services that show them. No judgement.

A counter that is smaller than before, or was not there at the scrape before, was begun anew: all that it shows has been
counted since that scrape. What a process counted between its last scrape and its end is not known, and left out.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from harness.record.reader import Run
from harness.verify import windows
from harness.verify.windows import Window

Growth = pd.DataFrame  # columns at_s (the later of two scrapes), service, word (of the label asked for), count


def growth(run: Run, metric: str, label: str, *, where: str = "") -> Growth:
    """By how much the metric grew at each scrape, by the values of `label`; `where` has to be among the labels."""
    frame = run.metrics
    mine = frame.loc[windows.is_word(frame["metric"], metric), ["service", "labels", "at_s", "value"]]
    labels = {text: str(text) for text in mine["labels"].unique()}
    mine = mine.loc[mine["labels"].isin([text for text, words in labels.items() if where in words])]
    mine = mine.astype({"service": str, "labels": str}).merge(_scrapes(run, mine["service"].unique()))
    mine = mine.sort_values("at_s", kind="stable", ignore_index=True)
    before = mine.groupby(["service", "labels"], sort=False)[["value", "scrape"]].shift()
    value, scrape = (mine[name].to_numpy(dtype=np.float64) for name in ("value", "scrape"))
    grown = value - before["value"].to_numpy(dtype=np.float64)
    goes_on = (before["scrape"].to_numpy(dtype=np.float64) == scrape - 1) & ~(grown < 0)
    grown = np.where(goes_on, grown, np.where(scrape > 0, value, np.nan))
    known = grown >= 0  # NaN, at a service's first scrape, is not
    words = {text: windows.label(text, label) for text in labels.values()}
    return pd.DataFrame(
        {
            "at_s": mine["at_s"].to_numpy(dtype=np.float64)[known],
            "service": mine["service"].to_numpy(dtype=object)[known],
            "word": mine["labels"].map(words).to_numpy(dtype=object)[known],
            "count": grown[known].astype(np.int64),
        }
    )


def _scrapes(run: Run, services: Iterable[object]) -> pd.DataFrame:
    """Each scrape of these services with its number: columns service, at_s, scrape."""
    mine = run.metrics.loc[windows.is_word(run.metrics["service"], *map(str, services)), ["service", "at_s"]]
    found = mine.drop_duplicates().astype({"service": str}).sort_values("at_s", kind="stable")
    return found.assign(scrape=found.groupby("service").cumcount())


def counted(found: Growth, window: Window, *words: str) -> int:
    """How much of these was counted within the window."""
    inside = window.holds(found["at_s"].to_numpy(dtype=np.float64)) & found["word"].isin(list(words)).to_numpy()
    return int(found["count"].to_numpy()[inside].sum())
