-- The tables of one region, laid out so that a mesh of four converges later: insert-only rows with region-scoped ids,
-- counters as one row per region. Indexes are made in indexes.sql, after the seed is copied in (four times faster).

CREATE TABLE users (
    id text NOT NULL,
    name text NOT NULL,
    password text NOT NULL,       -- scheme$salt$hex, see passwords.py
    bio text NOT NULL,
    home_region text NOT NULL,
    created_at double precision NOT NULL  -- Unix seconds, here and below
);

CREATE TABLE follows (
    follower text NOT NULL,
    followee text NOT NULL
);

CREATE TABLE posts (
    id text NOT NULL,             -- <region>-<number of the region's sequence>
    author text NOT NULL,
    text text NOT NULL,
    media text,                   -- a link
    words text[] NOT NULL,        -- what search and trends look at
    created_at double precision NOT NULL,
    idempotency_key text NOT NULL
);

CREATE TABLE likes (
    post text NOT NULL,
    region text NOT NULL,
    n integer NOT NULL
);

CREATE TABLE notifications (
    id text NOT NULL,             -- a mention's is <post>@<recipient>, so that a repeated fan-out makes it once
    recipient text NOT NULL,
    text text NOT NULL,
    created_at double precision NOT NULL,
    seen boolean NOT NULL
);

-- Written in the same statement as the post and deleted once the post is in the followers' timelines: at least once.
CREATE TABLE fanout_outbox (
    post text PRIMARY KEY,
    author text NOT NULL,
    created_at double precision NOT NULL
);

CREATE TABLE trends (
    region text PRIMARY KEY,
    topics text NOT NULL          -- JSON, as it is served
);

CREATE SEQUENCE post_numbers;
CREATE SEQUENCE user_numbers;
