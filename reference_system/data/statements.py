"""Every SQL statement the services run, by name; each is prepared on each connection before that serves anybody."""

# ruff: noqa: S608 - put together from constants of this file, nothing comes from outside

PAGE = 20  # posts in a timeline, and results of a search

_POST = "p.id, p.author, p.text, p.media, p.created_at"
_LIKES = "coalesce((SELECT sum(n) FROM likes WHERE post = p.id), 0)::int AS likes"
_NEWEST = f"SELECT * FROM posts WHERE author = %s ORDER BY created_at DESC, id DESC LIMIT {PAGE}"

STATEMENTS: dict[str, str] = {
    "ping": "SELECT 1",
    "home": f"""
        SELECT {_POST}, {_LIKES} FROM (
            SELECT p.* FROM (SELECT followee AS author FROM follows WHERE follower = $1 UNION SELECT $1) a
            CROSS JOIN LATERAL ({_NEWEST % "a.author"}) p
            ORDER BY p.created_at DESC, p.id DESC LIMIT {PAGE}
        ) p ORDER BY p.created_at DESC, p.id DESC""",
    "profile": f"""
        SELECT u.id AS user_id, u.name, u.bio, u.home_region, {_POST}, {_LIKES} FROM users u
        LEFT JOIN LATERAL ({_NEWEST % "u.id"}) p ON true
        WHERE u.id = $1 ORDER BY p.created_at DESC, p.id DESC""",
    "posts": f"SELECT {_POST}, {_LIKES} FROM posts p WHERE p.id = ANY($1::text[])",
    "search": f"""
        SELECT {_POST}, {_LIKES} FROM (
            SELECT * FROM posts WHERE words @> ARRAY[$1::text] ORDER BY created_at DESC LIMIT {PAGE}
        ) p ORDER BY p.created_at DESC""",
    "notifications": """
        SELECT id, text, created_at, seen FROM notifications WHERE recipient = $1 ORDER BY created_at DESC LIMIT 20""",
    "suggestions": """
        SELECT f.followee AS id, count(*) AS mutual FROM follows f
        WHERE f.follower IN (SELECT followee FROM follows WHERE follower = $1 LIMIT 20) AND f.followee <> $1
          AND NOT EXISTS (SELECT 1 FROM follows mine WHERE mine.follower = $1 AND mine.followee = f.followee)
        GROUP BY f.followee ORDER BY mutual DESC, id LIMIT 5""",
    "trends": "SELECT topics FROM trends WHERE region = $1",
    "password": "SELECT id, password FROM users WHERE name = $1",
    # A new user follows the ten first ones, so that nobody's home timeline starts empty.
    "sign_up": """
        WITH added AS (
            INSERT INTO users (id, name, password, bio, home_region, created_at)
            SELECT $1::text || '-user-' || nextval('user_numbers'), $2, $3, '', $1, $4
            ON CONFLICT (name) DO NOTHING RETURNING id
        ), followed AS (
            INSERT INTO follows (follower, followee) SELECT id, 'user-' || n FROM added, generate_series(1, 10) n
        )
        SELECT id FROM added""",
    # One round trip: the post and its fan-out are one statement, so one never exists without the other.
    "post": """
        WITH added AS (
            INSERT INTO posts (id, author, text, media, words, created_at, idempotency_key)
            VALUES ($1::text || '-' || nextval('post_numbers'), $2, $3, $4, $5::text[], $6, $7)
            ON CONFLICT (author, idempotency_key) DO NOTHING RETURNING id, author, created_at
        ), queued AS (
            INSERT INTO fanout_outbox (post, author, created_at) SELECT id, author, created_at FROM added
        )
        SELECT id FROM added""",
    "post_by_key": "SELECT id FROM posts WHERE author = $1 AND idempotency_key = $2",
    # The worker's.
    "outbox": "SELECT post, author, created_at FROM fanout_outbox ORDER BY created_at LIMIT $1::int",
    "outbox_size": "SELECT count(*) AS waiting, min(created_at) AS oldest FROM fanout_outbox",
    "outbox_done": "DELETE FROM fanout_outbox WHERE post = ANY($1::text[])",
    "followers": "SELECT followee, follower FROM follows WHERE followee = ANY($1::text[])",
    "mention": """
        INSERT INTO notifications (id, recipient, text, created_at, seen)
        SELECT $1::text || '@' || u.id, u.id, $3, $4, false FROM users u WHERE u.id = ANY($2::text[])
        ON CONFLICT (id) DO NOTHING""",
    "recent_words": """
        SELECT word, count(*) AS posts
        FROM (SELECT words FROM posts ORDER BY created_at DESC LIMIT 1000) p, unnest(words) word
        GROUP BY word ORDER BY posts DESC, word LIMIT 10""",
    "trends_set": "UPDATE trends SET topics = $2 WHERE region = $1",
}
