"""Prometheus text to (metric, labels, value), fast enough for a scrape of thousands of samples every half second.

The reader of prometheus_client builds an object for each sample and takes six times as long (measured). Comments
and timestamps are not kept: the scraper has its own clock. Knows nothing of what a metric means.
"""

import re
from collections.abc import Callable
from functools import lru_cache

_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_NAMED = r"""([a-zA-Z_:][a-zA-Z0-9_:]*)       # the metric
        (?:\s*\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?  # labels; a brace in a quoted value does not end them
        """
_SERIES = re.compile(_NAMED, re.VERBOSE)
_SAMPLE = re.compile(
    _NAMED
    + r"""\s+(\S+)                             # the value
        (?:\s+-?[0-9]+)?\s*                  # a timestamp, not kept""",
    re.VERBOSE,
)
MOST_LABEL_SETS = 65_536  # distinct series remembered; a run sees some thousands


def is_kept(metric: str) -> bool:
    """All but `_created`: moments of creation, which are no measurements and as many again as the counters."""
    return not metric.endswith("_created")


def parse(text: str, *, keep: Callable[[str], bool] = is_kept) -> list[tuple[str, str, float]]:
    """Samples as (metric, labels, value), labels sorted as `a="1",b="2"` with their escapes; ValueError for a bad line.

    Values may be NaN or infinite, as in the text.
    """
    samples: list[tuple[str, str, float]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line or line[0] == "#" or line.isspace():
            continue
        named, _, value = line.rpartition(" ")
        series = _series(named)
        if series is None:  # a timestamp after the value, another space between them, or no sample
            found = _SAMPLE.fullmatch(line)
            if found is None:
                raise ValueError(f"line {number} is not a sample: {line[:80]!r}")
            metric, labels, value = found.groups()
            series = metric, canonical_labels(labels) if labels else ""
        if keep(series[0]):
            samples.append((*series, _number(value, number)))
    return samples


@lru_cache(MOST_LABEL_SETS)
def _series(text: str) -> tuple[str, str] | None:
    """Metric and labels of what stands before a value; the same text comes with every scrape."""
    found = _SERIES.fullmatch(text)
    if found is None:
        return None
    metric, labels = found.groups()
    return metric, canonical_labels(labels) if labels else ""


def _number(text: str, line: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"line {line} has no number: {text[:40]!r}") from None


@lru_cache(MOST_LABEL_SETS)
def canonical_labels(text: str) -> str:
    """What stands between the braces, sorted by name and without spaces."""
    labels: dict[str, str] = {}
    position, end = 0, len(text.rstrip())
    while position < end:
        label = _LABEL.match(text, position)
        if label is None or label.group(1) in labels:
            raise ValueError(f"these are not labels: {text[:80]!r}")
        labels[label.group(1)] = label.group(2)
        position = label.end()
    return ",".join(f'{name}="{labels[name]}"' for name in sorted(labels))
