"""Takes out of a region's caches what was changed since: deleted posts, edited profiles, who follows whom.

Changes wait in two tables until Redis knows of them, whichever region made them: what was changed in this one is in its
caches already, unless Redis was away. Everything here may be done twice.
"""

import itertools

from reference_system.data.backends import Backends
from reference_system.data.resp import Command
from reference_system.data.timelines import forget_follows, forget_profile, withdraw

BATCH = 200  # of each table at a time


class Withdrawals:
    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._counted = backends.cache_invalidations
        for kind in ("post", "profile", "follows"):
            self._counted.labels(kind)  # shown from the start, so that none is not the same as not known

    async def run_once(self) -> bool:
        """Whether there may be more. Raises DependencyError and does it later."""
        posts = await self._backends.postgres("withdrawn", BATCH)
        changes = await self._backends.postgres("changed", BATCH)
        if posts or changes:
            withdrawn = [withdraw(row["post"], row["author"], row["words"]) for row in posts]
            forgotten = [_forgotten(*change) for change in {(row["owner"], row["what"]) for row in changes}]
            await self._backends.redis(*itertools.chain(*withdrawn, *forgotten))
        if posts:
            await self._backends.postgres("withdrawn_done", [row["post"] for row in posts])
            self._counted.labels("post").inc(len(posts))
        if changes:
            await self._backends.postgres("changed_done", [row["number"] for row in changes])
            for row in changes:
                self._counted.labels(row["what"]).inc()
        return BATCH in (len(posts), len(changes))


def _forgotten(owner: str, what: str) -> tuple[Command, ...]:
    return forget_profile(owner) if what == "profile" else forget_follows(owner)
