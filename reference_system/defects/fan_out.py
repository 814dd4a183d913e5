"""Defects of how posts come to their authors' followers."""

import os
from dataclasses import replace

from reference_system.data.fan_out import Rules
from reference_system.data.redis_client import RedisClient
from reference_system.data.statements import STATEMENTS
from reference_system.defects.defect import Defect
from reference_system.policies.fan_out import How, State, Waiting
from reference_system.services.parts import Prepare, WorkerParts

EVERYBODY = 1_000_000  # more followers than anybody has
BROKEN = "user-10"  # whose list in Redis is none

_OLDEST_FIRST = """
    SELECT post, author, queued_at FROM fanout_outbox
    WHERE post <> ALL($2::text[]) AND $1::text[] IS NOT NULL ORDER BY queued_at, post LIMIT $3::int"""

_FORGET = "WITH why AS (SELECT $2::text) DELETE FROM fanout_outbox WHERE post = $1"


def _pushed(followers: int, limit: int) -> How:
    del followers, limit
    return How.PUSH


def _never_lower(state: State, waiting: Waiting, now_s: float) -> State:
    del waiting, now_s
    return state


def _with_rules(parts: WorkerParts, rules: Rules) -> WorkerParts:
    return replace(parts, fan_out=replace(parts.fan_out, rules=rules))


def _one_after_the_other(parts: WorkerParts) -> WorkerParts:
    whole = _with_rules(parts, Rules(authors_at_once=1, readers_a_turn=EVERYBODY))
    return replace(whole, statements={**parts.statements, "outbox": _OLDEST_FIRST})


def _then_break_a_list(prepare: Prepare) -> Prepare:
    async def prepared(dsn: str) -> bool:
        made = await prepare(dsn)
        redis = RedisClient(os.environ["REDIS_URL"], connections=1)
        try:
            await redis.run(("SET", f"home_tl:{BROKEN}", "no list"))
        finally:
            redis.close()
        return made

    return prepared


def _given_up_without_a_trace(parts: WorkerParts) -> WorkerParts:
    forgets = {**parts.statements, "give_up": _FORGET}
    return replace(parts, statements=forgets, prepare=_then_break_a_list(parts.prepare))


assert {"outbox", "give_up"} <= STATEMENTS.keys()

DEFECTS: dict[str, Defect] = {
    "pushes_celebrities": Defect(
        breaks="Posts of celebrities are pulled by their followers; with this they are pushed to all of them.",
        worker=lambda parts: _with_rules(parts, Rules(how=_pushed)),
    ),
    "first_come_first_served": Defect(
        breaks="Authors take turns, so that who posts much delays nobody else; with this posts are brought to the "
        "followers one after the other.",
        worker=_one_after_the_other,
    ),
    "no_emergency_limit": Defect(
        breaks="When posts wait for long fewer accounts are pushed; with this as many as always.",
        worker=lambda parts: replace(parts, fan_out=replace(parts.fan_out, decide=_never_lower)),
    ),
    "loses_dead_letters": Defect(
        breaks="A post that cannot be brought to somebody is kept as a dead letter; with this one list in Redis is "
        "broken, and such posts are forgotten.",
        worker=_given_up_without_a_trace,
    ),
}
