"""Scrapes metric endpoints on an absolute schedule, and says so where a scrape is missing.

A hole that nobody notices would let a check pass on what it did not see; so every scrape either hands over samples or
is an event. Interprets no metric.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from harness import clock
from harness.observe.exposition import parse
from harness.observe.schedule import moments
from harness.record import rows
from harness.record.writer import Sample

TIMEOUT_SHARE = 0.8  # of the period: a scrape has to be over before the next one is due
assert TIMEOUT_SHARE < 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeHole:
    """A harness defect for tests: no scrapes from `start_s` for `lasts_s`, counted from the scraper's start.

    Not even an event tells it: the hole has to be found in the samples.
    """

    start_s: float
    lasts_s: float

    def hides(self, now_s: float) -> bool:
        return self.start_s <= now_s < self.start_s + self.lasts_s


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
    ) -> None:
        self._endpoints = dict(endpoints)
        self._every_s = every_s
        self._on_samples = on_samples
        self._on_event = on_event
        self._hole = hole

    async def run(self) -> None:
        """Scrape until cancelled."""
        start_ns = clock.now_ns()
        async with httpx.AsyncClient(trust_env=False, timeout=self._every_s) as client, asyncio.TaskGroup() as tasks:
            for service, url in self._endpoints.items():
                tasks.create_task(self._follow(client, service, url, start_ns))

    async def _follow(self, client: httpx.AsyncClient, service: str, url: str, start_ns: int) -> None:
        async for skipped in moments(self._every_s, start_ns=start_ns):
            now_s = (clock.now_ns() - start_ns) / clock.NS_PER_S
            if self._hole is not None and self._hole.hides(now_s):
                continue
            if skipped:
                self._missed(service, f"{skipped} scrapes were not made in time")
            await self._scrape(client, service, url)

    async def _scrape(self, client: httpx.AsyncClient, service: str, url: str) -> None:
        """One scrape: samples dated to its middle, or an event that says why there are none."""
        asked_ns = clock.now_ns()
        try:
            async with asyncio.timeout(self._every_s * TIMEOUT_SHARE):
                answer = await client.get(url)
            at_ns = (asked_ns + clock.now_ns()) // 2
            answer.raise_for_status()
            samples = [Sample(at_ns, service, *parsed) for parsed in parse(answer.text)]
        except TimeoutError:
            self._missed(service, f"no answer within {self._every_s * TIMEOUT_SHARE:g}s")
        except httpx.HTTPStatusError as error:
            self._missed(service, f"status {error.response.status_code}")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._missed(service, f"{type(error).__name__}: {error}")
        except ValueError as error:
            self._missed(service, f"not an exposition: {error}")
        else:
            self._on_samples(samples)

    def _missed(self, service: str, why: str) -> None:
        self._on_event(rows.ScrapeMissed(at_ns=clock.now_ns(), service=service, why=why))
