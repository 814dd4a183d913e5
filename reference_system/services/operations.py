"""The one table of operations: which path is which operation, its priority, and the feature it stands or falls with."""

from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import HTTPConnection

PROFILE_START, PROFILE_END = "/users/", "/profile"


class Operation(StrEnum):
    SIGN_UP = "sign_up"
    LOGIN = "login"
    POST = "post"
    HOME = "home"
    PROFILE = "profile"
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

# While its feature is off the whole operation is refused or replaced; the other features only change what answers hold.
FEATURE_OF = {
    Operation.POST: "new_tweets",
    Operation.SEARCH: "search",
    Operation.REALTIME: "real_time_updates",
    Operation.TRENDING: "trending_topics",
    Operation.SUGGESTIONS: "who_to_follow",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way: `level` is the degradation level at its arrival, `off` the features off at that level."""

    operation: Operation
    priority: int
    level: int
    off: frozenset[str]
    arrived_s: float
    connection: HTTPConnection


def operation_of(method: str, path: str) -> Operation:
    known = _BY_ROUTE.get((method, path))
    if known is not None:
        return known
    if method == "GET" and path.startswith(PROFILE_START) and path.endswith(PROFILE_END):
        return Operation.PROFILE
    return Operation.UNKNOWN


def profile_user(path: str) -> str:
    return path[len(PROFILE_START) : -len(PROFILE_END)]
