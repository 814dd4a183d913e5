"""Takes out of a region's caches what was changed since: deleted posts, edited profiles, whom users follow and filter,
and everything of who has had everything erased.

Changes wait in two tables until Redis knows of them, whichever region made them: what was changed in this one is in its
caches already, unless Redis was away. Everything here may be done twice.
"""

import itertools
from collections.abc import Awaitable, Callable, Collection

from reference_system.data.backends import Backends
from reference_system.data.events import FORGETS, Event, Forgets
from reference_system.data.timelines import withdraw

BATCH = 200  # of each table at a time
PAGES_OF = (Event.EDITED, Event.ERASED)  # what changes the user's public profile, whatever becomes of posts


class Withdrawals:
    """`pages_changed` is told whose public profiles are not what they were, `forget_user` forgets all of a user's."""

    def __init__(
        self,
        backends: Backends,
        *,
        pages_changed: Callable[[Collection[str]], None],
        forget_user: Callable[[str], Awaitable[int]],
        forgets: Forgets = FORGETS,
    ) -> None:
        self._backends = backends
        self._forgets = forgets
        self._pages_changed = pages_changed
        self._forget_user = forget_user
        self._counted = backends.cache_invalidations
        for kind in ("post", *Event):
            self._counted.labels(kind)  # shown from the start, so that none is not the same as not known

    async def run_once(self) -> bool:
        """Whether there may be more. Raises DependencyError and does it later."""
        posts = await self._backends.postgres("withdrawn", BATCH)
        changes = await self._backends.postgres("changed", BATCH)
        if posts or changes:
            withdrawn = [withdraw(row["post"], row["author"], row["words"]) for row in posts]
            happened = {(row["owner"], Event(row["what"])) for row in changes}
            forgotten = [self._forgets[what](owner) for owner, what in happened]
            await self._backends.redis(*itertools.chain(*withdrawn, *forgotten))
            for owner in {owner for owner, what in happened if what is Event.ERASED}:
                await self._forget_user(owner)
            authors = {row["author"] for row in posts if row["author"] is not None}
            if changed := authors | {owner for owner, what in happened if what in PAGES_OF}:
                self._pages_changed(changed)
        if posts:
            await self._backends.postgres("withdrawn_done", [row["post"] for row in posts])
            self._counted.labels("post").inc(len(posts))
        if changes:
            await self._backends.postgres("changed_done", [row["number"] for row in changes])
            for row in changes:
                self._counted.labels(row["what"]).inc()
        return BATCH in (len(posts), len(changes))
