"""Scrapes metric endpoints on an absolute schedule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.record import rows
from harness.record.writer import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeHole:
    """A harness defect for tests: no scrapes from `start_s` for `lasts_s`, counted from the scraper's start."""

    start_s: float
    lasts_s: float


class Scraper:
    """Reads every endpoint (service → URL) each `every_s`; a failed scrape is a `ScrapeMissed` event."""

    def __init__(
        self,
        endpoints: Mapping[str, str],
        *,
        every_s: float = 0.5,
        on_samples: Callable[[list[Sample]], None],
        on_event: Callable[[rows.Event], None],
        hole: ScrapeHole | None = None,
    ) -> None: ...

    async def run(self) -> None:
        """Scrape until cancelled."""
