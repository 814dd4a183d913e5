"""The one table of operations: which path is which operation, what it writes or reads, and the feature it stands or
falls with.
"""

import math
import time
from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import HTTPConnection

from reference_system.policies.data_placement import Datum


class Operation(StrEnum):
    SIGN_UP = "sign_up"
    LOGIN = "login"
    POST = "post"
    DELETE = "delete"
    LIKE = "like"
    RETWEET = "retweet"
    FOLLOW = "follow"
    UNFOLLOW = "unfollow"
    BLOCK = "block"
    UNBLOCK = "unblock"
    MUTE = "mute"
    UNMUTE = "unmute"
    EDIT_PROFILE = "edit_profile"
    ERASE = "erase"
    HOME = "home"
    PROFILE = "profile"
    POSTS = "posts"
    NOTIFICATIONS = "notifications"
    SEARCH = "search"
    REALTIME = "realtime"
    TRENDING = "trending"
    SUGGESTIONS = "suggestions"
    UNKNOWN = "unknown"


_BY_ROUTE = {
    ("POST", "/auth/signup"): Operation.SIGN_UP,
    ("POST", "/auth/login"): Operation.LOGIN,
    ("POST", "/tweets/create"): Operation.POST,
    ("GET", "/timeline/home"): Operation.HOME,
    ("GET", "/notifications"): Operation.NOTIFICATIONS,
    ("GET", "/search/posts"): Operation.SEARCH,
    ("GET", "/realtime"): Operation.REALTIME,
    ("GET", "/trending"): Operation.TRENDING,
    ("GET", "/suggestions/users"): Operation.SUGGESTIONS,
}

# By what comes before and after the id in the path.
_OF_SUBJECT: dict[tuple[str, ...], Operation] = {
    ("DELETE", "tweets"): Operation.DELETE,
    ("POST", "tweets", "like"): Operation.LIKE,
    ("POST", "tweets", "retweet"): Operation.RETWEET,
    ("PUT", "users", "follow"): Operation.FOLLOW,
    ("DELETE", "users", "follow"): Operation.UNFOLLOW,
    ("PUT", "users", "block"): Operation.BLOCK,
    ("DELETE", "users", "block"): Operation.UNBLOCK,
    ("PUT", "users", "mute"): Operation.MUTE,
    ("DELETE", "users", "mute"): Operation.UNMUTE,
    ("PUT", "users", "profile"): Operation.EDIT_PROFILE,
    ("DELETE", "users", "profile"): Operation.ERASE,
    ("GET", "users", "profile"): Operation.PROFILE,
    ("GET", "users", "posts"): Operation.POSTS,
}

# A path of each operation that is known.
A_PATH = {
    **{operation: path for (_, path), operation in _BY_ROUTE.items()},
    **{operation: "/".join(("", kind, "id", *what)) for (_, kind, *what), operation in _OF_SUBJECT.items()},
}

# While its feature is off the whole operation is refused or replaced; the other features only change what answers hold.
FEATURE_OF = {
    Operation.POST: "new_tweets",
    Operation.SEARCH: "search",
    Operation.REALTIME: "real_time_updates",
    Operation.TRENDING: "trending_topics",
    Operation.SUGGESTIONS: "who_to_follow",
}

# What a write changes, which tells in which region it is done.
WRITES = {
    Operation.SIGN_UP: Datum.USER,
    Operation.POST: Datum.TWEET,
    Operation.DELETE: Datum.TWEET,
    Operation.LIKE: Datum.ENGAGEMENT_COUNTER,
    Operation.RETWEET: Datum.ENGAGEMENT_COUNTER,
    Operation.FOLLOW: Datum.FOLLOW,
    Operation.UNFOLLOW: Datum.FOLLOW,
    # What a user filters is the user's relation to others, like whom it follows.
    Operation.BLOCK: Datum.FOLLOW,
    Operation.UNBLOCK: Datum.FOLLOW,
    Operation.MUTE: Datum.FOLLOW,
    Operation.UNMUTE: Datum.FOLLOW,
    Operation.EDIT_PROFILE: Datum.USER,
    Operation.ERASE: Datum.USER,
}

# Reads that show users what they have written themselves. Trends are about everybody's posts, and old by up to their
# caches' lives wherever they are read; so are the posts that a search finds, but not whom its reader has blocked.
SHOW_OWN_WRITES = frozenset(
    {
        Operation.LOGIN,
        Operation.HOME,
        Operation.PROFILE,
        Operation.POSTS,
        Operation.NOTIFICATIONS,
        Operation.SEARCH,
        Operation.SUGGESTIONS,
    }
)


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way: `level` is the degradation level at its arrival, `off` the features off at that level.

    `past_caches`: only the database is known to be new enough for it. `deadline_s`: until when somebody waits for it,
    monotonic.
    """

    operation: Operation
    priority: int
    level: int
    off: frozenset[str]
    arrived_s: float
    connection: HTTPConnection
    past_caches: bool = False
    deadline_s: float = math.inf

    @property
    def left_s(self) -> float:
        return self.deadline_s - time.monotonic()


def operation_of(method: str, path: str) -> Operation:
    known = _BY_ROUTE.get((method, path))
    if known is not None:
        return known
    match path.split("/"):
        case ["", kind, subject, *what] if subject:
            return _OF_SUBJECT.get((method, kind, *what), Operation.UNKNOWN)
        case _:
            return Operation.UNKNOWN


def subject_of(path: str) -> str:
    """The id in the path of an operation that has one."""
    return path.split("/")[2]
