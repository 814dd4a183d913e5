"""What an event takes out of a region's caches: the one table, for who writes and for the worker alike.

The names are those that `changed_outbox` is filled with (mesh.sql). A new post is pushed and not forgotten, a deleted
one is marked: `timelines.py`.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum

from reference_system.data.generations import forget_value
from reference_system.data.keys import filters_key, notifications_key, suggestions_key, version_key
from reference_system.data.resp import Command
from reference_system.data.timelines import Kind, forget

Commands = tuple[Command, ...]


class Event(StrEnum):
    """Whose caches: the user's who is edited, has everything erased, follows, or filters."""

    EDITED = "edited"
    ERASED = "erased"
    FOLLOWED = "followed"
    UNFOLLOWED = "unfollowed"
    FILTERED = "filtered"


def forget_profile(user: str) -> Commands:
    return ("DEL", version_key(user)), *forget(Kind.PROFILE, user)


def forget_follows(follower: str) -> Commands:
    return *forget(Kind.HOME, follower), *forget_value(suggestions_key(follower))


def forget_filters(viewer: str) -> Commands:
    return forget_value(filters_key(viewer))


def forget_notifications(user: str) -> Commands:
    return forget_value(notifications_key(user))


Forgets = Mapping[Event, Callable[[str], Commands]]

FORGETS: Forgets = {
    Event.EDITED: forget_profile,
    Event.ERASED: forget_profile,  # at once; the worker looks for all the rest: user_caches.py
    Event.FOLLOWED: forget_follows,
    Event.UNFOLLOWED: forget_follows,
    Event.FILTERED: forget_filters,
}
