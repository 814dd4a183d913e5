"""Brings new posts to their followers: into their cached timelines, or to where they pull them from; and mentions into
notifications.

Posts wait in an outbox table until they are in Redis, at least once: a lost Redis delays them and loses nothing, since
readers without Redis build from Postgres, and lists that outlived the loss are caught up before the outbox is emptied.
Authors take turns, with one post each at a time, and posts take turns with a part of their readers each: neither an
account with many followers nor one that posts much delays the others. A post that Redis refuses is tried again later
and in the end put aside as a dead letter; others do not wait for it. Several workers may do the same work at once.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from reference_system.data.backends import Backends
from reference_system.data.delivery import Delivery, mentioned_in
from reference_system.data.postgres import Record
from reference_system.data.posts import Post
from reference_system.data.timelines import posts_of
from reference_system.policies import fan_out, redelivery
from reference_system.policies.fan_out import How

MADE_UP_S = 0.1  # so much capacity that was free, or went by with other work, may be used later


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`how`: given an account's followers and the limit in force. `pushes_a_round` are shared out among the posts under
    way, of at most `authors_at_once`; a new post waits for one round until its first turn."""

    how: Callable[[int, int], How] = fan_out.how
    authors_at_once: int = 100
    pushes_a_round: int = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    waiting: int
    oldest_at_s: float | None  # Unix seconds
    dead_letters: int
    as_of_s: float  # Unix seconds, by the database's clock

    def has_all_from_before(self, earlier: "Backlog") -> bool:
        """Whether nothing waits any more of what was queued when the other one was taken."""
        return self.oldest_at_s is None or self.oldest_at_s > earlier.as_of_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """`how` it was brought; `delay_s` counts from when it was queued."""

    how: str
    followers: int
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """Into so many timelines, of an author's with so many followers."""

    followers: int
    timelines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round did; `failed` are tries of posts, `more`: there may be more to do at once."""

    delivered: Sequence[Delivered] = ()
    pushed: Sequence[Pushed] = ()
    failed: int = 0
    more: bool = False


class FanOut:
    """`pushes_per_s` is the modelled capacity, the same on every machine: rounds last as long as their pushes."""

    def __init__(self, backends: Backends, *, pushes_per_s: float, rules: Rules) -> None:
        self._backends = backends
        self._pushes_per_s = pushes_per_s
        self._rules = rules
        self._under_way: dict[str, Delivery] = {}  # by post
        self._free_at_s = 0.0  # when the capacity is free again, on the loop's clock

    async def backlog(self) -> Backlog:
        (row,) = await self._backends.postgres("outbox_size")
        return Backlog(
            waiting=row["waiting"], oldest_at_s=row["oldest"], dead_letters=row["dead_letters"], as_of_s=row["as_of"]
        )

    async def retry_dead_letters(self) -> int:
        """Queue all of them again; how many there were."""
        return len(await self._backends.postgres("retry_dead_letters"))

    async def run_once(self, *, limit: int, now_s: float) -> Round:
        """One turn for every post under way. Raises DependencyError; a later round does what this one did not."""
        began_s = _now_s()
        withdrawn = await self._admit(limit, now_s)
        active = self._active(now_s)
        for delivery in active:
            if self._rules.how(delivery.followers, limit) is How.PULL:
                delivery.how = How.PULL  # never back: what was pulled is not pushed to all
        pushed = await self._take_turns([each for each in active if not each.is_over], now_s)
        await self._spend(sum(each.timelines for each in pushed))
        over_s = now_s + _now_s() - began_s
        failed = [delivery for delivery in active if delivery.is_over and delivery.refused]
        for delivery in failed:
            await self._fail(delivery, over_s)
        done = [delivery for delivery in active if delivery.is_over and not delivery.refused]
        finished = [*withdrawn, *await self._finish(done, over_s)]
        return Round(delivered=finished, pushed=pushed, failed=len(failed), more=bool(active or withdrawn))

    def _active(self, now_s: float) -> list[Delivery]:
        return [delivery for delivery in self._under_way.values() if delivery.not_before_s <= now_s]

    async def _admit(self, limit: int, now_s: float) -> list[Delivered]:
        """Take up the next post of every author who has none under way; gives those that are deleted already."""
        busy = {delivery.post.author for delivery in self._active(now_s)}
        room = self._rules.authors_at_once - len(busy)
        queued = await self._backends.postgres("outbox", [*busy], [*self._under_way], room) if room > 0 else []
        if not queued:
            return []
        posts = {post.id: post for post in posts_of(await self._backends.postgres("posts", _ids(queued)))}
        new = [row for row in queued if row["post"] in posts]
        authors = [row["author"] for row in new]
        followers = await self._followers(authors, limit)
        for row in new:
            await self._notify(posts[row["post"]])
        for row in new:
            count, readers = followers[row["author"]]
            self._under_way[row["post"]] = Delivery(
                post=posts[row["post"]],
                queued_at_s=row["queued_at"],
                followers=count,
                how=self._rules.how(count, limit),
                readers=[row["author"], *readers],
            )
        gone = [row for row in queued if row["post"] not in posts]
        await self._backends.postgres("outbox_done", _ids(gone))
        return [Delivered(how="withdrawn", followers=0, delay_s=now_s - row["queued_at"]) for row in gone]

    async def _followers(self, authors: Sequence[str], limit: int) -> dict[str, tuple[int, list[str]]]:
        """How many follow each author, and who, where they are pushed to."""
        counts = dict.fromkeys(authors, 0)
        counts |= {
            row["followee"]: row["followers"] for row in await self._backends.postgres("follower_counts", authors)
        }
        found: dict[str, tuple[int, list[str]]] = {author: (count, []) for author, count in counts.items()}
        pushed = [author for author, count in counts.items() if self._rules.how(count, limit) is How.PUSH]
        for row in await self._backends.postgres("followers", pushed) if pushed else ():
            found[row["followee"]][1].append(row["follower"])
        return found

    async def _notify(self, post: Post) -> None:
        if mentioned := mentioned_in(post):
            text = f"{post.author} mentioned you: {post.text}"
            await self._backends.postgres("mention", post.id, mentioned, post.author, text, post.created_at)

    async def _take_turns(self, active: Sequence[Delivery], now_s: float) -> list[Pushed]:
        if not active:
            return []
        most = max(1, self._rules.pushes_a_round // len(active))
        turns = [delivery.next_turn(most=most, now_s=now_s) for delivery in active]
        replies = iter(await self._backends.redis_replies(*(command for turn in turns for command in turn.commands)))
        for delivery, turn in zip(active, turns, strict=True):
            delivery.took(turn, list(itertools.islice(replies, len(turn.commands))))
        return [
            Pushed(followers=delivery.followers, timelines=len(turn.readers))
            for delivery, turn in zip(active, turns, strict=True)
        ]

    async def _spend(self, pushes: int) -> None:
        """Wait for as long as the pushes take; what else a round takes is part of that."""
        self._free_at_s = max(self._free_at_s, _now_s() - MADE_UP_S) + pushes / self._pushes_per_s
        await asyncio.sleep(self._free_at_s - _now_s())

    async def _finish(self, done: Sequence[Delivery], now_s: float) -> list[Delivered]:
        """Those that nobody else has finished before."""
        if not done:
            return []
        rows = await self._backends.postgres("outbox_done", [delivery.post.id for delivery in done])
        ours = set(_ids(rows))
        for delivery in done:
            del self._under_way[delivery.post.id]
        return [
            Delivered(how=each.how, followers=each.followers, delay_s=now_s - each.queued_at_s)
            for each in done
            if each.post.id in ours
        ]

    async def _fail(self, delivery: Delivery, now_s: float) -> None:
        delivery.tried += 1
        wait_s = redelivery.wait_s(delivery.tried)
        if wait_s is not None:
            delivery.try_again(not_before_s=now_s + wait_s)
            return
        reader, why = next(iter(delivery.refused.items()))
        reason = f"{len(delivery.refused)} of the lists refused it, first {reader}'s: {why}"
        await self._backends.postgres("give_up", delivery.post.id, reason)
        del self._under_way[delivery.post.id]


def _ids(rows: Iterable[Record]) -> list[str]:
    return [row["post"] for row in rows]


def _now_s() -> float:
    return asyncio.get_running_loop().time()
