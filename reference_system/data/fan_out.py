"""Puts new posts into the followers' cached timelines, and mentions into notifications.

Posts wait in an outbox table until they are in Redis, at least once: a lost Redis delays the fan-out and loses nothing,
since readers without Redis build from Postgres, and lists that outlived the loss are caught up before the outbox is
emptied. Every account is pushed; pulling the very popular ones at read time is not done yet.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reference_system.data.backends import Backends
from reference_system.data.events import forget_notifications
from reference_system.data.postgres import Record
from reference_system.data.resp import Command
from reference_system.data.timelines import Kind, keep_tweets, posts_of, pushes, pushes_to_many

BATCH = 100  # posts at a time; who gets fewer has everything that was queued
_MENTION = re.compile(r"@([\w-]+)")


@dataclass(frozen=True, slots=True)
class Backlog:
    waiting: int
    oldest_at_s: float | None  # Unix seconds


class FanOut:
    def __init__(self, backends: Backends, *, region: str) -> None:
        self._backends = backends
        self._region = region

    async def backlog(self) -> Backlog:
        (row,) = await self._backends.postgres("outbox_size")
        return Backlog(row["waiting"], row["oldest"])

    async def run_once(self) -> int:
        """Deliver one batch; the number of posts delivered. Raises DependencyError and delivers them later."""
        queued = await self._backends.postgres("outbox", BATCH)
        if not queued:
            return 0
        ids = [row["post"] for row in queued]
        commands = await self._deliveries(queued)
        mentions = await self._notify(ids)
        await self._backends.redis(*commands, *mentions)
        await self._backends.postgres("outbox_done", ids)
        return len(ids)

    async def _deliveries(self, queued: Sequence[Record]) -> list[Command]:
        rows = await self._backends.postgres("followers", sorted({row["author"] for row in queued}))
        followers: dict[str, list[str]] = {}
        for row in rows:
            followers.setdefault(row["followee"], []).append(row["follower"])
        commands: list[Command] = []
        for row in queued:
            post, author = row["post"], row["author"]
            commands += pushes_to_many(Kind.HOME, [author, *followers.get(author, ())], post)
            commands += pushes(Kind.PROFILE, author, post)  # nobody else does, where it comes from another region
        return commands

    async def _notify(self, ids: Sequence[str]) -> list[Command]:
        commands: list[Command] = []
        for post in posts_of(await self._backends.postgres("posts", ids)):
            commands.append(keep_tweets([post]))
            mentioned = sorted(set(_MENTION.findall(post.text)))
            if mentioned:
                text = f"{post.author} mentioned you: {post.text}"
                await self._backends.postgres("mention", post.id, mentioned, text, post.created_at)
                commands += [command for user in mentioned for command in forget_notifications(user)]
        return commands
