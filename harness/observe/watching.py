"""What a running target shows for a while, scraped as in a run. Nothing is recorded, nothing is judged."""

import asyncio
import contextlib

from harness.observe.scraper import Scraper
from harness.record.writer import Sample
from harness.target.running_target import RunningTarget


async def watched(target: RunningTarget, *, for_s: float) -> list[Sample]:
    """Of every service with metrics; one that does not answer has no samples."""
    endpoints = {
        name: "http://{}:{}{}".format(*target.address(name), service.metrics)
        for name, service in target.spec.services.items()
        if service.metrics
    }
    samples: list[Sample] = []
    scraper = Scraper(endpoints, on_samples=samples.extend, on_event=lambda missed: None)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(for_s):
            await scraper.run()
    return samples
