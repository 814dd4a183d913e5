"""Prometheus text to (metric, labels, value)."""

from collections.abc import Callable


def parse(text: str, *, keep: Callable[[str], bool] | None = None) -> list[tuple[str, str, float]]:
    """Samples as (metric, canonical labels, value); ValueError with the line where the text is not an exposition."""
    raise NotImplementedError
