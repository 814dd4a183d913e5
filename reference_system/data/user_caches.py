"""Everything that a region's caches hold of one user, forgotten at once: when users have erased what they wrote, and
when operators ask for it (suspension, a change of privacy).

What is Redis' own is found by name, except the user's posts: lists of timelines name posts only, so posts are kept by
their own id, and the database says which are the user's. Replicas are told to forget what they have in memory and on
disk.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from reference_system.data import pulled
from reference_system.data.announcements import everything_changed
from reference_system.data.backends import Backends
from reference_system.data.generations import forget_value
from reference_system.data.keys import filters_key, notifications_key, suggestions_key, user_prefix
from reference_system.data.resp import Command, Reply
from reference_system.data.timelines import Kind, forget, tweet_key

LOOKED_AT = 1000  # keys a step: Redis does nothing else meanwhile, for about a millisecond

Send = Callable[..., Awaitable[list[Reply]]]
Matching = Callable[[Send, str], Coroutine[Any, Any, set[str]]]  # (as `Backends.redis`, pattern) → keys


async def by_scanning(redis: Send, pattern: str) -> set[str]:
    """In steps. KEYS would look at all at once, and everybody else would wait."""
    cursor, found = b"0", set[str]()
    while True:
        ((cursor, keys),) = await redis(("SCAN", cursor, "MATCH", pattern, "COUNT", LOOKED_AT))
        found.update(key.decode() for key in keys)
        if cursor == b"0":
            return found


class UserCaches:
    """`matching` finds keys by a pattern."""

    def __init__(self, backends: Backends, *, matching: Matching = by_scanning) -> None:
        self._backends = backends
        self._matching = matching

    async def forget(self, user: str) -> int:
        """How many entries of Redis were looked for or found. Raises DependencyError; may be repeated."""
        rows = await self._backends.postgres("ids_of", user)
        posts = [tweet_key(row["id"]) for row in rows]
        # Not only what is found: somebody may be building the others.
        built = {filters_key(user), notifications_key(user), suggestions_key(user)}
        keys = built | await self._matching(self._backends.redis, f"{user_prefix(user)}*")
        commands: list[Command] = [command for key in sorted(keys) for command in forget_value(key)]
        commands.append(("UNLINK", *pulled.keys_of(user), *posts))
        lists = (*forget(Kind.HOME, user), *forget(Kind.PROFILE, user))
        await self._backends.redis(*commands, *lists, everything_changed(user))
        return len(keys) + len(posts) + len(Kind)
