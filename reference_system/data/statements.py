"""Every SQL statement the services run, by name; each is prepared on each connection before that serves anybody."""

# ruff: noqa: S608 - put together from constants of this file, nothing comes from outside

PAGE = 20  # posts in a timeline, and results of a search
LISTED = 100  # posts that the listing of a user shows at most
ONCE = frozenset({"like", "retweet"})  # counts; all others do the same when they are done again
COMPARED = ("users", "follows", "posts", "tombstones", "idempotency", "notifications", "engagements", "filters")
REPLICATED = (*COMPARED, "heartbeats")  # never the same anywhere, and the first to show when a link is not working
# What readers see of a post is in three tables. One group of posts in four is compared, by a hash of their ids: few
# enough to be read every two seconds, and so small that a write makes only its own group differ.
POST_GROUPS, SAMPLED_GROUPS = 256, 64
_SAMPLED = {"posts": "id", "tombstones": "post", "engagements": "post"}

_POST = "p.id, p.author, p.text, p.media, p.created_at"
_COUNTS = "e.likes, e.retweets"
_COUNTED = """CROSS JOIN LATERAL (
            SELECT coalesce(sum(likes), 0)::int AS likes, coalesce(sum(retweets), 0)::int AS retweets
            FROM engagements WHERE post = p.id
        ) e"""
_VISIBLE = "NOT EXISTS (SELECT 1 FROM tombstones WHERE post = posts.id)"
_NEWEST = f"SELECT * FROM posts WHERE author = %s AND {_VISIBLE} ORDER BY created_at DESC, id DESC LIMIT {PAGE}"
_NOW_S = "extract(epoch FROM clock_timestamp())::float8"
# Does not depend on the order of the rows: the same in all regions once they agree. To be taken modulo 2^64. A table
# that is not asked for is not read.
_DIGEST = """
    SELECT '{0}' AS name, count(*) AS rows, coalesce(sum(hash_record_extended({0}, 0)), 0) AS hashes FROM {0}
    WHERE '{0}' = ANY($1::text[]) HAVING '{0}' = ANY($1::text[])"""

# Post, region. Counts every call; gives the sum of all regions. No row: there is no such post here.
_COUNT = """
    WITH counted AS (
        INSERT INTO engagements (post, region, {0}) SELECT id, $2, 1 FROM posts WHERE id = $1 AND {1}
        ON CONFLICT (post, region) DO UPDATE SET {0} = engagements.{0} + 1 RETURNING {0}
    )
    SELECT ({0} + coalesce((SELECT sum({0}) FROM engagements WHERE post = $1 AND region <> $2), 0))::int AS n
    FROM counted"""

_OF_A_GROUP = """
    SELECT hashtext({1}) & {2} AS number, hash_record_extended({0}, 0) AS hash FROM {0}
    WHERE hashtext({1}) & {2} < {3}"""

STATEMENTS: dict[str, str] = {
    "ping": "SELECT 1",
    "home": f"""
        SELECT {_POST}, {_COUNTS} FROM (
            SELECT p.* FROM (SELECT followee AS author FROM follows WHERE follower = $1 AND following UNION SELECT $1) a
            CROSS JOIN LATERAL ({_NEWEST % "a.author"}) p
            ORDER BY p.created_at DESC, p.id DESC LIMIT {PAGE}
        ) p {_COUNTED} ORDER BY p.created_at DESC, p.id DESC""",
    "profile": f"""
        SELECT u.id AS user_id, u.name, u.bio, u.home_region, u.updated_at || '@' || u.updated_in AS version,
            {_POST}, {_COUNTS} FROM users u
        LEFT JOIN LATERAL ({_NEWEST % "u.id"}) p ON true {_COUNTED}
        WHERE u.id = $1 ORDER BY p.created_at DESC, p.id DESC""",
    "posts": f"""
        SELECT {_POST}, {_COUNTS} FROM (SELECT * FROM posts WHERE id = ANY($1::text[]) AND {_VISIBLE}) p {_COUNTED}""",
    # One more than are listed, which tells that there are more.
    "posts_of": f"""
        SELECT {_POST}, {_COUNTS} FROM (
            SELECT * FROM posts WHERE author = $1 AND {_VISIBLE} ORDER BY created_at DESC, id DESC LIMIT {LISTED + 1}
        ) p {_COUNTED} ORDER BY p.created_at DESC, p.id DESC""",
    "ids_of": f"SELECT id FROM posts WHERE author = $1 AND {_VISIBLE}",
    "search": f"""
        SELECT {_POST}, {_COUNTS} FROM (
            SELECT * FROM posts WHERE words @> ARRAY[$1::text] AND {_VISIBLE} ORDER BY created_at DESC LIMIT {PAGE}
        ) p {_COUNTED} ORDER BY p.created_at DESC""",
    "notifications": """
        SELECT id, actor, text, created_at, seen FROM notifications
        WHERE recipient = $1 ORDER BY created_at DESC LIMIT 20""",
    "suggestions": """
        SELECT f.followee AS id, count(*) AS mutual FROM follows f
        WHERE f.follower IN (SELECT followee FROM follows WHERE follower = $1 AND following LIMIT 20)
          AND f.following AND f.followee <> $1
          AND NOT EXISTS (
              SELECT 1 FROM follows mine WHERE mine.follower = $1 AND mine.followee = f.followee AND mine.following)
        GROUP BY f.followee ORDER BY mutual DESC, id LIMIT 5""",
    "database_use": """
        SELECT xact_commit + xact_rollback AS transactions, numbackends AS connections,
          current_setting('max_connections')::int AS allowed
        FROM pg_stat_database WHERE datname = current_database()""",
    "trends": "SELECT topics FROM trends WHERE region = $1",
    # Two regions that could not see each other may both have given a name away; the older account is asked first.
    "password": "SELECT id, password, home_region FROM users WHERE name = $1 ORDER BY created_at, id",
    # A new user follows the ten first ones, so that nobody's home timeline starts empty.
    "sign_up": """
        WITH added AS (
            INSERT INTO users (id, name, password, bio, home_region, created_at, updated_at, updated_in)
            SELECT $1::text || '-user-' || nextval('user_numbers'), $2, $3, '', $1, $4, $4, $1
            WHERE NOT EXISTS (SELECT 1 FROM users WHERE name = $2)
            ON CONFLICT (name, home_region) DO NOTHING RETURNING id
        ), followed AS (
            INSERT INTO follows (follower, followee, following, changed_at, changed_in)
            SELECT id, 'user-' || n, true, $4, $1 FROM added, generate_series(1, 10) n
        )
        SELECT id FROM added""",
    # One round trip: the key, the post and (by a trigger) its fan-out are one statement, so that none exists without
    # the others. No row: the key is taken, `post_by_key` says by which post.
    "post": """
        WITH claimed AS (
            INSERT INTO idempotency (author, idempotency_key, post, at)
            VALUES ($2, $7, $1::text || '-' || nextval('post_numbers'), $6)
            ON CONFLICT (author, idempotency_key) DO NOTHING RETURNING post, author, at
        ), added AS (
            INSERT INTO posts (id, author, text, media, words, created_at)
            SELECT post, author, $3, $4, $5::text[], at FROM claimed
        )
        SELECT post AS id FROM claimed""",
    "post_by_key": "SELECT post AS id FROM idempotency WHERE author = $1 AND idempotency_key = $2",
    # Post, author, region, Unix seconds. A row if the author has such a post here: it is deleted now.
    "delete_post": """
        WITH own AS (
            SELECT id, words FROM posts WHERE id = $1 AND author = $2
        ), buried AS (
            INSERT INTO tombstones (post, at, region, reason) SELECT id, $4, $3, 'deleted' FROM own
            ON CONFLICT (post) DO NOTHING
        )
        SELECT id, words FROM own""",
    "like": _COUNT.format("likes", _VISIBLE),
    "retweet": _COUNT.format("retweets", _VISIBLE),
    # Follower, followee, whether it follows from now on, Unix seconds, region. No row: there is no such followee
    # here, or none that this one may begin to follow.
    "set_following": """
        SELECT set_following($1, $2, $3, $4, $5) FROM users WHERE id = $2 AND NOT ($3 AND EXISTS (
            SELECT 1 FROM filters WHERE viewer = $2 AND subject = $1 AND kind = 'block' AND active))""",
    # Viewer, subject, kind, whether it filters from now on, Unix seconds, region. No row: there is no such subject.
    "set_filter": "SELECT set_filter($1, $2, $3, $4, $5, $6) FROM users WHERE id = $2",
    "filters": "SELECT DISTINCT subject FROM filters WHERE viewer = $1 AND active",
    # User, bio, Unix seconds, region. False: no such user here.
    "set_bio": "SELECT set_bio($1, $2, false, $3, $4) AS known",
    # User, Unix seconds, region. The user's posts, all deleted now; null: no such user here.
    "erase": "SELECT erase($1, $2, $3) AS posts",
    # The worker's.
    # Authors and posts that are under way already, how many. Authors take turns: of each the oldest post. The index
    # leads from author to author, so that a long queue costs no more than the authors in it.
    "outbox": """
        WITH RECURSIVE authors AS (
            (SELECT author FROM fanout_outbox ORDER BY author LIMIT 1)
            UNION ALL
            SELECT (SELECT o.author FROM fanout_outbox o WHERE o.author > a.author ORDER BY o.author LIMIT 1)
            FROM authors a WHERE a.author IS NOT NULL
        )
        SELECT oldest.* FROM authors a CROSS JOIN LATERAL (
            SELECT o.post, o.author, o.queued_at FROM fanout_outbox o
            WHERE o.author = a.author AND o.post <> ALL($2::text[]) ORDER BY o.queued_at, o.post LIMIT 1
        ) oldest
        WHERE a.author <> ALL($1::text[]) ORDER BY oldest.queued_at, oldest.post LIMIT $3::int""",
    "outbox_size": f"""
        SELECT count(*) AS waiting, min(queued_at) AS oldest, {_NOW_S} AS as_of,
            (SELECT count(*) FROM fanout_dead_letters) AS dead_letters
        FROM fanout_outbox""",
    "outbox_done": "DELETE FROM fanout_outbox WHERE post = ANY($1::text[]) RETURNING post",
    # Post, why.
    "give_up": f"""
        WITH failed AS (DELETE FROM fanout_outbox WHERE post = $1 RETURNING post, author)
        INSERT INTO fanout_dead_letters (post, author, reason, given_up_at)
        SELECT post, author, $2, {_NOW_S} FROM failed ON CONFLICT (post) DO NOTHING""",
    "retry_dead_letters": f"""
        WITH letters AS (DELETE FROM fanout_dead_letters RETURNING post, author)
        INSERT INTO fanout_outbox (post, author, queued_at) SELECT post, author, {_NOW_S} FROM letters
        ON CONFLICT (post) DO NOTHING RETURNING post""",
    "dead_letters": "SELECT post, author, reason, given_up_at FROM fanout_dead_letters ORDER BY given_up_at LIMIT 100",
    "follower_counts": """
        SELECT followee, count(*) AS followers FROM follows WHERE followee = ANY($1::text[]) AND following
        GROUP BY followee""",
    "followees": "SELECT followee FROM follows WHERE follower = $1 AND following",
    "withdrawn": """
        SELECT w.post, p.author, p.words FROM withdrawn_outbox w LEFT JOIN posts p ON p.id = w.post LIMIT $1::int""",
    "withdrawn_done": "DELETE FROM withdrawn_outbox WHERE post = ANY($1::text[])",
    "changed": "SELECT number, owner, what FROM changed_outbox ORDER BY number LIMIT $1::int",
    "changed_done": "DELETE FROM changed_outbox WHERE number = ANY($1::bigint[])",
    "followers": "SELECT followee, follower FROM follows WHERE followee = ANY($1::text[]) AND following",
    "mention": """
        INSERT INTO notifications (id, recipient, actor, text, created_at, seen)
        SELECT $1::text || '@' || u.id, u.id, $3, $4, $5, false FROM users u WHERE u.id = ANY($2::text[])
        ON CONFLICT (id) DO NOTHING""",
    "recent_words": """
        SELECT word, count(*) AS posts
        FROM (SELECT words FROM posts ORDER BY created_at DESC LIMIT 1000) p, unnest(words) word
        GROUP BY word ORDER BY posts DESC, word LIMIT 10""",
    "trends_set": """
        INSERT INTO trends (region, topics) VALUES ($1, $2)
        ON CONFLICT (region) DO UPDATE SET topics = excluded.topics""",
    # Replication: what a region says of itself, what it has heard, and what Postgres tells about both.
    "beat": f"""
        INSERT INTO heartbeats (region, at) VALUES ($1, {_NOW_S})
        ON CONFLICT (region) DO UPDATE SET at = excluded.at""",
    # Says nothing of a region whose tables are still being copied: its heartbeats come before its rows then.
    "heartbeats": f"""
        SELECT region, at, {_NOW_S} - at AS age_s FROM heartbeats h WHERE at > 0 AND NOT EXISTS (
            SELECT 1 FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid
            WHERE s.subname LIKE replace(h.region, '-', '_') || '\\_to\\_%' AND r.srsubstate <> 'r')""",
    # Regions, seconds: those not heard for so long.
    "silent": f"SELECT region FROM heartbeats WHERE region = ANY($1::text[]) AND {_NOW_S} - at > $2::float8",
    "incarnation": "SELECT id, rejoins, complete FROM incarnation",
    "incoming": """
        SELECT s.subname AS link, s.subenabled AS enabled, w.pid IS NOT NULL AS running, e.apply_error_count AS errors,
            e.confl_insert_exists + e.confl_update_exists + e.confl_multiple_unique_conflicts AS conflicts
        FROM pg_subscription s
        LEFT JOIN pg_stat_subscription w ON w.subid = s.oid AND w.worker_type = 'apply'
        LEFT JOIN pg_stat_subscription_stats e ON e.subid = s.oid""",
    "outgoing": """
        SELECT slot_name AS link, active, wal_status,
            pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::float8 AS unconfirmed_bytes
        FROM pg_replication_slots WHERE slot_type = 'logical'""",
    # Of tables; Postgres counts late, by up to ten seconds where a connection is idle.
    "changes": """
        SELECT relname::text AS name, pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid)
            + pg_stat_get_tuples_deleted(oid) AS changes
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname = ANY($1::text[])""",
    # Of tables.
    "digests": " UNION ALL ".join(_DIGEST.format(table) for table in COMPARED),
    # Of the sampled groups of posts that have any row.
    "sampled_posts": "SELECT number, sum(hash) AS hashes FROM ({}) rows GROUP BY number".format(
        " UNION ALL ".join(
            _OF_A_GROUP.format(table, key, POST_GROUPS - 1, SAMPLED_GROUPS) for table, key in _SAMPLED.items()
        )
    ),
}
