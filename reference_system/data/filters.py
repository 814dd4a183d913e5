"""Whose posts a viewer does not want to see: blocked and muted accounts, applied to what caches hold, after them.

Caches hold what anybody may see; what one viewer filters is a value of its own. Without it nothing is shown to a viewer
who has proved who it is: it is better to fail than to show what must not be seen.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum

from reference_system.data.backends import Backends
from reference_system.data.hearing import Hearing
from reference_system.data.keys import filters_key
from reference_system.data.posts import Post
from reference_system.data.values import ValueKind, Values

FILTERS = ValueKind(name="filters", of=frozenset[str], fresh_s=3600.0)  # forgotten at every change

Visible = Callable[[str, Iterable[Post], AbstractSet[str]], Sequence[Post]]


class Filter(StrEnum):
    """A muted account is not seen; a blocked one is not seen and cannot follow the viewer."""

    BLOCK = "block"
    MUTE = "mute"


class Filters:
    def __init__(self, backends: Backends, values: Values, hearing: Hearing) -> None:
        self._backends = backends
        self._values = values
        self._hearing = hearing

    async def of(self, viewer: str, *, past_caches: bool = False) -> AbstractSet[str]:
        """The accounts. Raises DependencyError."""
        if past_caches or not self._hearing.redis_is_believed:
            return await self._asked(viewer)
        found: AbstractSet[str] = (
            await self._values.get(FILTERS, filters_key(viewer), lambda: self._asked(viewer))
        ).value
        return found

    async def _asked(self, viewer: str) -> AbstractSet[str]:
        rows = await self._backends.postgres("filters", viewer)
        return frozenset(row["subject"] for row in rows)


def visible(key: str, posts: Iterable[Post], hidden: AbstractSet[str]) -> Sequence[Post]:
    """Those that are not of hidden accounts. `key`: the page of which they are."""
    del key
    return [post for post in posts if post.author not in hidden]
