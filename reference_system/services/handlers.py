"""What each operation answers. Handlers know storage and flags; nothing of slots, shedding, headers or metrics."""

import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from reference_system.data.posts import Post, ServedPost, served
from reference_system.data.reads import Reads
from reference_system.data.writes import NewPost, Writes, words_of
from reference_system.policies import post_limit
from reference_system.policies.ranking import score
from reference_system.services.answers import Answer, refusal
from reference_system.services.operations import Call, Operation, profile_user
from reference_system.services.tokens import Tokens

Name = Annotated[str, msgspec.Meta(pattern=r"^[\w.-]{1,40}$")]
BUCKETS_KEPT = 20_000  # users whose posting is counted; older ones start anew

# The marker says that our application refused before writing, not a proxy on the way.
LIMITED = Answer(status=429, body={"error": "too many posts: wait a second"}, headers=((b"x-rate-limited", b"user"),))

T = TypeVar("T")


class Credentials(msgspec.Struct, frozen=True):
    name: Name
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class PostBody(msgspec.Struct, frozen=True):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=280)]
    media: Annotated[str, msgspec.Meta(max_length=500)] | None = None


class RefusedError(Exception):
    """A client's mistake; carries the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body)
        self.answer = answer


class Handlers:
    def __init__(self, *, reads: Reads, writes: Writes, tokens: Tokens, service: str) -> None:
        self._reads = reads
        self._writes = writes
        self._tokens = tokens
        self._service = service
        self._events = itertools.count(1)
        self._buckets: dict[str, post_limit.State] = {}
        self._trends: list[str] = []
        self._table: dict[Operation, Callable[[Call], Awaitable[Answer]]] = {
            Operation.SIGN_UP: self._sign_up,
            Operation.LOGIN: self._login,
            Operation.POST: self._post,
            Operation.HOME: self._home,
            Operation.PROFILE: self._profile,
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

    async def _sign_up(self, call: Call) -> Answer:
        body = await _body(call, Credentials)
        user = await self._writes.sign_up(body.name, body.password, at_s=time.time())
        if user is None:
            return refusal(409, "this name is taken")
        return Answer(status=201, body={"user": user, "token": self._tokens.issue(user)})

    async def _login(self, call: Call) -> Answer:
        body = await _body(call, Credentials)
        user = await self._writes.login(body.name, body.password)
        if user is None:
            return refusal(401, "wrong name or password")
        return Answer(body={"user": user, "token": self._tokens.issue(user)})

    async def _post(self, call: Call) -> Answer:
        author = self._user(call)
        key = call.connection.headers.get("idempotency-key")
        if not key:
            return refusal(400, "header Idempotency-Key is missing")
        body = await _body(call, PostBody)
        if not self._may_post(author, call.arrived_s):
            return LIMITED
        new = NewPost(author=author, text=body.text, media=body.media, idempotency_key=key)
        post = await self._writes.post(new, at_s=time.time())
        return Answer(status=201, body={"id": post})

    async def _home(self, call: Call) -> Answer:
        user = self._user(call)
        event = None if "analytics_tracking" in call.off else f"{self._service}-{next(self._events)}"
        page = await self._reads.home(user, event=event)
        ranked = "algorithmic_timeline" not in call.off
        posts = sorted(page.posts, key=_score, reverse=True) if ranked else page.posts
        body: dict[str, object] = {"posts": _served(posts, call)}
        if event is not None:
            body["analytics_event"] = event
        return Answer(body=body, cache=page.cache)

    async def _profile(self, call: Call) -> Answer:
        found = await self._reads.profile(profile_user(call.connection.url.path))
        if found is None:
            return refusal(404, "no such user")
        user, page = found
        return Answer(body={"user": user, "posts": _served(page.posts, call)}, cache=page.cache)

    async def _notifications(self, call: Call) -> Answer:
        notifications, cache = await self._reads.notifications(self._user(call))
        return Answer(body={"notifications": notifications}, cache=cache)

    async def _realtime(self, call: Call) -> Answer:
        """The first frame of the WebSocket."""
        if call.connection.scope["type"] != "websocket":
            return refusal(426, "this is a WebSocket")
        notifications, cache = await self._reads.notifications(self._user(call))
        return Answer(body={"unread": sum(not one.seen for one in notifications)}, cache=cache)

    async def _search(self, call: Call) -> Answer:
        words = words_of(call.connection.query_params.get("q", ""))
        if len(words) != 1:
            return refusal(400, "q must be one word of at least three letters")
        posts, cache = await self._reads.search(words[0])
        return Answer(body={"results": _served(posts, call)}, cache=cache)

    async def _trending(self, call: Call) -> Answer:
        del call
        topics, cache = await self._reads.trends()
        return Answer(body={"topics": topics}, cache=cache)

    async def _suggestions(self, call: Call) -> Answer:
        users, cache = await self._reads.suggestions(self._user(call))
        return Answer(body={"users": users}, cache=cache)

    def _user(self, call: Call) -> str:
        user = self._tokens.user_of(call.connection.headers.get("authorization"))
        if user is None:
            raise RefusedError(refusal(401, "log in first"))
        return user

    def _may_post(self, author: str, now_s: float) -> bool:
        if len(self._buckets) > BUCKETS_KEPT:
            self._buckets.clear()
        self._buckets[author], granted = post_limit.decide(self._buckets.get(author, post_limit.State()), now_s)
        return granted


def _off(status: int, feature: str, body: dict[str, object]) -> Answer:
    return Answer(status=status, body={**body, "disabled": feature}, disabled=feature)


def _served(posts: Sequence[Post], call: Call) -> list[ServedPost]:
    previews = "media_previews" not in call.off
    return [served(post, previews=previews) for post in posts]


def _score(post: Post) -> float:
    return score(post.id, post.likes)


async def _body(call: Call, kind: type[T]) -> T:
    assert isinstance(call.connection, Request)
    try:
        return msgspec.json.decode(await call.connection.body(), type=kind)
    except (msgspec.DecodeError, ClientDisconnect) as error:
        raise RefusedError(refusal(400, str(error))) from error
