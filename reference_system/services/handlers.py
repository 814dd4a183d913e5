"""What each operation answers. Handlers know storage and flags; nothing of slots, shedding, headers or metrics."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TypeVar

from reference_system.data.filters import Visible
from reference_system.data.posts import Post, ServedPost, served
from reference_system.data.reads import Reads
from reference_system.data.timelines import Cache, Kind, list_key
from reference_system.data.writes import words_of
from reference_system.policies.ranking import score
from reference_system.policies.write_token import WriteToken
from reference_system.services.answers import Answer, refusal
from reference_system.services.cacheability import has_to_be_new
from reference_system.services.operations import Call, Operation
from reference_system.services.requests import READ_AFTER, RefusedError, caller, read_after, subject
from reference_system.services.tokens import Tokens
from reference_system.services.writing import NO_SUCH_USER, WithCountAge, Writing

T = TypeVar("T")
WereTold = Callable[[Iterable[WriteToken]], Awaitable[bool]]  # whether this region's caches were, of such writes
LONGEST_SEARCH = 100  # characters


class Handlers:
    """What is read; `writing` answers what is written. `visible` takes out of a page what its viewer filters, and
    `were_told` knows whether the caches have what a token stands for."""

    def __init__(
        self,
        *,
        reads: Reads,
        writing: Writing,
        tokens: Tokens,
        service: str,
        visible: Visible,
        with_count_age: WithCountAge,
        were_told: WereTold,
    ) -> None:
        self._reads = reads
        self._were_told = were_told
        self._visible = visible
        self._tokens = tokens
        self._service = service
        self._with_count_age = with_count_age
        self._events = itertools.count(1)
        self._trends: list[str] = []
        self._table: dict[Operation, Callable[[Call], Awaitable[Answer]]] = {
            Operation.SIGN_UP: writing.sign_up,
            Operation.LOGIN: writing.login,
            Operation.POST: writing.post,
            Operation.DELETE: writing.delete,
            Operation.LIKE: writing.like,
            Operation.RETWEET: writing.retweet,
            Operation.FOLLOW: writing.follow,
            Operation.UNFOLLOW: writing.unfollow,
            Operation.BLOCK: writing.block,
            Operation.UNBLOCK: writing.unblock,
            Operation.MUTE: writing.mute,
            Operation.UNMUTE: writing.unmute,
            Operation.EDIT_PROFILE: writing.edit_profile,
            Operation.ERASE: writing.erase,
            Operation.HOME: self._home,
            Operation.PROFILE: self._profile,
            Operation.POSTS: self._posts,
            Operation.NOTIFICATIONS: self._notifications,
            Operation.SEARCH: self._search,
            Operation.REALTIME: self._realtime,
            Operation.TRENDING: self._trending,
            Operation.SUGGESTIONS: self._suggestions,
        }

    async def answer(self, call: Call) -> Answer:
        """Raises DependencyError when storage is down."""
        if has_to_be_new(call) and not await self._is_in_redis(call):
            call = replace(call, past_caches=True)
        try:
            return await self._table[call.operation](call)
        except RefusedError as refused:
            return refused.answer

    def replacement(self, operation: Operation, feature: str) -> Answer:
        """The answer while the operation's feature is off: cheap, from memory."""
        match operation:
            case Operation.POST:
                return _off(503, feature, {"error": "read-only mode: posting is off for now"})
            case Operation.REALTIME:
                return _off(503, feature, {"error": "live updates are off for now: refresh instead"})
            case Operation.SEARCH:
                return _off(200, feature, {"trends": self._trends})
            case Operation.TRENDING:
                return _off(200, feature, {"topics": []})
            case _:
                return _off(200, feature, {"users": []})

    async def refresh_trends(self) -> None:
        """Keep the trends in memory that search is replaced with. Raises DependencyError."""
        self._trends = (await self._reads.trends()).value

    async def _home(self, call: Call) -> Answer:
        user = caller(call, self._tokens).user
        event = None if "analytics_tracking" in call.off else f"{self._service}-{next(self._events)}"
        read = self._reads.home(user, event=event, past_caches=call.past_caches)
        page, hidden = await self._for_viewer(call, read)
        posts = self._visible(list_key(Kind.HOME, user), page.posts, hidden)
        if "algorithmic_timeline" not in call.off:
            posts = sorted(posts, key=_score, reverse=True)
        body: dict[str, object] = {"posts": _served(posts, call)}
        if event is not None:
            body["analytics_event"] = event
        return self._with_count_age(Answer(body=body, cache=page.cache, age_s=page.age_s))

    async def _profile(self, call: Call) -> Answer:
        user, viewer = subject(call), self._viewer(call)
        fresh = user == viewer or has_to_be_new(call)
        read = self._reads.profiles.of(user, fresh=fresh, past_caches=call.past_caches)
        found, hidden = await self._for_viewer(call, read)
        if found is None:
            return NO_SUCH_USER
        posts = _served(self._visible(list_key(Kind.PROFILE, user), found.posts, hidden), call)
        answer = Answer(body={"user": found.user, "posts": posts}, cache=found.cache, age_s=found.age_s)
        if found.cache is Cache.DISK and READ_AFTER in call.connection.headers:
            answer = answer.also(b"x-stale", "token")
        return self._with_count_age(answer)

    async def _posts(self, call: Call) -> Answer:
        """All of a user's, for whoever wants to know what this region's database has."""
        listing = await self._reads.posts_of(subject(call))
        posts = [served(post, previews=False) for post in listing.posts]
        return self._with_count_age(Answer(body={"posts": posts, "whole": listing.whole}))

    async def _notifications(self, call: Call) -> Answer:
        read = self._reads.notifications(caller(call, self._tokens).user, past_caches=call.past_caches)
        found, hidden = await self._for_viewer(call, read)
        shown = [one for one in found.value if one.actor not in hidden]
        return Answer(body={"notifications": shown}, cache=found.cache, age_s=found.age_s)

    async def _realtime(self, call: Call) -> Answer:
        """The first frame of the WebSocket."""
        if call.connection.scope["type"] != "websocket":
            return refusal(426, "this is a WebSocket")
        user = caller(call, self._tokens).user
        found, hidden = await self._for_viewer(call, self._reads.notifications(user))
        unread = sum(not one.seen and one.actor not in hidden for one in found.value)
        return Answer(body={"unread": unread}, cache=found.cache, age_s=found.age_s)

    async def _search(self, call: Call) -> Answer:
        asked = call.connection.query_params.get("q", "")
        if len(asked) > LONGEST_SEARCH or "\0" in asked:
            return refusal(400, f"q has at most {LONGEST_SEARCH} characters, and no NUL")
        words = words_of(asked)
        if len(words) != 1:
            return refusal(400, "q must be one word of at least three letters")
        found, hidden = await self._for_viewer(call, self._reads.search(words[0]))
        posts = _served(self._visible(f"search {words[0]}", found.value, hidden), call)
        return self._with_count_age(Answer(body={"results": posts}, cache=found.cache, age_s=found.age_s))

    async def _trending(self, call: Call) -> Answer:
        del call
        found = await self._reads.trends()
        return Answer(body={"topics": found.value}, cache=found.cache, age_s=found.age_s)

    async def _suggestions(self, call: Call) -> Answer:
        user = caller(call, self._tokens).user
        found = await self._reads.suggestions(user, past_caches=call.past_caches)
        return Answer(body={"users": found.value}, cache=found.cache, age_s=found.age_s)

    async def _is_in_redis(self, call: Call) -> bool:
        """What whoever asks has written; otherwise it may not have been brought there yet."""
        return self._reads.hearing.redis_is_believed and await self._were_told(read_after(call).tokens)

    def _viewer(self, call: Call) -> str | None:
        bearer = self._tokens.bearer(call.connection.headers.get("authorization"))
        return None if bearer is None else bearer.user

    async def _for_viewer(self, call: Call, read: Awaitable[T]) -> tuple[T, AbstractSet[str]]:
        """What is read and whom its viewer filters, both at once, so that filtering costs no round trip of its own."""
        viewer = self._viewer(call)
        if viewer is None:
            return await read, frozenset()
        return await asyncio.gather(read, self._reads.filters.of(viewer, past_caches=call.past_caches))


def _off(status: int, feature: str, body: dict[str, object]) -> Answer:
    return Answer(status=status, body={**body, "disabled": feature}, disabled=feature)


def _served(posts: Sequence[Post], call: Call) -> list[ServedPost]:
    previews = "media_previews" not in call.off
    return [served(post, previews=previews) for post in posts]


def _score(post: Post) -> float:
    return score(post.id, post.likes)
