"""What users write: posts and accounts. Postgres decides; the author's own caches are filled before the answer.

A post is one statement that also queues its fan-out, and it may be repeated with the same idempotency key. Followers'
timelines are filled by the worker. Losing Redis does not fail a write.
"""

from dataclasses import dataclass

from reference_system.data.backends import Backends, DependencyError
from reference_system.data.passwords import matches, scrypt_hash
from reference_system.data.posts import Post
from reference_system.data.timelines import Kind, keep_tweet, pushes

SHORTEST_SEARCHED_WORD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPost:
    author: str
    text: str
    media: str | None
    idempotency_key: str


class Writes:
    def __init__(self, backends: Backends, *, region: str) -> None:
        self._backends = backends
        self._region = region

    async def post(self, new: NewPost, *, at_s: float) -> str:
        """The post's id; a repeated key gives the first one's. Raises DependencyError: outcome unknown."""
        arguments = (new.author, new.text, new.media, words_of(new.text), at_s, new.idempotency_key)
        rows = await self._backends.postgres("post", self._region, *arguments)
        if not rows:
            (known,) = await self._backends.postgres("post_by_key", new.author, new.idempotency_key)
            return str(known["id"])
        post = Post(rows[0]["id"], new.author, new.text, at_s, 0, new.media)
        await self._show_to_author(post)
        return post.id

    async def sign_up(self, name: str, password: str, *, at_s: float) -> str | None:
        """The new user's id; None if the name is taken."""
        hashed = scrypt_hash(password)
        rows = await self._backends.postgres("sign_up", self._region, name, hashed, at_s)
        if not rows:
            # Taken, perhaps by our own first attempt whose answer was lost: the salt tells.
            known = await self._backends.postgres("password", name)
            rows = [row for row in known if row["password"] == hashed]
        return str(rows[0]["id"]) if rows else None

    async def login(self, name: str, password: str) -> str | None:
        """The user's id; None if name or password is wrong."""
        for row in await self._backends.postgres("password", name):
            if matches(password, row["password"]):
                return str(row["id"])
        return None

    async def _show_to_author(self, post: Post) -> None:
        """Read your own writes: the next read finds the post in the caches, or builds from Postgres, which has it."""
        lists = (*pushes(Kind.HOME, post.author, post.id), *pushes(Kind.PROFILE, post.author, post.id))
        try:
            await self._backends.redis(keep_tweet(post), *lists)
        except DependencyError:
            return  # the worker's fan-out reaches the author too, as soon as Redis is back


def words_of(text: str) -> list[str]:
    """What search finds a post by: its distinct words in lower case, short ones and mentions left out."""
    words = {word.strip(".,;:!?\"'()").lower() for word in text.split() if not word.startswith("@")}
    return sorted(word for word in words if len(word) >= SHORTEST_SEARCHED_WORD)
