"""Defects of the caches: what is kept for whom, what is not forgotten, and what forgetting or making costs."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from reference_system.data.events import Commands, Event, Forgets
from reference_system.data.filters import Visible, visible
from reference_system.data.flights import Build, Flights, T
from reference_system.data.posts import Post
from reference_system.data.profiles import IN_PROCESS_S
from reference_system.data.reads import Page, Reads
from reference_system.data.timelines import Cache
from reference_system.data.user_caches import Send
from reference_system.defects.defect import Defect
from reference_system.defects.rules import with_rules
from reference_system.services.edge_parts import PERSONAL_GOES_PAST


def _kept_as_seen_first() -> Visible:
    """As if pages were filtered before they are kept: for everybody as for the first viewer. What is not about filters,
    a new post or an edit, is shown as ever."""
    kept: dict[str, tuple[float, AbstractSet[str]]] = {}

    def shown(key: str, posts: Iterable[Post], hidden: AbstractSet[str]) -> Sequence[Post]:
        now_s = asyncio.get_running_loop().time()
        if key not in kept or now_s - kept[key][0] > IN_PROCESS_S:
            kept[key] = (now_s, hidden)
        return visible(key, posts, kept[key][1])

    return shown


def _forgets_nothing(user: str) -> Commands:
    del user
    return ()


def _without(event: Event) -> Callable[[Forgets], Forgets]:
    return lambda forgets: {**forgets, event: _forgets_nothing}


async def _by_looking_at_all(redis: Send, pattern: str) -> set[str]:
    (keys,) = await redis(("KEYS", pattern))
    return {key.decode() for key in keys}


class _EachAlone(Flights):
    """Who asks for what somebody is making already makes it again."""

    async def shared(self, key: str, build: Build[T], *, lingers: bool = True) -> T:
        del key, lingers
        return await build()

    def under_way(self, key: str) -> bool:
        del key
        return False


class _HomeInProcess(Reads):
    """A home timeline that a replica has made or fetched stays with it for as long as a popular profile does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kept: dict[str, tuple[float, Page]] = {}

    async def home(self, user: str, *, event: str | None, past_caches: bool = False) -> Page:
        now_s = asyncio.get_running_loop().time()
        since_s, page = self._kept.get(user, (-IN_PROCESS_S, None))
        if page is not None and now_s - since_s < IN_PROCESS_S:
            return replace(page, cache=Cache.PROCESS, age_s=now_s - since_s)
        found = await super().home(user, event=event, past_caches=past_caches)
        self._kept[user] = (now_s, found)
        return found


_NOT_FOR_LONG = f"{PERSONAL_GOES_PAST} proxy_ignore_headers Cache-Control; proxy_cache_valid 200 1s;"
# Whatever a region answers is kept, and given to whoever asks for the same next.
_PERSONAL_IS_KEPT = "proxy_ignore_headers Cache-Control; proxy_cache_valid 200 10s;"

# As if nobody was told that something was erased. Who deletes a single post tells the caches at once.
_ERASED_IN_SILENCE = """
    DROP TRIGGER IF EXISTS queue ON tombstones;
    CREATE OR REPLACE FUNCTION queue_changed_profile() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT NEW.erased THEN
            INSERT INTO public.changed_outbox (owner, what) VALUES (NEW.id, 'edited');
        END IF;
        RETURN NULL;
    END $$"""

DEFECTS = {
    "viewer_filter_before_the_cache": Defect(
        breaks="Whom a viewer blocks is left out of what caches hold; with this they hold what the first viewer sees.",
        api=lambda parts: replace(parts, visible=_kept_as_seen_first()),
    ),
    "keeps_the_timeline_on_unfollow": Defect(
        breaks="Who is no longer followed leaves the timeline at once; with this when its time is over.",
        api=lambda parts: replace(parts, forgets=_without(Event.UNFOLLOWED)(parts.forgets)),
        worker=lambda parts: replace(parts, forgets=_without(Event.UNFOLLOWED)(parts.forgets)),
    ),
    "keeps_the_profile_on_edit": Defect(
        breaks="An edited profile is shown at once; with this the caches keep the old one until its time is over.",
        api=lambda parts: replace(parts, forgets=_without(Event.EDITED)(parts.forgets)),
        worker=lambda parts: replace(parts, forgets=_without(Event.EDITED)(parts.forgets)),
    ),
    "keys_instead_of_scan": Defect(
        breaks="A user's entries are looked for in steps; with this in one that everybody else waits for.",
        worker=lambda parts: replace(parts, matching=_by_looking_at_all),
    ),
    "keeps_the_biography_on_erasure": Defect(
        breaks="What users erase is in no cache afterwards; with this the biography is, until its time is over.",
        api=lambda parts: replace(parts, forgets=_without(Event.ERASED)(parts.forgets)),
        worker=with_rules(_ERASED_IN_SILENCE),
    ),
    "edge_keeps_private_answers": Defect(
        breaks="The edge keeps what anybody may see; with this it keeps and hands out what one viewer was shown.",
        edge=lambda parts: replace(parts, past_the_cache=_PERSONAL_IS_KEPT),
    ),
    "pictures_are_kept_by_nobody": Defect(
        breaks="Static assets and pictures are kept at the edge; with this nobody may keep them.",
        gateway=lambda parts: replace(parts, assets_cache_control="no-store"),
    ),
    "edge_forgets_at_once": Defect(
        breaks="What the edge keeps it has for as long as the answer says; with this for a second.",
        edge=lambda parts: replace(parts, past_the_cache=_NOT_FOR_LONG),
    ),
    "keeps_home_in_process": Defect(
        breaks="One's own home timeline is held by Redis alone; with this each replica holds it, too.",
        api=lambda parts: replace(parts, reads=_HomeInProcess),
    ),
    "no_single_flight": Defect(
        breaks="What many miss at once a replica makes once; with this as often as it is asked for.",
        api=lambda parts: replace(parts, flights=_EachAlone),
    ),
}
