-- The tables of one region, laid out so that four regions that send each other their rows end up with the same ones.
-- mesh.sql says what is sent and how it is merged. Indexes are made in indexes.sql, after the seed is copied in (four
-- times faster). Times are Unix seconds, by the clock of the region that wrote.

-- Rows that are replaced as a whole; the newest change stays, here, in `follows` and in `filters`.
CREATE TABLE users (
    id text NOT NULL,
    name text NOT NULL,           -- given away once, or once in each of two regions that could not see each other
    password text NOT NULL,       -- scheme$salt$hex, see passwords.py
    bio text NOT NULL,
    home_region text NOT NULL,    -- where the user signed up
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL DEFAULT 0,
    updated_in text NOT NULL DEFAULT '',
    erased boolean NOT NULL DEFAULT false -- whether this last change was that the user had everything erased
);

-- An unfollowed account keeps its row, so that an older follow that arrives late does not come back.
CREATE TABLE follows (
    follower text NOT NULL,
    followee text NOT NULL,
    following boolean NOT NULL DEFAULT true,
    changed_at double precision NOT NULL DEFAULT 0,
    changed_in text NOT NULL DEFAULT ''
);

-- Whose posts a viewer does not want to see; what has ended keeps its row, as above.
CREATE TABLE filters (
    viewer text NOT NULL,
    subject text NOT NULL,
    kind text NOT NULL,           -- block or mute
    active boolean NOT NULL DEFAULT true,
    changed_at double precision NOT NULL DEFAULT 0,
    changed_in text NOT NULL DEFAULT ''
);

-- Rows that are only ever added, here and below up to `notifications`. A post is visible unless it has a tombstone.
CREATE TABLE posts (
    id text NOT NULL,             -- <region>-<number of the region's sequence>
    author text NOT NULL,
    text text NOT NULL,
    media text,                   -- a link
    words text[] NOT NULL,        -- what search and trends look at
    created_at double precision NOT NULL
);

CREATE TABLE tombstones (
    post text NOT NULL,
    at double precision NOT NULL,
    region text NOT NULL,         -- where it was deleted; '' where no user did that
    reason text NOT NULL          -- deleted, or duplicate: made in two regions with the same idempotency key
);

-- Which post a key stands for. A repeated key finds its row here; of two regions' posts the older one stays.
CREATE TABLE idempotency (
    author text NOT NULL,
    idempotency_key text NOT NULL,
    post text NOT NULL,
    at double precision NOT NULL  -- the post's `created_at`
);

CREATE TABLE notifications (
    id text NOT NULL,             -- a mention's is <post>@<recipient>, so that a repeated fan-out makes it once
    recipient text NOT NULL,
    actor text NOT NULL,          -- whose doing it is
    text text NOT NULL,
    created_at double precision NOT NULL,
    seen boolean NOT NULL         -- stays true once it is
);

-- What users did with a post: one row a region, which only that region changes; the counts are their sums.
CREATE TABLE engagements (
    post text NOT NULL,
    region text NOT NULL,
    likes integer NOT NULL DEFAULT 0,
    retweets integer NOT NULL DEFAULT 0
);

-- One row a region, which only that region changes. Links apply a region's transactions in the order of their commits,
-- so where this row has arrived, everything has that the region committed before it. `at` is read from the clock before
-- the row's own commit: a write whose answer its region had by then is there too.
CREATE TABLE heartbeats (
    region text NOT NULL,
    at double precision NOT NULL
) WITH (fillfactor = 10);         -- updated four times a second, each time in place

-- From here on a region's own: never sent. Each region brings what arrives to its own caches.

-- Posts not yet in the followers' timelines, in the same transaction as the post: at least once.
CREATE TABLE fanout_outbox (
    post text PRIMARY KEY,
    author text NOT NULL,
    queued_at double precision NOT NULL
);

-- Posts that were given up, until an operator has them tried again.
CREATE TABLE fanout_dead_letters (
    post text PRIMARY KEY,
    author text NOT NULL,
    reason text NOT NULL,
    given_up_at double precision NOT NULL
);

-- Posts that have got a tombstone and may still be in a cache.
CREATE TABLE withdrawn_outbox (
    post text PRIMARY KEY,
    queued_at double precision NOT NULL
);

-- Users whose profile, follows or filters have changed while their caches may hold what was before. A change has a row of its own,
-- so that one which comes while an earlier one is being dealt with is not forgotten with it.
CREATE TABLE changed_outbox (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner text NOT NULL,
    what text NOT NULL            -- edited, erased, followed, unfollowed or filtered
);

CREATE TABLE trends (
    region text PRIMARY KEY,
    topics text NOT NULL          -- JSON, as it is served
);

-- Which database this is. One that was lost and made again is another one, though it has the region's name: what its
-- peers know of the first one's log means nothing in its own.
CREATE TABLE incarnation (
    id text PRIMARY KEY,
    rejoins boolean,              -- whether there was one before; null until the peers were asked
    complete boolean NOT NULL     -- has all that the peers have
);

-- The incarnations that this database subscribes to.
CREATE TABLE known_peers (
    peer text PRIMARY KEY,
    incarnation text NOT NULL
);

CREATE SEQUENCE post_numbers;
CREATE SEQUENCE user_numbers;
