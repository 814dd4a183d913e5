"""Defects of several regions: where is written and read, what is forwarded, and what replication brings."""

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Set
from dataclasses import replace
from typing import Any
from uuid import uuid4

from reference_system.data.postgres import FAILURES, Postgres, Record
from reference_system.data.statements import STATEMENTS
from reference_system.defects.defect import Defect
from reference_system.defects.rules import with_rules
from reference_system.policies import data_placement, retry_budget
from reference_system.policies.data_placement import Datum, Freshness, Reading
from reference_system.policies.regions import Region
from reference_system.policies.write_token import WriteToken

COMMITTED_AFTER_S = 1.5
_COMMITTING: set[asyncio.Task[None]] = set()  # the loop alone would let them be collected

# Regions: where is written and read.


def _read_here(
    *, current: Region, tokens: Collection[WriteToken], heartbeats_us: Mapping[Region, int], healthy: Set[Region]
) -> Reading:
    del tokens, heartbeats_us, healthy
    return Reading(region=current, freshness=Freshness.PROVEN)


def _read_where_it_was_written(
    *, current: Region, tokens: Collection[WriteToken], heartbeats_us: Mapping[Region, int], healthy: Set[Region]
) -> Reading:
    del heartbeats_us
    last = max(tokens, key=lambda token: token.at_us, default=None)
    if last is None or last.region not in healthy:
        return Reading(region=current, freshness=Freshness.EVENTUAL)
    return Reading(region=last.region, freshness=Freshness.PROVEN)


def _write_here(
    datum: Datum, *, home: Region, current: Region, writing: Set[Region], healthy: Set[Region]
) -> Region | None:
    del datum, home, writing, healthy
    return current


# Everybody but the right one: the specification's map turned by one.
_WRONG_STAND_INS = {
    Region.US_EAST: Region.EUROPE,
    Region.US_WEST: Region.ASIA_PACIFIC,
    Region.EUROPE: Region.US_WEST,
    Region.ASIA_PACIFIC: Region.US_EAST,
}


def _write_in_the_wrong_stand_in(
    datum: Datum, *, home: Region, current: Region, writing: Set[Region], healthy: Set[Region]
) -> Region | None:
    everywhere = set(Region)
    region = data_placement.write_region(datum, home=home, current=current, writing=everywhere, healthy=everywhere)
    if region is None or region in writing:
        return region
    return _WRONG_STAND_INS[region] if _WRONG_STAND_INS[region] in healthy else None


def _sent_again(
    state: retry_budget.State, failed: retry_budget.FailedAttempt, now_s: float
) -> tuple[retry_budget.State, bool]:
    del now_s
    return state, failed.tried <= 1


def _a_fresh_key(key: str) -> str:
    return f"{key}-{uuid4()}"


def _no_lag(lag_s: Mapping[Region, float]) -> Mapping[Region, float]:
    return dict.fromkeys(lag_s, 0.0)


class _LateCommits(Postgres):
    """Says that a post is made as soon as it has its number, and commits it a while later."""

    async def run(self, name: str, *arguments: Any) -> list[Record]:
        if name != "post":
            return await super().run(name, *arguments)
        connection = await self._pool.acquire(timeout=self._timeout_s)
        transaction = connection.transaction()
        try:
            await transaction.start()
            rows: list[Record] = await connection.fetch(self._statements[name], *arguments)
        except BaseException:
            connection.terminate()
            await self._pool.release(connection)
            raise
        committing = asyncio.create_task(self._commit(connection, transaction))
        _COMMITTING.add(committing)
        committing.add_done_callback(_COMMITTING.discard)
        return rows

    async def _commit(self, connection: Any, transaction: Any) -> None:
        """Or never; the connection is given back in any case, or the replica would be without any before long."""
        try:
            await asyncio.sleep(COMMITTED_AFTER_S)
            with contextlib.suppress(*FAILURES):
                await transaction.commit()
        finally:
            await self._pool.release(connection)


# Regions: what replication brings.


def all_that_is_asked_for(heartbeats_s: Mapping[str, float]) -> Mapping[str, float]:
    """A day ahead of what was heard."""
    return {region: at_s + 86_400.0 for region, at_s in heartbeats_s.items()}


# As if a single row were everybody's. It is replicated as an update: the sender's number takes the place of ours.
_LIKE_ONE_ROW = """
    WITH liked AS (
        UPDATE engagements SET likes = likes + 1
        WHERE post = $1 AND region = (SELECT min(region) FROM engagements WHERE post = $1)
        RETURNING likes AS n
    ), first AS (
        INSERT INTO engagements (post, region, likes)
        SELECT id, $2, 1 FROM posts WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM engagements WHERE post = $1)
        ON CONFLICT (post, region) DO UPDATE SET likes = engagements.likes + 1 RETURNING likes AS n
    )
    SELECT n FROM liked UNION ALL SELECT n FROM first"""

_BEAT_AHEAD = STATEMENTS["beat"].replace("clock_timestamp()", "clock_timestamp() + interval '5 seconds'")
assert STATEMENTS["beat"] != _BEAT_AHEAD

_NO_DEDUPE_TRIGGER = "DROP TRIGGER IF EXISTS merge ON idempotency"

_BOTH_STAY = """
    CREATE OR REPLACE FUNCTION merge_idempotency() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.idempotency SELECT NEW.* ON CONFLICT (author, idempotency_key) DO NOTHING;
        RETURN NULL;
    END $$"""

_LAST_ARRIVAL_STAYS = """
    CREATE OR REPLACE FUNCTION merge_users() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.users AS known SELECT NEW.*
        ON CONFLICT (id) DO UPDATE
            SET (password, bio, erased, updated_at, updated_in)
                = (excluded.password, excluded.bio, excluded.erased, excluded.updated_at, excluded.updated_in);
        RETURN NULL;
    END $$;
    CREATE OR REPLACE FUNCTION merge_follows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.follows AS known SELECT NEW.*
        ON CONFLICT (follower, followee) DO UPDATE
            SET (following, changed_at, changed_in)
                = (excluded.following, excluded.changed_at, excluded.changed_in);
        RETURN NULL;
    END $$"""

_LATE_TOMBSTONES_ARE_DROPPED = """
    CREATE OR REPLACE FUNCTION merge_tombstones() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.at > extract(epoch FROM clock_timestamp()) - 2 THEN
            PERFORM public.bury(NEW);
        END IF;
        RETURN NULL;
    END $$"""

# A like that comes from elsewhere for a post that is deleted here takes the tombstone away again.
_LIKES_REVIVE = """
    CREATE OR REPLACE FUNCTION revive() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM public.tombstones WHERE post = NEW.post;
        RETURN NULL;
    END $$;
    CREATE OR REPLACE TRIGGER revive AFTER INSERT OR UPDATE ON engagements FOR EACH ROW EXECUTE FUNCTION revive();
    ALTER TABLE engagements ENABLE REPLICA TRIGGER revive"""

# As a region that has never been there before, which has nothing to copy.
_TAKES_ITSELF_FOR_NEW = """
    INSERT INTO incarnation (id, rejoins, complete)
    SELECT gen_random_uuid()::text, false, true WHERE NOT EXISTS (SELECT 1 FROM incarnation)"""


def _with_statement(statements: Mapping[str, str], name: str, sql: str) -> Mapping[str, str]:
    assert name in statements
    return {**statements, name: sql}


DEFECTS: dict[str, Defect] = {
    "acknowledges_before_disk": Defect(
        breaks="What is acknowledged survives a crash of the database; with this it may not be on disk yet.",
        api=lambda parts: replace(parts, postgres=_LateCommits),
    ),
    "drops_the_token": Defect(
        breaks="Users see what they have written wherever they are; with this their token is not looked at.",
        api=lambda parts: replace(parts, decisions=replace(parts.decisions, read_region=_read_here)),
    ),
    "reads_where_it_was_written": Defect(
        breaks="Reads are answered where the user is once that is new enough; with this where the user wrote last.",
        api=lambda parts: replace(parts, decisions=replace(parts.decisions, read_region=_read_where_it_was_written)),
    ),
    "writes_where_the_user_is": Defect(
        breaks="A user's data is written in the home region; with this in whichever region the user is now.",
        api=lambda parts: replace(parts, decisions=replace(parts.decisions, write_region=_write_here)),
    ),
    "wrong_stand_in": Defect(
        breaks="While a region is away its stand-in takes its writes; with this some other region does.",
        api=lambda parts: replace(parts, decisions=replace(parts.decisions, write_region=_write_in_the_wrong_stand_in)),
    ),
    "forwards_without_deadline": Defect(
        breaks="Another region is waited for a second or two at most; with this for as long as it takes.",
        api=lambda parts: replace(parts, forwarding=replace(parts.forwarding, read_within_s=None, write_within_s=None)),
    ),
    "forwards_twice": Defect(
        breaks="A write goes to another region once; with this once more when there was no answer.",
        api=lambda parts: replace(parts, forwarding=replace(parts.forwarding, retry=_sent_again)),
    ),
    "forgets_idempotency_keys": Defect(
        breaks="A write that is tried again with its key is done once; with this every attempt makes a post.",
        api=lambda parts: replace(parts, key_taken=_a_fresh_key),
    ),
    "hides_its_lag": Defect(
        breaks="A region says how late the others' changes arrive, and gets its users back when it has caught up; with "
        "this it says that nothing is late.",
        api=lambda parts: replace(parts, reported_lag=_no_lag),
    ),
    "claims_to_have_caught_up": Defect(
        breaks="A region answers a read with a token only when it has that write; with this it says so before.",
        worker=lambda parts: replace(parts, caught_up=all_that_is_asked_for),
    ),
    "beats_ahead_of_time": Defect(
        breaks="A heartbeat proves that all that was written before it has arrived; with this it is of a time to come.",
        worker=lambda parts: replace(parts, statements=_with_statement(parts.statements, "beat", _BEAT_AHEAD)),
    ),
    "counts_likes_in_one_row": Defect(
        breaks="Each region counts likes in a row of its own; with this all change the same one, and lose some.",
        api=lambda parts: replace(parts, statements=_with_statement(parts.statements, "like", _LIKE_ONE_ROW)),
    ),
    "no_dedupe_trigger": Defect(
        breaks="A key used in two regions stops no link; with this the link that brings the second one stands still.",
        worker=with_rules(_NO_DEDUPE_TRIGGER),
    ),
    "keeps_both_posts_of_a_key": Defect(
        breaks="Of two posts with one key one stays; with this both do.",
        worker=with_rules(_BOTH_STAY),
    ),
    "last_arrival_wins": Defect(
        breaks="Of two changes the later one stays; with this the one that arrives later.",
        worker=with_rules(_LAST_ARRIVAL_STAYS),
    ),
    "forgets_deletes_during_a_cut": Defect(
        breaks="A deleted post is deleted everywhere; with this not where the news is late by more than two seconds.",
        worker=with_rules(_LATE_TOMBSTONES_ARE_DROPPED),
    ),
    "likes_revive_deleted_posts": Defect(
        breaks="A deleted post stays deleted; with this a like that arrives afterwards brings it back.",
        worker=with_rules(_LIKES_REVIVE),
    ),
    "comes_back_empty": Defect(
        breaks="A region that has lost its data gets them from its peers; with this it goes on without them.",
        worker=with_rules(_TAKES_ITSELF_FOR_NEW),
    ),
}
