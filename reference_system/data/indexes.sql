-- Made after the seed is copied in.

ALTER TABLE users ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON users (name);
ALTER TABLE follows ADD PRIMARY KEY (follower, followee);
CREATE INDEX ON follows (followee);
ALTER TABLE posts ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON posts (author, idempotency_key);
CREATE INDEX ON posts (author, created_at DESC, id DESC);
CREATE INDEX ON posts (created_at);
CREATE INDEX ON posts USING gin (words) WITH (fastupdate = off);
ALTER TABLE likes ADD PRIMARY KEY (post, region);
ALTER TABLE notifications ADD PRIMARY KEY (id);
CREATE INDEX ON notifications (recipient, created_at DESC);
