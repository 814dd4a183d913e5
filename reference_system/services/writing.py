"""What each write answers: accounts, posts, likes and retweets, follows and filters. What was done says where and when,
as a token.

The token's time is later than the answer of the database, so a heartbeat as new proves that the write has arrived. With
it go the tokens of what the client has written before in other regions, so that who sends the latest answer's says all.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec

from reference_system.data import errands
from reference_system.data.filters import Filter
from reference_system.data.posts import region_of
from reference_system.data.writes import NewPost, Writes
from reference_system.policies import post_limit, write_token
from reference_system.policies.regions import Region
from reference_system.policies.write_token import WriteToken
from reference_system.services.answers import Answer, refusal
from reference_system.services.operations import Call
from reference_system.services.requests import body, caller, now_us, read_after, subject
from reference_system.services.tokens import Tokens

Name = Annotated[str, msgspec.Meta(pattern=r"\A[\w.-]{1,40}\Z")]
STORABLE = r"\A[^\x00]*\Z"  # Postgres' texts have no NUL, and a statement with one costs its connection
LONGEST_KEY = 200  # an index of Postgres takes 2,704 bytes
BUCKETS_KEPT = 20_000  # users whose posting is counted; older ones start anew

# The marker says that our application refused before writing, not a proxy on the way.
LIMITED = Answer(status=429, body={"error": "too many posts: wait a second"}, headers=((b"x-rate-limited", b"user"),))
NO_SUCH_POST = refusal(404, "no such post")
NO_SUCH_USER = refusal(404, "no such user")

_STATES = {Filter.BLOCK: "blocked", Filter.MUTE: "muted"}

KeyTaken = Callable[[str], str]  # the idempotency key that counts, given the client's
WithCountAge = Callable[[Answer], Answer]


class Credentials(msgspec.Struct, frozen=True):
    name: Name
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class PostBody(msgspec.Struct, frozen=True):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=280, pattern=STORABLE)]
    media: Annotated[str, msgspec.Meta(max_length=500, pattern=STORABLE)] | None = None


class ProfileBody(msgspec.Struct, frozen=True):
    bio: Annotated[str, msgspec.Meta(max_length=280, pattern=STORABLE)]


class Writing:
    def __init__(
        self, *, writes: Writes, tokens: Tokens, region: Region, key_taken: KeyTaken, with_count_age: WithCountAge
    ) -> None:
        self._writes = writes
        self._tokens = tokens
        self._region = region
        self._key_taken = key_taken
        self._with_count_age = with_count_age
        self._buckets: dict[str, post_limit.State] = {}

    async def sign_up(self, call: Call) -> Answer:
        asked = await body(call, Credentials)
        user = await self._writes.sign_up(asked.name, asked.password, at_s=time.time())
        if user is None:
            return refusal(409, "this name is taken")
        account = {"user": user, "token": self._tokens.issue(user, self._region)}
        return self._done(call, Answer(status=201, body=account))

    async def login(self, call: Call) -> Answer:
        asked = await body(call, Credentials)
        account = await self._writes.login(asked.name, asked.password)
        if account is None:
            return refusal(401, "wrong name or password")
        return Answer(body={"user": account.user, "token": self._tokens.issue(account.user, account.home)})

    async def post(self, call: Call) -> Answer:
        author = caller(call, self._tokens).user
        key = call.connection.headers.get("idempotency-key")
        if not key:
            return refusal(400, "header Idempotency-Key is missing")
        if len(key) > LONGEST_KEY or not key.isprintable():
            return refusal(400, f"an Idempotency-Key has at most {LONGEST_KEY} characters, all printable")
        asked = await body(call, PostBody)
        if not self._may_post(author, call.arrived_s):
            return LIMITED
        new = NewPost(author=author, text=asked.text, media=asked.media, idempotency_key=self._key_taken(key))
        post = await self._writes.post(new, at_s=time.time())
        # Subtle: a repeated key may give a post of another region, whose link alone carries it to the others.
        return self._done(call, Answer(status=201, body={"id": post}), made_in=Region(region_of(post)))

    async def delete(self, call: Call) -> Answer:
        author, post = caller(call, self._tokens).user, subject(call)
        if not await self._writes.delete(post, author=author, at_s=time.time()):
            return NO_SUCH_POST
        return self._done(call, Answer(body={"deleted": post}))

    async def like(self, call: Call) -> Answer:
        return await self._counted(call, "likes", self._writes.like)

    async def retweet(self, call: Call) -> Answer:
        return await self._counted(call, "retweets", self._writes.retweet)

    async def follow(self, call: Call) -> Answer:
        return await self._set_following(call, following=True)

    async def unfollow(self, call: Call) -> Answer:
        return await self._set_following(call, following=False)

    async def block(self, call: Call) -> Answer:
        return await self._set_filter(call, Filter.BLOCK, active=True)

    async def unblock(self, call: Call) -> Answer:
        return await self._set_filter(call, Filter.BLOCK, active=False)

    async def mute(self, call: Call) -> Answer:
        return await self._set_filter(call, Filter.MUTE, active=True)

    async def unmute(self, call: Call) -> Answer:
        return await self._set_filter(call, Filter.MUTE, active=False)

    async def edit_profile(self, call: Call) -> Answer:
        user = caller(call, self._tokens).user
        if subject(call) != user:
            return refusal(403, "this is somebody else's profile")
        asked = await body(call, ProfileBody)
        if not await self._writes.edit_profile(user, asked.bio, at_s=time.time()):
            return NO_SUCH_USER
        return self._done(call, Answer(body={"bio": asked.bio}))

    async def erase(self, call: Call) -> Answer:
        user = caller(call, self._tokens).user
        if subject(call) != user:
            return refusal(403, "this is somebody else's profile")
        posts = await self._writes.erase(user, at_s=time.time())
        if posts is None:
            return NO_SUCH_USER
        return self._done(call, Answer(body={"erased": posts}))

    async def _counted(self, call: Call, what: str, count: Callable[[str], Awaitable[int | None]]) -> Answer:
        caller(call, self._tokens)
        counted = await count(subject(call))
        if counted is None:
            return NO_SUCH_POST
        return self._done(call, self._with_count_age(Answer(body={what: counted})))

    async def _set_following(self, call: Call, *, following: bool) -> Answer:
        follower, followee = caller(call, self._tokens).user, subject(call)
        if not await self._writes.follow(follower, followee, following=following, at_s=time.time()):
            return NO_SUCH_USER
        return self._done(call, Answer(body={"following": following}))

    async def _set_filter(self, call: Call, kind: Filter, *, active: bool) -> Answer:
        viewer, filtered = caller(call, self._tokens).user, subject(call)
        if viewer == filtered:
            return refusal(400, "nobody can filter themselves")
        if not await self._writes.filter(viewer, filtered, kind, active=active, at_s=time.time()):
            return NO_SUCH_USER
        return self._done(call, Answer(body={_STATES[kind]: active}))

    def _done(self, call: Call, answer: Answer, *, made_in: Region | None = None) -> Answer:
        told = not errands.current().untold
        token = WriteToken(region=made_in or self._region, at_us=now_us() + 1, told=told)
        tokens = write_token.newest([*read_after(call).tokens, token])
        return answer.also(b"x-write-token", write_token.written(tokens))

    def _may_post(self, author: str, now_s: float) -> bool:
        if len(self._buckets) > BUCKETS_KEPT:
            self._buckets.clear()
        self._buckets[author], granted = post_limit.decide(self._buckets.get(author, post_limit.State()), now_s)
        return granted
