"""What counters grew by between scrapes, summed over all services that show them. No judgement.

A counter that is smaller than before was begun anew with its process; what it counted meanwhile is not known, so that
interval is left out.
"""

import numpy as np
import pandas as pd

from harness.record.reader import Run
from harness.verify import windows
from harness.verify.windows import Window

Growth = pd.DataFrame  # columns at_s (the later of two scrapes), word (of the label asked for), count


def growth(run: Run, metric: str, label: str, *, where: str = "") -> Growth:
    """By how much the metric grew at each scrape, by the values of `label`; `where` has to be among the labels."""
    frame = run.metrics
    mine = frame.loc[windows.is_word(frame["metric"], metric), ["service", "labels", "at_s", "value"]]
    labels = {text: str(text) for text in mine["labels"].unique()}
    mine = mine.loc[mine["labels"].isin([text for text, words in labels.items() if where in words])]
    mine = mine.sort_values("at_s", kind="stable").astype({"service": str, "labels": str})
    grown = mine.groupby(["service", "labels"], sort=False)["value"].diff().to_numpy(dtype=np.float64)
    known = grown >= 0  # NaN, of a first sample, is not
    words = {text: windows.label(text, label) for text in labels.values()}
    return pd.DataFrame(
        {
            "at_s": mine["at_s"].to_numpy(dtype=np.float64)[known],
            "word": mine["labels"].map(words).to_numpy(dtype=object)[known],
            "count": grown[known].astype(np.int64),
        }
    )


def counted(found: Growth, window: Window, *words: str) -> int:
    """How much of these was counted within the window."""
    inside = window.holds(found["at_s"].to_numpy(dtype=np.float64)) & found["word"].isin(list(words)).to_numpy()
    return int(found["count"].to_numpy()[inside].sum())
