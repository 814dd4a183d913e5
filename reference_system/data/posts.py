"""A post: as the database and the cache hold it, and as it is served."""

from collections.abc import Iterable
from typing import Any

import msgspec


class Post(msgspec.Struct, frozen=True, array_like=True):
    """What the tweet cache holds (`tweet:{id}`, one JSON array). `created_at` in Unix seconds, `media` a link."""

    id: str
    author: str
    text: str
    created_at: float
    likes: int
    retweets: int
    media: str | None = None


class Preview(msgspec.Struct, frozen=True):
    title: str
    thumbnail: str


class Media(msgspec.Struct, frozen=True, omit_defaults=True):
    link: str
    preview: Preview | None = None


class ServedPost(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    author: str
    text: str
    created_at: float
    likes: int
    retweets: int
    media: Media | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Post)


def encoded(post: Post) -> bytes:
    return _encoder.encode(post)


def decoded(blob: bytes) -> Post:
    return _decoder.decode(blob)


def from_row(row: Any) -> Post:
    return Post(row["id"], row["author"], row["text"], row["created_at"], row["likes"], row["retweets"], row["media"])


def region_of(post_id: str) -> str:
    """Where the post was made."""
    return post_id.rpartition("-")[0]


def newest_first(posts: Iterable[Post]) -> list[Post]:
    return sorted(posts, key=lambda post: (post.created_at, post.id), reverse=True)


def served(post: Post, *, previews: bool) -> ServedPost:
    media = _media(post.media, post.text, previews=previews) if post.media else None
    return ServedPost(post.id, post.author, post.text, post.created_at, post.likes, post.retweets, media)


def _media(link: str, title: str, *, previews: bool) -> Media:
    if not previews:
        return Media(link)
    return Media(link, Preview(title=title, thumbnail=f"{link}?width=320"))
