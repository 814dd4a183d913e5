"""What each operation answers. Handlers know storage and flags; nothing of slots, shedding, headers or metrics."""

import itertools
from collections.abc import Awaitable, Callable, Sequence

from reference_system.data.posts import Post, ServedPost, served
from reference_system.data.reads import Reads
from reference_system.data.writes import words_of
from reference_system.policies.ranking import score
from reference_system.services.answers import Answer, refusal
from reference_system.services.operations import Call, Operation, subject_of
from reference_system.services.requests import RefusedError, caller
from reference_system.services.tokens import Tokens
from reference_system.services.writing import NO_SUCH_USER, WithCountAge, Writing


class Handlers:
    """What is read; `writing` answers what is written."""

    def __init__(
        self, *, reads: Reads, writing: Writing, tokens: Tokens, service: str, with_count_age: WithCountAge
    ) -> None:
        self._reads = reads
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
            Operation.FOLLOW: writing.follow,
            Operation.UNFOLLOW: writing.unfollow,
            Operation.EDIT_PROFILE: writing.edit_profile,
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
        self._trends, _ = await self._reads.trends()

    async def _home(self, call: Call) -> Answer:
        user = caller(call, self._tokens).user
        event = None if "analytics_tracking" in call.off else f"{self._service}-{next(self._events)}"
        page = await self._reads.home(user, event=event, past_caches=call.past_caches)
        ranked = "algorithmic_timeline" not in call.off
        posts = sorted(page.posts, key=_score, reverse=True) if ranked else page.posts
        body: dict[str, object] = {"posts": _served(posts, call)}
        if event is not None:
            body["analytics_event"] = event
        return self._with_count_age(Answer(body=body, cache=page.cache))

    async def _profile(self, call: Call) -> Answer:
        found = await self._reads.profile(subject_of(call.connection.url.path), past_caches=call.past_caches)
        if found is None:
            return NO_SUCH_USER
        user, page = found
        return self._with_count_age(Answer(body={"user": user, "posts": _served(page.posts, call)}, cache=page.cache))

    async def _posts(self, call: Call) -> Answer:
        """All of a user's, for whoever wants to know what this region's database has."""
        listing = await self._reads.posts_of(subject_of(call.connection.url.path))
        posts = [served(post, previews=False) for post in listing.posts]
        return self._with_count_age(Answer(body={"posts": posts, "whole": listing.whole}))

    async def _notifications(self, call: Call) -> Answer:
        notifications, cache = await self._reads.notifications(caller(call, self._tokens).user)
        return Answer(body={"notifications": notifications}, cache=cache)

    async def _realtime(self, call: Call) -> Answer:
        """The first frame of the WebSocket."""
        if call.connection.scope["type"] != "websocket":
            return refusal(426, "this is a WebSocket")
        notifications, cache = await self._reads.notifications(caller(call, self._tokens).user)
        return Answer(body={"unread": sum(not one.seen for one in notifications)}, cache=cache)

    async def _search(self, call: Call) -> Answer:
        words = words_of(call.connection.query_params.get("q", ""))
        if len(words) != 1:
            return refusal(400, "q must be one word of at least three letters")
        posts, cache = await self._reads.search(words[0])
        return self._with_count_age(Answer(body={"results": _served(posts, call)}, cache=cache))

    async def _trending(self, call: Call) -> Answer:
        del call
        topics, cache = await self._reads.trends()
        return Answer(body={"topics": topics}, cache=cache)

    async def _suggestions(self, call: Call) -> Answer:
        users, cache = await self._reads.suggestions(caller(call, self._tokens).user)
        return Answer(body={"users": users}, cache=cache)


def _off(status: int, feature: str, body: dict[str, object]) -> Answer:
    return Answer(status=status, body={**body, "disabled": feature}, disabled=feature)


def _served(posts: Sequence[Post], call: Call) -> list[ServedPost]:
    previews = "media_previews" not in call.off
    return [served(post, previews=previews) for post in posts]


def _score(post: Post) -> float:
    return score(post.id, post.likes)
