"""What users write: posts, likes and retweets, follows and accounts. Postgres decides; the caches that the acting user
reads from in this region are right before the answer.

A post is one statement that also queues its fan-out, and it may be repeated with the same idempotency key. Other users'
caches, and other regions', are the worker's. Losing Redis does not fail a write: the worker repeats what was lost, and
until then the acting user reads past the caches (`caught_up.py`).
"""

from dataclasses import dataclass

from reference_system.data import errands
from reference_system.data.backends import Backends, DependencyError
from reference_system.data.events import FORGETS, Event, Forgets
from reference_system.data.filters import Filter
from reference_system.data.passwords import matches, scrypt_hash
from reference_system.data.posts import Post
from reference_system.data.resp import Command
from reference_system.data.timelines import Kind, forget, keep_tweets, mark_deleted, pushes, withdraw

SHORTEST_SEARCHED_WORD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPost:
    author: str
    text: str
    media: str | None
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    user: str
    home: str  # region


class Writes:
    def __init__(self, backends: Backends, *, region: str, forgets: Forgets = FORGETS) -> None:
        self._backends = backends
        self._region = region
        self._forgets = forgets

    async def post(self, new: NewPost, *, at_s: float) -> str:
        """The post's id; a repeated key gives the first one's. Raises DependencyError: outcome unknown."""
        arguments = (new.author, new.text, new.media, words_of(new.text), at_s, new.idempotency_key)
        rows = await self._backends.postgres("post", self._region, *arguments)
        if not rows:
            (known,) = await self._backends.postgres("post_by_key", new.author, new.idempotency_key)
            # Whoever made it may have died before the author's caches had it.
            await self._tell_caches(*forget(Kind.HOME, new.author), *forget(Kind.PROFILE, new.author))
            return str(known["id"])
        post = Post(rows[0]["id"], new.author, new.text, at_s, 0, 0, new.media)
        # The next read finds the post in the caches, or builds from Postgres, which has it.
        lists = (*pushes(Kind.HOME, post.author, post), *pushes(Kind.PROFILE, post.author, post))
        await self._tell_caches(keep_tweets([post]), *lists)
        return post.id

    async def delete(self, post: str, *, author: str, at_s: float) -> bool:
        """False if the author has no such post here. True again for one that is deleted already."""
        rows = await self._backends.postgres("delete_post", post, author, self._region, at_s)
        if rows:
            await self._tell_caches(*withdraw(post, author, rows[0]["words"]))
        return bool(rows)

    async def like(self, post: str) -> int | None:
        """The likes of all regions, as known here; None if there is no such post here. Caches show it by and by."""
        return await self._counted("like", post)

    async def retweet(self, post: str) -> int | None:
        """The retweets, likewise. They are counted and shown; followers' timelines do not get them."""
        return await self._counted("retweet", post)

    async def follow(self, follower: str, followee: str, *, following: bool, at_s: float) -> bool:
        """False if there is no such followee here, or none who wants to be followed by this one."""
        rows = await self._backends.postgres("set_following", follower, followee, following, at_s, self._region)
        if rows:
            event = Event.FOLLOWED if following else Event.UNFOLLOWED
            await self._tell_caches(*self._forgets[event](follower))
        return bool(rows)

    async def filter(self, viewer: str, subject: str, kind: Filter, *, active: bool, at_s: float) -> bool:
        """Begin or end not to see somebody. False if there is no such user here."""
        rows = await self._backends.postgres("set_filter", viewer, subject, kind, active, at_s, self._region)
        if rows:
            await self._tell_caches(*self._forgets[Event.FILTERED](viewer))
        return bool(rows)

    async def edit_profile(self, user: str, bio: str, *, at_s: float) -> bool:
        """False if there is no such user here."""
        (row,) = await self._backends.postgres("set_bio", user, bio, at_s, self._region)
        if row["known"]:
            await self._tell_caches(*self._forgets[Event.EDITED](user))
        return bool(row["known"])

    async def erase(self, user: str, *, at_s: float) -> int | None:
        """Delete all that the user has written and this region knows; how many posts, deleted ones among them. None if
        there is no such user here. What caches have besides is looked for by the worker."""
        (row,) = await self._backends.postgres("erase", user, at_s, self._region)
        posts = row["posts"]
        if posts is None:
            return None
        await self._tell_caches(*map(mark_deleted, posts), *self._forgets[Event.ERASED](user))
        return len(posts)

    async def sign_up(self, name: str, password: str, *, at_s: float) -> str | None:
        """The new user's id; None if the name is taken."""
        hashed = scrypt_hash(password)
        rows = await self._backends.postgres("sign_up", self._region, name, hashed, at_s)
        if not rows:
            # Taken, perhaps by our own first attempt whose answer was lost: the salt tells.
            known = await self._backends.postgres("password", name)
            rows = [row for row in known if row["password"] == hashed]
        if not rows:
            return None
        user = str(rows[0]["id"])
        await self._tell_caches(*self._forgets[Event.EDITED](user))  # they may say that there is no such user
        return user

    async def login(self, name: str, password: str) -> Account | None:
        """None if name or password is wrong."""
        for row in await self._backends.postgres("password", name):
            if matches(password, row["password"]):
                return Account(user=row["id"], home=row["home_region"])
        return None

    async def _counted(self, statement: str, post: str) -> int | None:
        rows = await self._backends.postgres(statement, post, self._region)
        return int(rows[0]["n"]) if rows else None

    async def _tell_caches(self, *commands: Command) -> None:
        try:
            await self._backends.redis(*commands)
        except DependencyError:
            errands.current().untold = True  # the worker does the same, as soon as Redis is back


def words_of(text: str) -> list[str]:
    """What search finds a post by: its distinct words in lower case, short ones and mentions left out."""
    words = {word.strip(".,;:!?\"'()").lower() for word in text.split() if not word.startswith("@")}
    return sorted(word for word in words if len(word) >= SHORTEST_SEARCHED_WORD)
