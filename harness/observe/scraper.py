"""Scrapes metric endpoints on an absolute schedule, and says so where a scrape is missing.

A hole that nobody notices would let a check pass on what it did not see; so every scrape either hands over samples or
is an event. Interprets no metric. Subtle: scrapes are cancelled by their deadline all the time while a machine is busy,
and a client must survive that; httpx does not (its pool keeps connections that were cancelled while they were made, and
once there are a hundred of them nothing is ever answered again).
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp

from harness import clock
from harness.observe.exposition import parse
from harness.observe.schedule import moments, one_after_the_other
from harness.record import rows
from harness.record.writer import Sample

TIMEOUT_SHARE = 0.8  # of the period: a scrape has to be over before the next one is due
assert TIMEOUT_SHARE < 1
# The deadline is asyncio's: where aiohttp's own strikes while the scraper is being cancelled, the cancellation is lost
# and the scraper runs for ever (seen).
NO_TIMEOUTS = aiohttp.ClientTimeout(total=None, sock_connect=None)


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
    """Reads every endpoint (service → URL) each `every_s`, one after the other within that time; a failed scrape is a
    `ScrapeMissed` event."""

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
        starts = one_after_the_other(len(self._endpoints), self._every_s)
        async with aiohttp.ClientSession(timeout=NO_TIMEOUTS) as client, asyncio.TaskGroup() as tasks:
            for (service, url), start_ns in zip(self._endpoints.items(), starts, strict=True):
                tasks.create_task(self._follow(client, service, url, start_ns))

    async def _follow(self, client: aiohttp.ClientSession, service: str, url: str, start_ns: int) -> None:
        async for skipped in moments(self._every_s, start_ns=start_ns):
            now_s = (clock.now_ns() - start_ns) / clock.NS_PER_S
            if self._hole is not None and self._hole.hides(now_s):
                continue
            if skipped:
                self._missed(service, f"{skipped} scrapes were not made in time")
            await self._scrape(client, service, url)

    async def _scrape(self, client: aiohttp.ClientSession, service: str, url: str) -> None:
        """One scrape: samples dated to its middle, or an event that says why there are none."""
        asked_ns = clock.now_ns()
        try:
            async with (
                asyncio.timeout(self._every_s * TIMEOUT_SHARE),
                client.get(url, raise_for_status=True) as answer,
            ):
                text = await answer.text()
            at_ns = (asked_ns + clock.now_ns()) // 2
            samples = [Sample(at_ns, service, *parsed) for parsed in parse(text)]
        except TimeoutError:
            self._missed(service, f"no answer within {self._every_s * TIMEOUT_SHARE:g}s")
        except aiohttp.ClientResponseError as error:
            self._missed(service, f"status {error.status}")
        except aiohttp.ClientError as error:
            self._missed(service, f"{type(error).__name__}: {error}")
        except ValueError as error:
            self._missed(service, f"not an exposition: {error}")
        else:
            self._on_samples(samples)

    def _missed(self, service: str, why: str) -> None:
        self._on_event(rows.ScrapeMissed(at_ns=clock.now_ns(), service=service, why=why))
